package admission

import (
	"testing"
	"time"
	"unsafe"
)

// life is one device that connects whenever it is due, by a rule of its own.
type life struct {
	d     *Devices
	now   time.Duration
	began []Quarantine
}

const lifeID = 1<<63 | 42

// connect tries once; after is 0 if it was let in.
func (l *life) connect(planned bool) (after int, why Why) {
	if after, why = l.d.Look(l.now, lifeID, planned); why != LetIn {
		return after, why
	}
	if q, began := l.d.Count(l.now, lifeID, planned); began {
		l.began = append(l.began, q)
	}
	return 0, LetIn
}

func usualDevices() *Devices { return NewDevices(Usual.Device, Usual.Quarantine) }

// TestDeviceBurst: the first connect, two that are cut at once, one that replaces a connection and one more are let in;
// then there is one a second.
func TestDeviceBurst(t *testing.T) {
	l := life{d: usualDevices()}
	for i := range deviceBurst {
		if after, why := l.connect(false); why != LetIn {
			t.Fatalf("connect %d: refused for %d s", i, after)
		}
	}
	if after, why := l.connect(false); why != TooFast || after != 1 {
		t.Errorf("one more: after %d s, %v", after, why)
	}
	for i := range 5 {
		l.now += time.Second
		if after, why := l.connect(false); why != LetIn {
			t.Errorf("a second later, %d: refused for %d s", i, after)
		}
		if _, why := l.connect(false); why != TooFast {
			t.Errorf("and one more, %d: %v", i, why)
		}
	}
	if c := l.d.Counts(); c != (DeviceCounts{Early: 6}) {
		t.Errorf("%+v", c)
	}
}

// TestDeviceSlowRate: the wait is as long as the rate makes it.
func TestDeviceSlowRate(t *testing.T) {
	l := life{d: NewDevices(0.1, 0)}
	for range deviceBurst {
		l.connect(false)
	}
	if after, why := l.connect(false); why != TooFast || after != 10 {
		t.Errorf("after %d s, %v", after, why)
	}
	l.now = 9900 * time.Millisecond
	if after, why := l.connect(false); why != TooFast || after != 1 {
		t.Errorf("after %d s, %v", after, why)
	}
}

// TestQuarantine: a device that connects as fast as it may is kept out after 15 connects, for five minutes, whatever it does in them;
// then it begins anew.
func TestQuarantine(t *testing.T) {
	l := life{d: usualDevices()}
	n := 0
	for ; len(l.began) == 0 && n < 100; n++ {
		if after, why := l.connect(false); why != LetIn {
			l.now += time.Duration(after) * time.Second
			n--
		}
	}
	if n != MostInMinute || l.now != 10*time.Second || l.began[0] != (Quarantine{Connects: MostInMinute}) {
		t.Fatalf("after %d connects and %v: %+v", n, l.now, l.began)
	}
	end := l.now + Usual.Quarantine
	for ; l.now < end; l.now += 700 * time.Millisecond {
		want := int((end - l.now).Truncate(time.Second) / time.Second)
		after, why := l.connect(l.now%2 == 0)
		if why != Quarantined || after < max(want, 1) || after > want+1 {
			t.Fatalf("at %v: after %d s, %v; want %d", l.now, after, why, want)
		}
	}
	l.now = end
	for i := range deviceBurst {
		if after, why := l.connect(false); why != LetIn {
			t.Errorf("when it is over, %d: refused for %d s", i, after)
		}
	}
	if c := l.d.Counts(); c.Flapping != 1 || c.Fighting != 0 || c.Kept == 0 {
		t.Errorf("%+v", c)
	}
}

// TestQuarantineEdge: 14 connects in each minute go on for ever, 15 do not; nor where quarantine is off.
func TestQuarantineEdge(t *testing.T) {
	for _, tt := range []struct {
		perMinute  int
		quarantine time.Duration
		want       bool
	}{{14, Usual.Quarantine, false}, {17, Usual.Quarantine, true}, {59, 0, false}} {
		l := life{d: NewDevices(Usual.Device, tt.quarantine)}
		for range 20 * tt.perMinute {
			if after, why := l.connect(false); why == TooFast {
				t.Errorf("%d a minute: refused for %d s", tt.perMinute, after)
			}
			l.now += time.Minute/time.Duration(tt.perMinute) + time.Millisecond
		}
		if got := len(l.began) > 0; got != tt.want {
			t.Errorf("%d a minute: quarantine %v", tt.perMinute, got)
		}
	}
}

// TestPlannedMoves: connects in slots of other nodes do not count, up to five a minute; a device that says each time that it was sent is one that
// connects.
func TestPlannedMoves(t *testing.T) {
	l := life{d: usualDevices()}
	for range 30 {
		for range plannedFree {
			if after, why := l.connect(true); why != LetIn {
				t.Fatalf("at %v: refused for %d s", l.now, after)
			}
		}
		l.now += time.Minute
	}
	for i := range deviceBurst {
		if after, why := l.connect(false); why != LetIn {
			t.Fatalf("connect %d beside them: refused for %d s", i, after)
		}
	}
	l = life{d: usualDevices()}
	for range 10 * 60 {
		l.connect(true)
		l.now += 100 * time.Millisecond
	}
	if len(l.began) != 1 {
		t.Errorf("%d quarantines of one that says that all is planned", len(l.began))
	}
}

// TestExpected: a device that its node tells to come again, and again, is not one that flaps.
func TestExpected(t *testing.T) {
	l := life{d: usualDevices()}
	l.d.Expect(l.now, lifeID) // before it is known
	for i := range 10 * MostInMinute {
		if after, why := l.connect(false); why != LetIn {
			t.Fatalf("connect %d: refused for %d s", i, after)
		}
		l.now += 300 * time.Millisecond
		l.d.Expect(l.now, lifeID)
	}
	if len(l.began) != 0 {
		t.Errorf("%+v", l.began)
	}
	for range deviceBurst + 1 {
		l.d.Expect(l.now, lifeID) // nothing is saved up
	}
	for range deviceBurst {
		l.connect(false)
	}
	if _, why := l.connect(false); why != TooFast {
		t.Errorf("behind its burst: %v", why)
	}
}

// TestFight: two clients with one id end each other's connections until the device is kept out, and that is told from one that flaps.
func TestFight(t *testing.T) {
	l := life{d: usualDevices()}
	for i := 0; len(l.began) == 0 && i < 100; i++ {
		if _, why := l.connect(false); why == LetIn && i > 0 {
			l.d.Overtook(l.now, lifeID)
		}
		l.now += time.Second
	}
	if len(l.began) != 1 || l.began[0] != (Quarantine{MostInMinute, MostInMinute - 2, true}) {
		t.Errorf("%+v", l.began)
	}
	if c := l.d.Counts(); c.Fighting != 1 || c.Flapping != 0 {
		t.Errorf("%+v", c)
	}
	l.d.Overtook(l.now, 1<<63|7) // of one that is not known
}

// TestDevicesMany: many devices that connect once push none out that is in quarantine, nor one that comes
// again and again.
func TestDevicesMany(t *testing.T) {
	l := life{d: usualDevices()}
	for len(l.began) == 0 {
		l.connect(false)
		l.now += time.Second
	}
	const flapping = lifeID + 1
	began := false
	for i := range 150_000 { // 5,000 a second for 30 s
		now := l.now + time.Duration(i)*200*time.Microsecond
		// Spread over all sets, as hashes are.
		id := uint64(i)*0x9e3779b97f4a7c15 | 1<<63
		if after, why := l.d.Look(now, id, false); why != LetIn {
			t.Fatalf("device %d: refused for %d s", i, after)
		}
		l.d.Count(now, id, false)
		if i%5_000 == 0 {
			_, now := l.d.Count(now, flapping, false)
			began = began || now
		}
	}
	l.now += 30 * time.Second
	if _, why := l.connect(false); why != Quarantined {
		t.Errorf("one in quarantine: %v", why)
	}
	if !began {
		t.Error("one that has connected each second is not kept out")
	}
}

// TestDeviceEntry holds what the table costs.
func TestDeviceEntry(t *testing.T) {
	if a, b := unsafe.Sizeof(device{}), unsafe.Sizeof(bucket{}); a != 48 || b != 24 {
		t.Errorf("a device is %d bytes, want 48; an address %d, want 24", a, b)
	}
}

// TestLimitsCheck: what cannot be meant is refused, with its name.
func TestLimitsCheck(t *testing.T) {
	for _, l := range []Limits{{}, Usual, {Node: 0.1, Address: 1e6, Device: 2, Quarantine: MostQuarantine}} {
		if err := l.Check(); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
	}
	for _, l := range []Limits{{Node: -1}, {Address: 0.01}, {Device: 1e7}, {Quarantine: -time.Second}, {Quarantine: 2 * time.Hour}, {Quarantine: 1500 * time.Millisecond}} {
		if err := l.Check(); err == nil {
			t.Errorf("%+v is taken", l)
		}
	}
}

func BenchmarkDevices(b *testing.B) {
	d := usualDevices()
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		id := i*0x9e3779b97f4a7c15 | 1<<63
		now := time.Duration(i) * 50 * time.Microsecond
		if _, why := d.Look(now, id, false); why == LetIn {
			d.Count(now, id, false)
		}
	}
}
