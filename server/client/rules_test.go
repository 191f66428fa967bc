package client

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"roost/server/wire"
)

// One test for each rule of docs/PROTOCOL.md, "What a client MUST do".

const ident = "device=dev-1&epoch=%s&seq=%d&sid=" + testSID

func TestRule1KeepsSessionAndStream(t *testing.T) {
	r := newRig(t, Saved{})
	r.wantQuery("device=dev-1")
	c := r.connect("k9", 41)
	r.kept(c, 42, "")
	want := fmt.Sprintf(ident, "k9", 42)
	r.wantQuery(want)
	r.s.OnLost(c, r.now)
	r.wantQuery(want)

	// Over a restart.
	restarted := newRig(t, r.s.Saved())
	restarted.wantQuery(want)

	// After a welcome, epoch and sid are the welcome's, and seq is acked.
	w := defaultWelcome("k10", 7)
	w.SID = []byte("ffffffffffffffff")
	restarted.welcome(w)
	if v := restarted.s.Saved(); v != (Saved{"ffffffffffffffff", "k10", 7}) {
		t.Errorf("saved %+v", v)
	}
	w.Acked, w.From = 60, 61 // what we said was too old
	restarted.welcome(w)
	restarted.wantQuery("device=dev-1&epoch=k10&seq=60&sid=ffffffffffffffff")
}

func TestRule1NotWhatIsNotValid(t *testing.T) {
	for _, v := range []Saved{{}, {SID: "0123456789ABCDEF"}, {SID: testSID + "0"}, {Epoch: "a b", Seq: 1}, {Epoch: "e", Seq: 1 << 53}} {
		newRig(t, v).wantQuery("device=dev-1")
	}
	var s Session
	s.Init("a+b&c=d%/é", wire.JSON, Saved{}, 1)
	if got := string(s.ConnectQuery(nil)); got != "device=a%2Bb%26c%3Dd%25/%C3%A9" {
		t.Error(got)
	}
}

func TestRule2InOrder(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e", 10)
	if e := r.kept(c, 11, ""); e.Kind != Deliver {
		t.Fatalf("the next: %+v", e)
	}
	for _, seq := range []uint64{11, 10, 1} {
		if up, _ := r.wake(); up.Op != wire.OpAck || up.Seq != 11 {
			t.Fatalf("said %+v", up)
		}
		if e := r.kept(c, seq, ""); e.Kind != Nothing {
			t.Fatalf("repeat of %d: %+v", seq, e)
		}
	}
	if up, _ := r.wake(); up.Op != wire.OpAck || up.Seq != 11 {
		t.Fatalf("a repeat is acknowledged again, got %+v", up)
	}
	e := r.kept(c, 13, "")
	if e.Kind != Dropped || e.Next.Drop != c || !errors.Is(e.Next.Err, ErrHole) {
		t.Fatalf("hole: %+v", e)
	}
	r.wantBetween(e.Next, 0, time.Second)
	r.wantQuery(fmt.Sprintf(ident, "e", 11))
	if e := r.kept(c, 12, ""); e.Kind != Nothing {
		t.Fatalf("after the hole: %+v", e)
	}
}

func TestRule2SkipClosesAHole(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e", 10)
	if e := r.on(c, wire.AppendSkip(nil, r.form, 15, "ttl")); e.Kind != Skipped || e.From != 11 || r.down.To != 15 {
		t.Fatalf("got %+v", e)
	}
	if up, _ := r.wake(); up.Op != wire.OpAck || up.Seq != 15 {
		t.Fatalf("said %+v", up)
	}
	if e := r.on(c, wire.AppendSkip(nil, r.form, 14, "ttl")); e.Kind != Nothing {
		t.Fatalf("repeat: %+v", e)
	}
	if up, _ := r.wake(); up.Op != wire.OpAck || up.Seq != 15 {
		t.Fatalf("a repeat is acknowledged again, got %+v", up)
	}
	if e := r.kept(c, 16, ""); e.Kind != Deliver {
		t.Fatalf("got %+v", e)
	}
}

// The node had not got our acknowledgement when the connection was lost.
func TestRule2NothingTwiceInAnEpoch(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e", 0)
	for seq := range uint64(3) {
		r.kept(c, seq+1, "")
	}
	c = r.connect("e", 1)
	for seq := uint64(2); seq <= 3; seq++ {
		if e := r.kept(c, seq, ""); e.Kind != Nothing {
			t.Fatalf("%d again: %+v", seq, e)
		}
	}
	if up, _ := r.wake(); up.Op != wire.OpAck || up.Seq != 3 {
		t.Fatalf("said %+v", up)
	}
	if e := r.kept(c, 4, ""); e.Kind != Deliver {
		t.Fatalf("new: %+v", e)
	}
}

func TestRule3RemembersIDs(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e1", 0)
	seq := uint64(0)
	for range 1500 {
		seq++
		if e := r.kept(c, seq, fmt.Sprint("m", seq)); e.Kind != Deliver {
			t.Fatalf("%d: %+v", seq, e)
		}
	}
	c = r.connect("e2", 0) // the node has lost the numbers and sends all it holds
	seq = 0
	for i := 501; i <= 1500; i++ {
		seq++
		if e := r.kept(c, seq, fmt.Sprint("m", i)); e.Kind != Nothing {
			t.Fatalf("m%d again: %+v", i, e)
		}
	}
	if up, _ := r.wake(); up.Op != wire.OpAck || up.Seq != 1000 {
		t.Fatalf("repeats are acknowledged, got %+v", up)
	}
	if e := r.kept(c, 1001, "m500"); e.Kind != Deliver {
		t.Fatalf("one before the last 1,000: %+v", e)
	}
	if e := r.kept(c, 1002, ""); e.Kind != Deliver {
		t.Fatalf("one without an id: %+v", e)
	}
}

func TestRule4Acknowledges(t *testing.T) {
	r := newRig(t, Saved{})
	w := defaultWelcome("e", 0)
	w.Win = 8
	c := r.welcome(w)
	start := r.now
	for seq := range uint64(3) {
		r.now += 10 * time.Millisecond
		r.kept(c, seq+1, "")
	}
	if at := r.s.NextDeadline(); at != start+10*time.Millisecond+ackDelay {
		t.Errorf("due %v after the first", at-start)
	}
	r.kept(c, 4, "")
	if at := r.s.NextDeadline(); at != r.now {
		t.Errorf("half of the window waits, due in %v", at-r.now)
	}
	if up, _ := r.wake(); up.Op != wire.OpAck || up.Seq != 4 {
		t.Errorf("said %+v", up)
	}
	r.kept(c, 5, "")
	if at := r.s.NextDeadline(); at != r.now+ackDelay {
		t.Errorf("due in %v", at-r.now)
	}
	if got := string(r.s.AppendAck(nil)); got != `{"t":"ack","seq":5}` || len(r.s.AppendAck(nil)) != 0 {
		t.Errorf("last word %s, and again", got)
	}
}

// What the application has not handled is not acknowledged, by no message.
func TestRule4OnlyWhatIsHandled(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e", 0)
	r.on(c, []byte(`{"t":"msg","seq":1,"ttl":1}`))
	for range 3 {
		if up, _ := r.wake(); up.Op != wire.OpHeartbeat || up.HasSeq {
			t.Fatalf("said %+v", up)
		}
	}
	r.wantQuery(fmt.Sprintf(ident, "e", 0))
	r.s.OnLost(c, r.now)
	r.s.Handled(r.now)
	r.wantQuery(fmt.Sprintf(ident, "e", 1))
	if e := r.kept(r.connect("e", 0), 1, ""); e.Kind != Nothing {
		t.Errorf("again: %+v", e)
	}
}

func TestRule5SpreadsAfterACut(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e", 0)
	r.good(c)
	want := 4662 * time.Millisecond // FNV-1a 32 of "dev-1" is 404524662, computed by another program
	next := r.s.OnLost(c, r.now)
	r.wantBetween(next, want, want)

	w := defaultWelcome("e", 0)
	w.Spread = 0
	c = r.welcome(w)
	r.good(c) // its answers say 7,500
	next = r.s.OnClosed(c, r.now, 1006, "")
	r.wantBetween(next, want, want)
}

func TestRule6BacksOff(t *testing.T) {
	for name, end := range map[string]func(r *rig) Next{
		"refused":   func(r *rig) Next { return r.s.OnDialFailed(r.s.Begin(), r.now, 0) },
		"cut early": func(r *rig) Next { return r.s.OnLost(r.s.Begin(), r.now) },
		"41xx":      func(r *rig) Next { return r.s.OnClosed(r.connect("e", 0), r.now, 4101, "full") },
		"1009":      func(r *rig) Next { return r.s.OnClosed(r.connect("e", 0), r.now, 1009, "") },
	} {
		t.Run(name, func(t *testing.T) {
			var most [12]time.Duration
			for seed := range uint64(200) {
				r := newRig(t, Saved{})
				r.s.random = seed
				for n := range most {
					next := end(r)
					limit := min(time.Second<<n, 120*time.Second)
					r.wantBetween(next, 0, limit)
					most[n] = max(most[n], next.After)
				}
			}
			for n, d := range most {
				if limit := min(time.Second<<n, 120*time.Second); d < limit*9/10 {
					t.Errorf("after %d failures at most %v of %v in 200 trials", n, d, limit)
				}
			}
		})
	}
}

func TestRule6AsTheWelcomeSays(t *testing.T) {
	r := newRig(t, Saved{})
	w := defaultWelcome("e", 0)
	w.Back = wire.Back{Base: 100, Max: 11_000}
	r.good(r.welcome(w))
	for n := range 300 {
		r.wantBetween(r.s.OnDialFailed(r.s.Begin(), r.now, 0), 0, min(100*time.Millisecond<<min(n, 10), 11*time.Second))
	}
}

// TestRule6AwayBeforeTheWelcome: who cannot read a Retry-After is told the same by an away, and then closed, or cut.
func TestRule6AwayBeforeTheWelcome(t *testing.T) {
	for name, end := range map[string]func(r *rig, c Conn) Next{
		"closed": func(r *rig, c Conn) Next { return r.s.OnClosed(c, r.now, 4101, "") },
		"lost":   func(r *rig, c Conn) Next { return r.s.OnLost(c, r.now) },
	} {
		r := newRig(t, Saved{})
		for range 10 { // whatever the backoff has come to
			c := r.s.Begin()
			if e := r.on(c, wire.AppendAway(nil, r.form, 4101, 8_000, "")); e.Kind != Away {
				t.Fatalf("%s: %+v", name, e)
			}
			r.now += time.Second
			r.wantBetween(end(r, c), 7*time.Second, 14*time.Second)
		}
		// It is of that dial alone.
		r.wantBetween(r.s.OnLost(r.s.Begin(), r.now), 0, 2*time.Minute)
		c := r.s.Begin()
		r.on(c, wire.AppendAway(nil, r.form, 4101, 100_000_000, ""))
		r.wantBetween(end(r, c), time.Hour, 2*time.Hour+time.Minute)
		// One that is planned has no place before a welcome.
		if e := r.on(r.s.Begin(), wire.AppendAway(nil, r.form, 4001, 8_000, "")); e.Kind != Dropped {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestRule6RetryAfterIsTheLeast(t *testing.T) {
	r := newRig(t, Saved{})
	next := r.s.OnDialFailed(r.s.Begin(), r.now, 30*time.Second)
	r.wantBetween(next, 30*time.Second, 31*time.Second)
	next = r.s.OnDialFailed(r.s.Begin(), r.now, 1<<62)
	r.wantBetween(next, time.Hour, time.Hour+2*time.Second)
	// It may be a slot: who comes much later has lost it, and would be refused ever more often.
	for range 20 {
		r.wantBetween(r.s.OnDialFailed(r.s.Begin(), r.now, 3*time.Second), 3*time.Second, 6*time.Second)
		r.wantBetween(r.s.OnDialFailed(r.s.Begin(), r.now, time.Millisecond), 0, time.Second+time.Millisecond)
	}
}

func TestRule7ForgetsFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		lives   time.Duration
		beats   bool
		forgets bool
	}{
		"short":                        {5 * time.Second, true, false},
		"long, no answer":              {30 * time.Second, false, false},
		"10 s and an answer":           {10 * time.Second, true, true},
		"an answer, and just too soon": {10*time.Second - 1, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Saved{})
			for range 6 {
				r.s.OnDialFailed(r.s.Begin(), r.now, 0)
			}
			c := r.connect("e", 0)
			r.s.beatAt = r.now + time.Second
			start := r.now
			if tt.beats {
				r.beat(c)
			}
			r.now = start + tt.lives
			r.s.OnClosed(c, r.now, 4101, "")
			if want := map[bool]uint8{true: 1, false: 7}[tt.forgets]; r.s.failures != want {
				t.Errorf("%d failures, want %d", r.s.failures, want)
			}
		})
	}
}

func TestRule8ComesBack(t *testing.T) {
	for _, tt := range []struct {
		code        uint16
		least, most time.Duration
	}{
		{4000, 0, 0}, {4001, 0, 0}, {4002, 0, 0}, {4003, 0, 0}, {4099, 0, 0},
		{4100, 0, time.Second}, {4101, 0, time.Second}, {4103, 0, time.Second}, {4105, 0, time.Second},
		{1002, 0, time.Second}, {1007, 0, time.Second}, {1009, 0, time.Second}, {4400, 0, time.Second}, {3000, 0, time.Second},
		{1000, 4662 * time.Millisecond, 4662 * time.Millisecond}, {1001, 4662 * time.Millisecond, 4662 * time.Millisecond},
		{1005, 4662 * time.Millisecond, 4662 * time.Millisecond}, {1012, 4662 * time.Millisecond, 4662 * time.Millisecond},
	} {
		r := newRig(t, Saved{})
		next := r.s.OnClosed(r.connect("e", 0), r.now, tt.code, "")
		r.wantBetween(next, tt.least, tt.most)
	}
}

func TestRule8Stops(t *testing.T) {
	for _, code := range []uint16{4200, 4203, 4302, 4303, 4304, 4305, 4399} {
		for name, during := range map[string]func(r *rig) Conn{
			"connected": func(r *rig) Conn { return r.connect("e", 0) },
			"dialing":   func(r *rig) Conn { return r.s.Begin() },
			"successor": func(r *rig) Conn { r.connect("e", 0); return r.s.Begin() },
			"replacing": func(r *rig) Conn { c := r.connect("e", 0); r.s.Begin(); return c },
		} {
			r := newRig(t, Saved{})
			next := r.s.OnClosed(during(r), r.now, code, "no")
			var stop *StopError
			if next.Do != Stop || !errors.As(next.Err, &stop) || stop.Code != code || stop.Reason != "no" {
				t.Errorf("%d, %s: %+v", code, name, next)
			}
			if r.s.NextDeadline() != never || !r.s.Stopped() || r.s.Current() != 0 {
				t.Errorf("%d, %s: goes on", code, name)
			}
			if out, next := r.s.OnTime(r.now+time.Hour, nil); len(out) > 0 || next != (Next{}) {
				t.Errorf("%d, %s: %q, %+v", code, name, out, next)
			}
		}
	}
}

func TestRule9Codes(t *testing.T) {
	if CloseBack != 4000 || CloseDone != 1000 {
		t.Error(CloseBack, CloseDone) // that they are sent: TestClientCloses
	}
}
