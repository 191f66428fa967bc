package swarm

import (
	"testing"
	"time"

	"roost/loadgen/scenario"
)

// TestRampWakesForItsOwn: a worker's next dial is its own client's; those of
// others before it are passed over, however many workers there are.
func TestRampWakesForItsOwn(t *testing.T) {
	const workers, rate = 54, 1000
	spec := &scenario.Phase{Ramp: &scenario.Ramp{To: 10 * workers, Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: rate}}}
	s := &scenario.Scenario{Phases: []scenario.Phase{*spec}}
	for _, me := range []int{0, 1, 53} {
		ramp, _ := Dials(s, 0)
		twin, _ := Dials(s, 0)
		w := &Worker{cfg: Config{Worker: me, Workers: workers}, dials: dials{ramp: ramp, end: 1 << 60, goal: 10 * workers}}
		for n := range uint32(10 * workers) {
			due, _ := twin.Peek()
			twin.Next()
			if n%workers != uint32(me) {
				continue
			}
			if at, ok := w.rampDue(); !ok || time.Duration(at) != due {
				t.Fatalf("worker %d: next at %v, %v; its client %d is due at %v", me, time.Duration(at), ok, n, due)
			}
			w.dials.ramp.Next()
			w.dials.next++
		}
		if at, ok := w.rampDue(); ok {
			t.Errorf("worker %d: one more at %v", me, time.Duration(at))
		}
	}
}
