package window_test

import (
	"fmt"
	"strings"
	"testing"
)

// epochOf returns the epoch of slot 0 in a lap.
func epochOf(lap int) Epoch { return Epoch(lap * Ring) }

// adds is an actor that counts n records in a lap.
func adds(lap int, n uint32) actor {
	return actor{
		name: fmt.Sprintf("add %d to lap %d", n, lap), lap: lap, n: uint64(n),
		call: func(m *memory) bool { return m.counter.Add(epochOf(lap), n) },
	}
}

// incs is an actor that calls Inc, which has the quick way written out.
func incs(lap int) actor {
	a := adds(lap, 1)
	a.name = fmt.Sprintf("inc in lap %d", lap)
	a.call = func(m *memory) bool { return m.counter.Inc(epochOf(lap)) }
	return a
}

// plain is an actor of the scheme that one finds first: look, add, verify, and
// subtract what went to a later lap.
func plain(lap int, n uint64) actor {
	a := adds(lap, uint32(n))
	a.call = func(m *memory) bool {
		w, mine := &m.counter.words[0], lapOf(epochOf(lap))
		for {
			v := w.Load()
			switch {
			case in(v, mine):
				if in(w.Add(n), mine) {
					return true
				}
				w.Add(-n)
				return false
			case later(v, mine):
				return false
			case w.CompareAndSwap(v, mine|n):
				return true
			}
		}
	}
	return a
}

// scenario is some actors and the count of lap 1 before them, or a fresh word.
type scenario struct {
	name   string
	before uint64
	actors []actor
	big    bool // only with ROOST_STRESS=1: seconds, in part minutes
}

var scenarios = []scenario{
	{name: "one lap", actors: []actor{adds(1, 1), adds(1, 10), adds(1, 100)}},
	{name: "fresh, lap 0", actors: []actor{adds(0, 1), adds(0, 10), adds(0, 100)}},
	{name: "fresh, two laps", actors: []actor{adds(1, 1), adds(2, 10), adds(2, 100)}},
	{name: "fresh, before the origin", actors: []actor{adds(-2, 1), adds(-1, 10), adds(0, 100)}},
	{name: "turn together", before: 5, actors: []actor{adds(2, 1), adds(2, 10), adds(2, 100)}},
	{name: "late by one lap", before: 5, actors: []actor{adds(1, 1), adds(1, 10), adds(2, 100)}},
	{name: "late by two laps", before: 5, actors: []actor{adds(1, 10), adds(2, 1), adds(3, 100)}},
	{name: "late by two laps, inc", before: 5, actors: []actor{incs(1), incs(2), incs(3)}},
	{name: "two late, two turns", before: 5, actors: []actor{adds(1, 10), adds(1, 1000), adds(2, 1), adds(3, 100)}, big: true},
	{name: "four laps", before: 5, actors: []actor{adds(1, 1000), adds(2, 100), adds(3, 10), adds(4, 1)}, big: true},
	{name: "by compare-and-swap", before: 5, actors: []actor{adds(1, maxQuick), adds(2, 2*maxQuick), adds(3, 4*maxQuick)}},
	{name: "quick and slow", before: 5, actors: []actor{adds(1, 7), adds(1, maxQuick), adds(2, 3), adds(2, 2*maxQuick)}},
	{name: "full", before: MaxCount - 2, actors: []actor{adds(1, 3), adds(1, 1), adds(1, maxQuick)}},
	{name: "full, and a late one", before: MaxCount, actors: []actor{adds(0, 3), adds(1, 5), adds(1, maxQuick)}},
	{name: "four inc", before: 5, actors: []actor{incs(1), incs(2), incs(3), incs(2)}, big: true},
}

// TestInterleavings: in every order of the atomic steps of some calls, the word
// ends with exactly the records of the last lap, refused are only those that a
// later lap has overtaken, and no state on the way is out of bounds.
func TestInterleavings(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			if sc.big && !stress() {
				t.Skip("many states: set ROOST_STRESS=1")
			}
			paths, states, trail, err := explore(before(sc.before), sc.actors, checkWord(sc))
			if err != nil {
				t.Fatalf("%v, after\n  %s", err, strings.Join(trail, "\n  "))
			}
			t.Logf("%.0f interleavings, %d states", paths, states)
		})
	}
}

// TestInterleavingsFindThePlainScheme: the enumeration finds what is wrong with an
// undo that subtracts without a look.
func TestInterleavingsFindThePlainScheme(t *testing.T) {
	sc := scenario{before: 5, actors: []actor{plain(1, 10), plain(2, 1), plain(3, 100)}}
	_, _, trail, err := explore(before(sc.before), sc.actors, checkWord(sc))
	if err == nil {
		t.Fatal("a late writer that sleeps for a lap before it subtracts has hurt nobody")
	}
	t.Logf("found: %v, after\n  %s", err, strings.Join(trail, "\n  "))
}

// before returns a memory whose slot 0 has the given count in lap 1.
func before(count uint64) (m memory) {
	if count > 0 {
		m.counter.words[0].v = lapOf(epochOf(1)) | count
	}
	return m
}

// checkWord returns the check of a scenario's states.
func checkWord(sc scenario) func(s *state, end bool) error {
	return func(s *state, end bool) error {
		v := s.mem.counter.words[0].v
		if !end {
			return checkBounds(sc, s, v)
		}
		return checkEnd(sc, s, v)
	}
}

// checkBounds: the count that a reader finds now is at least what has been
// accepted for its lap, and at most that and what is in flight.
func checkBounds(sc scenario, s *state, v uint64) error {
	if v&open == 0 {
		return nil // no lap yet: a reader takes it for empty
	}
	var least, flight uint64
	known := false
	if sc.before > 0 && in(v, lapOf(epochOf(1))) {
		known, least = true, sc.before
	}
	for i, a := range sc.actors {
		p := &s.actors[i]
		switch {
		case p.inFlight():
			flight += a.n
			known = known || in(v, lapOf(epochOf(a.lap)))
		case p.done && p.ok && in(v, lapOf(epochOf(a.lap))):
			known = true
			least += a.n
		}
	}
	count := v & countMask
	most := least + flight
	if most > MaxCount {
		// Near MaxCount who takes back may take a little of others for a moment,
		// and who adds overshoots.
		least, most = min(least, MaxCount)-flight, MaxCount+flight
	}
	if !known || count < least || count > most {
		return fmt.Errorf("word shows lap %d with %d: want %d to %d", v>>32, count, least, most)
	}
	return nil
}

// checkEnd: some order of the calls, one after the other, that respects which
// ended before which began, gives the same answers and the same word.
func checkEnd(sc scenario, s *state, v uint64) error {
	order := make([]int, 0, len(sc.actors))
	if linearizes(sc, s, v, order) {
		return nil
	}
	out := fmt.Sprintf("word ends as lap %d with %d", int32(v>>32), v&countMask)
	for i, a := range sc.actors {
		out += fmt.Sprintf("; %s: %v", a.name, s.actors[i].ok)
	}
	return fmt.Errorf("%s: no order of the calls explains it", out)
}

// linearizes tries every order that begins with the given one.
func linearizes(sc scenario, s *state, v uint64, order []int) bool {
	if len(order) == len(sc.actors) {
		return replay(sc, s, v, order)
	}
	var have uint32
	for _, i := range order {
		have |= 1 << i
	}
	for i := range sc.actors {
		if have&(1<<i) == 0 && s.actors[i].after&^have == 0 {
			if linearizes(sc, s, v, append(order, i)) {
				return true
			}
		}
	}
	return false
}

// replay makes the calls in order on the plainest counter there is.
func replay(sc scenario, s *state, v uint64, order []int) bool {
	lap, count, fresh := 1, sc.before, sc.before == 0
	for _, i := range order {
		a := sc.actors[i]
		ok := true
		switch {
		case fresh || a.lap > lap:
			lap, count, fresh = a.lap, a.n, false
		case a.lap == lap:
			count = min(count+a.n, MaxCount)
		default:
			ok = false
		}
		if ok != s.actors[i].ok {
			return false
		}
	}
	return v == lapOf(epochOf(lap))|count
}
