package decay

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
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
	if share, fair := w/(w+sum), 3.0/22; share > 1.5*fair*(1+1e-9) || share < 1.3*fair {
		t.Errorf("a joiner gets %.3f of what is placed, its capacity is %.3f of all", share, fair)
	}
	var e Explanation
	if p.Explain(n, &e); e.Bound != AtJoinCap {
		t.Errorf("bounded by %q, want by the join cap: %v", e.Bound, &e)
	}
}

// TestJoinCapOfManyJoiners: of ten that join nine are full, so the mean of all is
// below that of the others. The empty one gets twice its fair share all the same,
// and no more.
func TestJoinCapOfManyJoiners(t *testing.T) {
	for _, others := range []int{2, 20, 60} {
		p, nodes := even(t, others, Settings{Tau: Off, Max: 10})
		const now = 20 * time.Second
		for _, n := range nodes {
			p.Put(n, usual(now))
		}
		var empty Node
		for i := range 10 {
			n, _ := p.Add(0, "joiner", 1)
			if i > 0 {
				p.Put(n, Sample{now, 90, 40, 45_000, 1e7, 20})
				continue
			}
			empty = n
			p.Put(n, Sample{At: now})
		}
		p.Step(now)
		sum := 0.0
		for slot := range p.share {
			sum += p.share[slot]
		}
		if times := p.Weight(empty) / sum * float64(others+10); math.Abs(times-2) > 1e-6 {
			t.Errorf("%d nodes, ten join, nine of them full: the empty one gets %.3f x its fair share, want 2", others, times)
		}
		var e Explanation
		if p.Explain(empty, &e); e.Bound != AtJoinCap || !near(e.JoinCap, e.Share) {
			t.Errorf("bounded by %q to %v, the cap is %v", e.Bound, e.Share, e.JoinCap)
		}
	}
}

// TestJoinCapHolds: whoever joins, whatever is known of it.
func TestJoinCapHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]float64{0.5, 1, 1.1, 2, 5}).Draw(t, "cap")
		p, err := NewPipeline(Settings{Tau: Off, Min: 0.001, Max: 100, JoinCap: limit})
		if err != nil {
			t.Fatal(err)
		}
		const now = 15 * time.Minute
		anyone := func(joined time.Duration) {
			n, err := p.Add(joined, "n", rapid.Float64Range(0.3, 3).Draw(t, "capacity"))
			if err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 5).Draw(t, "sampled") > 0 {
				load := rapid.Float64Range(0, 100).Draw(t, "load")
				p.Put(n, Sample{now, load, load, 300 * load * p.Capacity(n), 1e4 * load, load})
			}
		}
		for range rapid.IntRange(1, 20).Draw(t, "others") {
			anyone(-time.Hour)
		}
		for range rapid.IntRange(1, 20).Draw(t, "joiners") {
			anyone(rapid.SampledFrom([]time.Duration{now, now - time.Minute}).Draw(t, "joined"))
		}
		p.Step(now)
		w, c, known := 0.0, 0.0, 0
		for i := range p.share {
			w += p.share[i] * p.capacity[i]
			c += p.capacity[i]
			if p.status[i] == Measured && !p.isJoiner(i) {
				known++
			}
		}
		for i, share := range p.share {
			if known > 0 && p.isJoiner(i) && share > limit*w/c*(1+1e-9) && share > 0.001 {
				t.Fatalf("a joiner (%v) has %v, the mean is %v, the cap %v", p.status[i], share, w/c, limit)
			}
		}
	})
}

// TestJoinCapBelowOne: a node that has just joined is bounded too, before its
// samples count.
func TestJoinCapBelowOne(t *testing.T) {
	p, nodes := even(t, 20, Settings{JoinCap: 0.5})
	n, _ := p.Add(0, "new", 1)
	for _, now := range []time.Duration{5 * time.Second, 11 * time.Second} {
		for _, m := range append(nodes, n) {
			p.Put(m, usual(now))
		}
		p.Step(now)
		if w := p.Weight(n); math.Abs(w-0.5*20/20.5) > 1e-6 {
			t.Errorf("%v after it joined it has %v (%v), want half of the mean", now, w, p.Status(n))
		}
	}
	var e Explanation
	if p.Explain(n, &e); e.Bound != AtJoinCap {
		t.Errorf("explained as %v", &e)
	}
}

// TestRejoinHoldsTheMean: what a node held before it began anew says nothing.
func TestRejoinHoldsTheMean(t *testing.T) {
	p, nodes := even(t, 20, Settings{Unknown: HoldScore, Tau: Off})
	p.Put(nodes[0], Sample{time.Second, 100, 1e3, 50_000, 1e9, 1e3})
	p.Step(time.Second)
	if w := p.Weight(nodes[0]); w != 0.25 {
		t.Fatalf("a full node has %v", w)
	}
	p.Rejoin(2*time.Second, nodes[0])
	for range 2 {
		if w := p.Weight(nodes[0]); w < 0.9 {
			t.Errorf("begun anew it has %v, want the mean", w)
		}
		p.Step(3 * time.Second)
	}
}

// TestMeanIsOfTheStep: a change of capacity or a leave after it does not change
// what a node that is added has.
func TestMeanIsOfTheStep(t *testing.T) {
	for what, change := range map[string]func(*Pipeline, Node){
		"capacity": func(p *Pipeline, n Node) { p.SetCapacity(n, 100) },
		"leave":    func(p *Pipeline, n Node) { p.Remove(n) },
		"rejoin":   func(p *Pipeline, n Node) { p.Rejoin(2*time.Second, n) },
	} {
		p, nodes := even(t, 4, Settings{Tau: Off})
		p.Put(nodes[0], Sample{time.Second, 100, 1e3, 50_000, 1e9, 1e3})
		p.Step(time.Second)
		mean := (3*p.Weight(nodes[1]) + 0.25) / 4
		change(p, nodes[0])
		n, _ := p.Add(2*time.Second, "new", 1)
		if w := p.Weight(n); math.Abs(w-mean) > 1e-9 {
			t.Errorf("%s: a node that is added has %v, want the mean %v", what, w, mean)
		}
	}
}
