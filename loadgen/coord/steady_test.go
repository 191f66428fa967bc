package coord

import (
	"math/rand/v2"
	"strings"
	"testing"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// TestSteady: what rises is named, what only scatters is not, and of few points
// nothing is said.
func TestSteady(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	point := func(phase, i int, p50 int64, grow float64) result.Point {
		return result.Point{Phase: phase, P50: p50, ServerCPU: 1 + rnd.Float64()/10, ServerRSS: int64(1e8 * (1 + grow*float64(i)))}
	}
	var res result.Result
	for i := range 30 {
		res.Series = append(res.Series, point(0, i, int64(1e6+rnd.Float64()*1e5), 0), point(1, i, 0, .02))
		if i < 9 {
			res.Series = append(res.Series, point(2, i, 1e6, .5))
		}
		res.Series = append(res.Series, point(3, i, tally.MissValue, 0))
	}
	for range 5 {
		res.Phases = append(res.Phases, result.Phase{Servers: make([]result.ServerUse, 2)})
	}
	steady(&res)
	for i, want := range []string{"steady: p50, CPU, memory", "not steady over the phase: memory +", "", "steady: CPU, memory", ""} {
		for _, u := range res.Phases[i].Servers {
			if want == "" && u.Steady != "" || !strings.HasPrefix(u.Steady, want) || strings.Contains(u.Steady, "CPU +") {
				t.Errorf("phase %d: %q, want %q", i, u.Steady, want)
			}
		}
	}
}
