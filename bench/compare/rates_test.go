package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"roost/loadgen/result"
)

// TestVerdictErrorRates: how often a comparison of ten pairs, with one primary
// and twelve secondary metrics, says that something is different when nothing
// is, and what it misses; the machine is that of package stats. The numbers are
// in the package comment.
func TestVerdictErrorRates(t *testing.T) {
	const experiments, pairs = 400, 10
	count := func(effect float64) (regressed, improved, inconclusive float64) {
		for i := range experiments {
			random := rand.New(rand.NewPCG(uint64(i), math.Float64bits(effect)))
			tab := &table{kinds: map[string]*result.Metric{}, a: map[string][]float64{}, b: map[string][]float64{}}
			speed := 0.0
			names := append([]string{"server.cpu_per_msg"}, secondary[1:13]...)
			for pair := range pairs {
				for k := range 2 {
					speed += 0.02 * random.NormFloat64()
					for _, name := range names {
						tab.kinds[name] = &result.Metric{Name: name, Unit: "B/conn", Better: "lower"}
						v := math.Exp(speed + 0.015*random.NormFloat64())
						if k == pair%2 {
							tab.a[name] = append(tab.a[name], v)
						} else {
							if name == names[0] {
								v *= 1 + effect
							}
							tab.b[name] = append(tab.b[name], v)
						}
					}
				}
			}
			c := &Comparison{Paired: true, A: SideInfo{Runs: make([]RunInfo, pairs)}, B: SideInfo{Runs: make([]RunInfo, pairs)}}
			for k := range c.A.Runs {
				c.A.Runs[k] = RunInfo{File: fmt.Sprint(k), Verdict: result.Valid}
				c.B.Runs[k] = c.A.Runs[k]
			}
			tab.order = names
			c.rows(tab, names[0], &Options{Alpha: 0.05})
			c.conclude()
			switch c.Verdict {
			case Regressed:
				regressed++
			case Improved:
				improved++
			case Inconclusive:
				inconclusive++
			}
		}
		return regressed / experiments, improved / experiments, inconclusive / experiments
	}
	regressed, improved, inconclusive := count(0)
	t.Logf("no difference: regressed %.1f %%, improved %.1f %%, inconclusive %.0f %%", 100*regressed, 100*improved, 100*inconclusive)
	if regressed > 0.05 || improved > 0.05 {
		t.Error("more false alarms than stated")
	}
	regressed, improved, inconclusive = count(0.03)
	t.Logf("+3 %%: regressed %.1f %%, improved %.1f %%, inconclusive %.0f %%", 100*regressed, 100*improved, 100*inconclusive)
	if regressed < 0.68 || improved > 0.01 {
		t.Error("less power than stated")
	}
}
