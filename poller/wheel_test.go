package poller

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// slowWheel is what wheel has to be like: a map of deadlines.
type slowWheel struct {
	deadlines map[uint32]uint32
	now       uint32
}

func (w *slowWheel) set(slot, tick uint32) { w.deadlines[slot] = max(tick, w.now+1) }

func (w *slowWheel) clear(slot uint32) { delete(w.deadlines, slot) }

// earliest returns the first deadline.
func (w *slowWheel) earliest() (tick uint32, ok bool) {
	tick = math.MaxUint32
	for _, d := range w.deadlines {
		tick, ok = min(tick, d), true
	}
	return tick, ok
}

// tickGen draws distances that matter: near, around a turn of the wheel and a
// multiple of it, far beyond.
func tickGen() *rapid.Generator[uint32] {
	return rapid.OneOf(
		rapid.Uint32Range(0, 70),
		rapid.Uint32Range(wheelSize-3, wheelSize+3),
		rapid.Uint32Range(2*wheelSize-2, 2*wheelSize+2),
		rapid.Uint32Range(0, 10*wheelSize),
		rapid.Uint32Range(1<<20, 1<<29),
	)
}

// TestWheelIsLikeTheMap drives both with the same calls. What fires sets and
// clears deadlines of itself and of others.
func TestWheelIsLikeTheMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var fast wheel
		slow := slowWheel{deadlines: map[uint32]uint32{}}
		slots := rapid.SampledFrom([]uint32{1, 3, 40, 3000}).Draw(t, "slots")
		slotGen := rapid.Uint32Range(0, slots-1)
		act := func(now uint32) { // one change in both
			slot := slotGen.Draw(t, "slot")
			if rapid.IntRange(0, 3).Draw(t, "op") == 0 {
				fast.clear(slot)
				slow.clear(slot)
				return
			}
			tick := now + tickGen().Draw(t, "in")
			fast.set(slot, tick)
			slow.set(slot, tick)
		}
		check := func() {
			first, want := slow.earliest()
			next, ok := fast.next()
			if ok != want {
				t.Fatalf("next: %v, deadlines are set: %v", ok, want)
			}
			if ok && (next > first || next <= fast.now) {
				t.Fatalf("next looks at %d, earliest deadline is %d, now %d", next, first, fast.now)
			}
		}
		now := rapid.Uint32Range(0, 1<<29).Draw(t, "start")
		fast.advance(now, func(uint32) { t.Fatal("fired in an empty wheel") })
		slow.now = now
		for range rapid.IntRange(1, 30).Draw(t, "rounds") {
			for range rapid.IntRange(0, 8).Draw(t, "changes") {
				act(now)
				check()
			}
			to := now + tickGen().Draw(t, "advance")
			budget := rapid.IntRange(0, 20).Draw(t, "changes while firing")
			fired := 0
			fast.advance(to, func(slot uint32) {
				d, ok := slow.deadlines[slot]
				if !ok || d > to {
					t.Fatalf("slot %d fired at %d: deadline %d, set %v", slot, to, d, ok)
				}
				if fired++; fired > int(slots)+20 {
					t.Fatal("fires without end")
				}
				slow.clear(slot)
				slow.now = fast.now // a tick that has passed goes to the next one
				if d != fast.now {
					t.Fatalf("slot %d fired when the wheel was at %d: deadline %d", slot, fast.now, d)
				}
				for range rapid.IntRange(0, 2).Draw(t, "n") {
					if budget > 0 {
						budget--
						act(to)
					}
				}
			})
			now, slow.now = to, to
			for slot, d := range slow.deadlines {
				if d <= to {
					t.Fatalf("slot %d: deadline %d has not fired at %d", slot, d, to)
				}
			}
			check()
		}
		for slot := range slow.deadlines {
			fast.clear(slot)
		}
		if at, ok := fast.next(); ok {
			t.Fatalf("cleared and still busy at %d", at)
		}
	})
}

// TestWheelTickThatHasPassed is set for the past: it fires at the next tick.
func TestWheelTickThatHasPassed(t *testing.T) {
	var w wheel
	w.advance(100, nil)
	w.set(3, 7)
	if next, ok := w.next(); next != 101 || !ok {
		t.Errorf("next is %d, %v", next, ok)
	}
	var fired []uint32
	w.advance(100, func(slot uint32) { fired = append(fired, slot) })
	w.advance(101, func(slot uint32) { fired = append(fired, slot) })
	if !slices.Equal(fired, []uint32{3}) {
		t.Errorf("fired %v", fired)
	}
}

// TestFarDeadlines: the tick of a deadline must not wrap, however far it is.
func TestFarDeadlines(t *testing.T) {
	l := &Loop{now: int64(7 * 365 * 24 * time.Hour)}
	last := uint32(0)
	for _, d := range []time.Duration{1, time.Second, time.Hour, 10000 * time.Hour, maxDeadline, math.MaxInt64} {
		tick := l.tickAfter(d)
		if tick < last || int64(tick)*int64(tickLength) < l.now {
			t.Errorf("tick of %s is %d, before %d", d, tick, last)
		}
		last = tick
	}
}

// TestDeadlines on a connection: fires once, not before its time, can be set
// again in Timeout, cleared and moved.
func TestDeadlines(t *testing.T) {
	type fire struct {
		n    int
		when time.Duration
	}
	fires := make(chan fire, 16)
	var set time.Duration // all on the loop
	n := 0
	p := start(t, Options{}, &script{
		open: func(c Conn) {
			set = c.Loop().Now()
			c.SetDeadline(time.Hour)
			c.SetDeadline(300 * time.Millisecond) // moved
		},
		timeout: func(c Conn) {
			n++
			fires <- fire{n, c.Loop().Now() - set}
			if n == 1 {
				set = c.Loop().Now()
				c.SetDeadline(1)
			}
		},
	})
	nc := dialTo(t, p)
	if f := recv(t, "first deadline", fires); f.when < 300*time.Millisecond {
		t.Errorf("fired after %s", f.when)
	}
	if f := recv(t, "second deadline", fires); f.n != 2 || f.when <= 0 {
		t.Errorf("fire %d after %s", f.n, f.when)
	}
	do(t, p.Loops()[0], func(l *Loop) {
		if at, ok := l.wheel.next(); ok {
			t.Errorf("a deadline is left: %d", at)
		}
		c := l.Conn(makeHandle(0, 0, 1))
		c.SetDeadline(time.Hour)
		c.SetDeadline(0)
		if _, ok := l.wheel.next(); ok {
			t.Error("cleared deadline is left")
		}
		c.SetDeadline(time.Hour)
	})
	nc.Close() // takes its deadline with it; start's cleanup looks
	await(t, "closed", func() bool { return p.Conns() == 0 })
}
