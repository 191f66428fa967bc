package window_test

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"
)

// meets is one call on slot 0 of a meter: an Observe of value in a lap, or a
// reading of it.
type meets struct {
	lap   int
	value uint64 // a power of two of its own, so that sums tell who is in them
	reads bool
	part  part
}

// part says what of an Observe is called. Sum and maximum know nothing of each
// other, so with three goroutines each is taken with the count alone: all steps of
// three whole calls are 18 million states (ROOST_STRESS).
type part int

const (
	whole part = iota
	sumOnly
	maxOnly
)

func (o meets) actor() actor {
	a := actor{name: fmt.Sprintf("observe %d in lap %d", o.value, o.lap), lap: o.lap}
	if o.reads {
		a.name = fmt.Sprintf("read lap %d", o.lap)
		a.call = func(m *memory) bool {
			m.meter.stats(epochOf(o.lap))
			return true
		}
		return a
	}
	a.call = func(m *memory) bool {
		s, lap := &m.meter.slots[0], lapOf(epochOf(o.lap))
		switch {
		case o.part == whole:
			return m.meter.Observe(epochOf(o.lap), o.value)
		case !record(&s.count, lap, 1):
			return false
		case o.part == sumOnly:
			s.addSum(lap, o.value)
		default:
			s.raiseMax(lap, o.value)
		}
		return true
	}
	return a
}

var meterScenarios = []struct {
	name  string
	calls []meets
	used  bool // lap 1 has a record of 8
	big   bool // only with ROOST_STRESS=1
}{
	{name: "one lap", calls: []meets{{lap: 1, value: 1}, {lap: 1, value: 2}}},
	{name: "two laps", calls: []meets{{lap: 1, value: 1}, {lap: 2, value: 2}}},
	{name: "two laps, three calls", calls: []meets{{lap: 1, value: 4}, {lap: 2, value: 1}, {lap: 2, value: 2}}, big: true},
	{name: "sum, turn together", calls: three(sumOnly, 1, 2, 2), big: true},
	{name: "sum, late", calls: three(sumOnly, 1, 1, 2), used: true},
	{name: "sum, three laps", calls: three(sumOnly, 1, 2, 3), used: true},
	{name: "max, turn together", calls: three(maxOnly, 1, 2, 2), big: true},
	{name: "max, late", calls: three(maxOnly, 1, 1, 2), used: true},
	{name: "max, three laps", calls: three(maxOnly, 1, 2, 3), used: true},
	{name: "lap 0 and before", calls: []meets{{lap: -1, value: 2}, {lap: 0, value: 1}}},
	{name: "laps alike in 24 bits", calls: []meets{{lap: 5, value: 1}, {lap: 4 + 1<<24, value: 2}}},
	{name: "read one lap", calls: []meets{{lap: 1, value: 1}, {lap: 1, value: 2}, {lap: 1, reads: true}}},
	{name: "read the lap before", calls: []meets{{lap: 1, value: 1}, {lap: 2, value: 2}, {lap: 1, reads: true}}},
	{name: "read the lap after", calls: []meets{{lap: 1, value: 1}, {lap: 2, value: 2}, {lap: 2, reads: true}}},
}

// three returns calls of a part in three laps; the first has the largest value.
func three(p part, laps ...int) (calls []meets) {
	for i, lap := range laps {
		calls = append(calls, meets{lap: lap, value: 4 >> i, part: p})
	}
	return calls
}

// TestMeterInterleavings: count, sum and maximum end as those of the same records,
// in every order of the steps; a reading counts every record whose value it has.
func TestMeterInterleavings(t *testing.T) {
	for _, sc := range meterScenarios {
		t.Run(sc.name, func(t *testing.T) {
			if sc.big && !stress() {
				t.Skip("many states: set ROOST_STRESS=1")
			}
			var actors []actor
			for _, o := range sc.calls {
				actors = append(actors, o.actor())
			}
			paths, states, trail, err := explore(meterBefore(sc.used), actors, func(s *state, end bool) error {
				return checkMeter(sc.calls, sc.used, s, end)
			})
			if err != nil {
				t.Fatalf("%v, after\n  %s", err, strings.Join(trail, "\n  "))
			}
			t.Logf("%.0f interleavings, %d states", paths, states)
		})
	}
}

// meterBefore returns a memory that is fresh, or has a record of 8 in lap 1.
func meterBefore(used bool) (m memory) {
	if used {
		l, slot := lapOf(epochOf(1)), &m.meter.slots[0]
		slot.count.v, slot.sum.v, slot.max.v = l|1, valueLap(l)|8, valueLap(l)|8
	}
	return m
}

func checkMeter(calls []meets, used bool, s *state, end bool) error {
	for i, o := range calls {
		if o.reads && s.actors[i].done {
			if got := readBack(o, s, i); bits.OnesCount64(got.Sum) > int(got.Count) || got.Max&^got.Sum != 0 {
				return fmt.Errorf("read count %d, sum %b, max %b", got.Count, got.Sum, got.Max)
			}
		}
	}
	if !end {
		return nil
	}
	slot := &s.mem.meter.slots[0]
	if meterLinearizes(calls, used, s, slot, nil) {
		return nil
	}
	return fmt.Errorf("ends with count %x, sum %x, max %x: no order of the calls explains it",
		slot.count.v, slot.sum.v, slot.max.v)
}

// readBack runs a reading that has ended again from its log.
func readBack(o meets, s *state, i int) Stats {
	the = machine{log: s.actors[i].log}
	return new(Meter).stats(epochOf(o.lap))
}

// meterLinearizes tries every order of the calls, as linearizes does.
func meterLinearizes(calls []meets, used bool, s *state, slot *meterSlot, order []int) bool {
	if len(order) == len(calls) {
		return meterReplay(calls, used, s, slot, order)
	}
	var have uint32
	for _, i := range order {
		have |= 1 << i
	}
	for i := range calls {
		if have&(1<<i) == 0 && s.actors[i].after&^have == 0 {
			if meterLinearizes(calls, used, s, slot, append(order, i)) {
				return true
			}
		}
	}
	return false
}

// meterReplay makes the calls in order on the plainest meter there is. Readings
// are not part of the order: they look at three words at three instants.
func meterReplay(calls []meets, used bool, s *state, slot *meterSlot, order []int) bool {
	var now Stats
	lap, fresh := 0, true
	if used {
		lap, fresh, now = 1, false, Stats{Count: 1, Sum: 8, Max: 8}
	}
	for _, i := range order {
		o := calls[i]
		if o.reads {
			continue
		}
		ok := fresh || o.lap >= lap
		if ok != s.actors[i].ok {
			return false
		}
		if !ok {
			continue
		}
		if fresh || o.lap > lap {
			lap, fresh, now = o.lap, false, Stats{}
		}
		now.Count++
		now.Sum += o.value
		now.Max = max(now.Max, o.value)
	}
	l := lapOf(epochOf(lap))
	part := calls[0].part
	return slot.count.v == l|now.Count &&
		(part == maxOnly || slot.sum.v == valueLap(l)|now.Sum) &&
		(part == sumOnly || slot.max.v == valueLap(l)|now.Max)
}
