package client

import (
	"testing"
	"time"

	"roost/server/wire"
)

func TestHeartbeats(t *testing.T) {
	first := map[time.Duration]bool{}
	for seed := range uint64(100) {
		r := newRig(t, Saved{})
		r.s.random = seed
		c := r.connect("e", 5)
		start := r.now
		up, _ := r.wake()
		if up.Op != wire.OpHeartbeat || up.Seq != 5 || r.now-start >= 55*time.Second {
			t.Fatalf("after %v: %+v", r.now-start, up)
		}
		first[r.now-start] = true
		for range 5 {
			before := r.now
			r.on(c, wire.AppendHeartbeat(nil, r.form, 7_500, 0, wire.Ring{}))
			if up, _ := r.wake(); up.Op != wire.OpHeartbeat || r.now-before != 55*time.Second {
				t.Fatalf("after %v: %+v", r.now-before, up)
			}
		}
	}
	if len(first) < 90 {
		t.Errorf("only %d times for the first", len(first))
	}
}

func TestSilenceIsTheEnd(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e", 0)
	start := r.now
	next := r.until()
	if r.now != start+55*time.Second*3/2 || next.Drop != c || next.Err != ErrSilent {
		t.Fatalf("after %v: %+v", r.now-start, next)
	}
	r.wantBetween(next, 4662*time.Millisecond, 4662*time.Millisecond)

	// What a successor says is no sign of life of the old connection.
	old := r.connect("e", 0)
	start = r.now
	r.away(old, 60*time.Second, "")
	r.until()
	successor := r.s.Begin()
	r.now += 20 * time.Second
	r.s.Heard(successor, r.now)
	if next := r.until(); next.Drop != old || next.Do != Wait || r.now != start+55*time.Second*3/2 {
		t.Fatalf("got %+v", next)
	}
	r.now += 5 * time.Second

	// Any sign of life counts, and while the application is busy nobody reads.
	c = r.connect("e", 0)
	r.now += 80 * time.Second
	r.s.Heard(c, r.now)
	r.now += 80 * time.Second
	if _, next := r.s.OnTime(r.now, nil); next != (Next{}) {
		t.Fatalf("heard 80 s ago: %+v", next)
	}
	r.on(c, []byte(`{"t":"msg"}`))
	r.now += time.Hour
	if _, next := r.s.OnTime(r.now, nil); next != (Next{}) {
		t.Fatalf("while the application is busy: %+v", next)
	}
	r.s.Handled(r.now)
	if _, next := r.s.OnTime(r.now, nil); next != (Next{}) {
		t.Fatalf("before anything was read: %+v", next)
	}
}

func TestMessagesThatBreakTheProtocol(t *testing.T) {
	for name, msg := range map[string]string{
		"not JSON":         `{"t":`,
		"second welcome":   string(wire.AppendWelcome(nil, wire.JSON, &wire.Welcome{SID: []byte(testSID), Epoch: "e"})),
		"number too large": `{"t":"msg","seq":9007199254740992,"ttl":1}`,
		"skip too large":   `{"t":"skip","to":9007199254740992}`,
	} {
		r := newRig(t, Saved{})
		c := r.connect("e", wire.MaxSeq-100)
		r.s.seq = wire.MaxSeq
		if e := r.on(c, []byte(msg)); e.Kind != Dropped || e.Next.Drop != c || e.Next.Err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for name, change := range map[string]func(*wire.Welcome){
		"no sid":      func(w *wire.Welcome) { w.SID = nil },
		"sid":         func(w *wire.Welcome) { w.SID = []byte("0123456789ABCDEF") },
		"no epoch":    func(w *wire.Welcome) { w.Epoch = "" },
		"acked > seq": func(w *wire.Welcome) { w.Acked = w.Seq + 1 },
		"seq":         func(w *wire.Welcome) { w.Seq = 1 << 53 },
	} {
		r := newRig(t, Saved{})
		w := defaultWelcome("e", 0)
		change(&w)
		c := r.s.Begin()
		if e := r.on(c, wire.AppendWelcome(nil, r.form, &w)); e.Kind != Dropped || e.Next.Drop != c {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestUnknownIsIgnored(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.s.Begin()
	for range 2 {
		if e := r.on(c, []byte(`{"t":"dance"}`)); e.Kind != Nothing {
			t.Fatalf("got %+v", e)
		}
		w := defaultWelcome("e", 0)
		r.on(c, wire.AppendWelcome(nil, r.form, &w))
		if r.s.Current() != c {
			break
		}
	}
}

// A welcome with absurd numbers does not make a device spin or sleep.
func TestWelcomeIsBounded(t *testing.T) {
	for _, n := range []int{0, 1, 1<<31 - 1} {
		r := newRig(t, Saved{})
		r.welcome(wire.Welcome{SID: []byte(testSID), Epoch: "e", Heartbeat: n, Spread: n, Win: n, Back: wire.Back{Base: n, Max: n}})
		s := &r.s
		if s.beat < leastBeat || s.beat > mostBeat || s.spread > mostWait || s.base < leastBase || s.most < max(s.base, leastMost) || s.most > mostWait {
			t.Errorf("%d: %+v", n, s)
		}
	}
}
