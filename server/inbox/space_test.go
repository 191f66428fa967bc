package inbox

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"roost/server/inbox/journal/diskfault"
)

// TestFullDiskOfOurs: a disk that the log alone has filled takes messages again
// when devices have acknowledged, although the log is smaller than it may be on
// a larger one. Nobody else makes room, and nothing is begun anew.
func TestFullDiskOfOurs(t *testing.T) {
	const total = 6 << 20
	d := diskfault.New()
	d.Limit(total, syscall.ENOSPC)
	space := func() (Space, error) { return Space{total, total - d.Used()}, nil }
	clock := newClock()
	f, _, err := OpenFile(FileOptions{FS: d, Manual: true, Now: clock.now, Space: space})
	if err != nil {
		t.Fatal(err)
	}
	m := &manual{t: t, File: f, disk: d, clock: clock}
	const devices = 16
	var sessions [devices]Opened
	for i := range sessions {
		sessions[i] = m.open(fmt.Sprint("d", i))
	}
	for round := range 4 {
		stored := 0
		for _, size := range []int{60 << 10, 1} { // the last bytes go to small ones
			for failed, n := 0, 0; failed < 3 && n < 20_000; n++ {
				p := &Put{Device: fmt.Sprint("d", n%devices), Message: &Message{TTL: 3600, Payload: []byte(strings.Repeat("x", size))}}
				c := m.do(p)
				switch {
				case c.Err != nil && !errors.Is(c.Err, ErrFull):
					t.Fatal(c.Err)
				case c.Err != nil:
					failed++
				case p.Verdict == Stored:
					stored++
				}
			}
		}
		if stored < 20 {
			t.Fatalf("round %d: nothing waited, and %d messages filled the disk: %+v", round, stored, m.journal.Segments())
		}
		for i, o := range sessions {
			info, _ := m.Lookup([]byte(fmt.Sprint("d", i)))
			m.Ack(o.Ref, o.Fence, info.Last)
		}
		m.Tick()
		for range 100 {
			m.Step()
		}
		if problems := m.Check(); len(problems) > 0 || m.Counts().InFlight != 0 {
			t.Fatalf("round %d: %v, %+v", round, problems, m.Counts())
		}
	}
}

// TestReserve: what makes messages superfluous is stored when messages are not
// any more.
func TestReserve(t *testing.T) {
	free := int64(1 << 40)
	m := newManual(t, diskfault.New(), newClock())
	m.room = room{ask: func() (Space, error) { return Space{1 << 40, free}, nil }, reserve: 1 << 20}
	o := m.open("a")
	m.put("a", "m1", 10)
	free = 1<<20 - 1
	if c := m.do(&Put{Device: "a", Message: &Message{TTL: 60}}, &Subscription{Ref: o.Ref, Topic: "t", On: true}); !errors.Is(c.Err, ErrFull) {
		t.Errorf("a message: %v", c.Err)
	}
	for _, op := range []Op{&Spread{Message: &Message{TTL: 60}}, &Latest{Topic: "t", Message: &Message{TTL: 60}}} {
		if c := m.do(op); !errors.Is(c.Err, ErrFull) {
			t.Errorf("%T: %v", op, c.Err)
		}
	}
	m.Ack(o.Ref, o.Fence, 1)
	sub, clear, removal := &Subscription{Ref: o.Ref, Topic: "t", On: true}, &Latest{Topic: "t"}, &Removal{Device: "b"}
	for _, op := range []Op{sub, clear, removal} {
		if c := m.do(op); c.Err != nil {
			t.Errorf("%T: %v", op, c.Err)
		}
	}
	m.Tick()
	m.Step()
	m = m.again()
	if i, _ := m.Lookup([]byte("a")); i.Acked != 1 || len(i.Topics) != 1 {
		t.Errorf("after a restart: %+v", i)
	}
}

// TestSegments: the log of a small disk is in small files.
func TestSegments(t *testing.T) {
	for total, want := range map[int64]int64{0: 1 << 20, 24 << 20: 1 << 20, 1 << 30: 32 << 20, 1 << 40: 64 << 20} {
		if got := segmentFor(Space{Total: total}); got != want {
			t.Errorf("%d: %d, want %d", total, got, want)
		}
	}
	if s, err := SpaceOf(t.TempDir()); err != nil || s.Total <= 0 || s.Free < 0 || s.Free > s.Total {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestFailuresLeaveNothing: what is tried for a new device on a disk that does not
// write leaves no trace but one, and the device is stored in the end.
func TestFailuresLeaveNothing(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.open("a")
	m.disk.Fail(diskfault.OpWrite, 0, 1000, syscall.ENOSPC)
	for range 100 {
		if c := m.do(&Put{Device: "a", Message: &Message{TTL: 60}}); !errors.Is(c.Err, ErrFull) {
			t.Fatal(c.Err)
		}
	}
	if n := len(m.x.fresh); n != 1 {
		t.Errorf("%d devices are to be stored, there is one", n)
	}
	m.Tick()
	m.Step()
	m.disk.Fail(diskfault.OpWrite, 0, 0, nil)
	m.Tick()
	m.Step()
	m = m.again()
	if _, known := m.Lookup([]byte("a")); !known {
		t.Error("it was never stored")
	}
}
