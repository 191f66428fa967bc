package explain

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"roost/bench/cpuprofile"
)

// Function is what one function costs on both sides, in ns per message, or as a
// share of all CPU if the messages' cost is not known.
type Function struct {
	Name   string  `json:"function"`
	OwnA   float64 `json:"own_a"`
	OwnB   float64 `json:"own_b"`
	WholeA float64 `json:"whole_a"`
	WholeB float64 `json:"whole_b"`
	Change float64 `json:"change"` // OwnB - OwnA
	Error  float64 `json:"error"`  // of Change, 95 %
}

// Beyond says that the change is more than counting errors.
func (f *Function) Beyond() bool { return math.Abs(f.Change) > f.Error }

// profiled is a profile with what a message cost in its run.
type profiled struct {
	profile *cpuprofile.Profile
	cost    float64 // ns per message; 1 if it is not known
}

// costs is what functions cost on one side, by name.
type costs struct {
	own, whole map[string]float64
	variance   map[string]float64 // of own
}

// add adds up one profile with a weight.
func (c *costs) add(p profiled, weight float64) error {
	total := p.profile.CPU()
	if total <= 0 {
		return errors.New("a profile without samples: the server did nothing while it was taken")
	}
	unit := p.cost / float64(total) * weight
	for _, s := range p.profile.Samples {
		v := float64(s.CPU)
		seen := map[string]bool{}
		for i, name := range s.Stack {
			if i == 0 {
				c.own[name] += v * unit
				c.variance[name] += v * float64(p.profile.Period) * unit * unit // v/period samples, of period each
			}
			if !seen[name] {
				seen[name] = true
				c.whole[name] += v * unit
			}
		}
	}
	return nil
}

// sideCosts is the mean over a side's profiles.
func sideCosts(ps []profiled) (costs, error) {
	c := costs{own: map[string]float64{}, whole: map[string]float64{}, variance: map[string]float64{}}
	for i, p := range ps {
		if err := c.add(p, 1/float64(len(ps))); err != nil {
			return c, fmt.Errorf("profile %d: %w", i+1, err)
		}
	}
	return c, nil
}

// compareFunctions lists all functions: first those whose change is beyond its
// error, then the rest, the largest change first.
func compareFunctions(a, b []profiled) ([]Function, error) {
	ca, err := sideCosts(a)
	if err != nil {
		return nil, fmt.Errorf("side A: %w", err)
	}
	cb, err := sideCosts(b)
	if err != nil {
		return nil, fmt.Errorf("side B: %w", err)
	}
	names := map[string]bool{}
	for _, m := range []map[string]float64{ca.whole, cb.whole} {
		for name := range m {
			names[name] = true
		}
	}
	var list []Function
	for name := range names {
		f := Function{Name: name, OwnA: ca.own[name], OwnB: cb.own[name], WholeA: ca.whole[name], WholeB: cb.whole[name]}
		f.Change = f.OwnB - f.OwnA
		f.Error = 1.96 * math.Sqrt(ca.variance[name]+cb.variance[name])
		list = append(list, f)
	}
	slices.SortFunc(list, func(x, y Function) int {
		if x.Beyond() != y.Beyond() {
			if x.Beyond() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(math.Abs(y.Change), math.Abs(x.Change)), cmp.Compare(x.Name, y.Name))
	})
	return list, nil
}
