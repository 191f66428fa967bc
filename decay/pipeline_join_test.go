package decay

import (
	"math"
	"testing"
	"time"
)

func TestJoinCap(t *testing.T) {
	p, nodes := even(t, 19, Settings{JoinCap: 1.5})
	n, err := p.Add(0, "new", 3)
	if err != nil {
		t.Fatal(err)
	}
	if w := p.Weight(n); w != 3 {
		t.Errorf("at once a joiner has %v, want the mean, 3 x 1", w)
	}
	at := func(now time.Duration) float64 {
		for _, m := range nodes {
			p.Put(m, usual(now))
		}
		p.Put(n, Sample{At: now})
		p.Step(now)
		return p.Weight(n)
	}
	if w := at(9 * time.Second); p.Status(n) != Blackout || math.Abs(w-3) > 1e-9 {
		t.Errorf("%v in the blackout with %v, want 3", p.Status(n), w)
	}
	w := at(10 * time.Second)
	sum := 0.0
	for _, m := range nodes {
		sum += p.Weight(m)
	}
	// Its share of what is placed is bounded by JoinCap times its share of capacity.
	if share, fair := w/(w+sum), 3.0/22; share > 1.5*fair || share < 1.3*fair {
		t.Errorf("a joiner gets %.3f of what is placed, its capacity is %.3f of all", share, fair)
	}
	var e Explanation
	if p.Explain(n, &e); e.Bound != AtJoinCap {
		t.Errorf("bounded by %q, want by the join cap: %v", e.Bound, &e)
	}
}
