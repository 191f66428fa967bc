package decay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// oneGoesBad is n nodes whose signals are spread by a share of themselves, of
// which one goes to its limit: how the weights of the others move, as shares of
// themselves.
func oneGoesBad(t *testing.T, n int, spread float64, seed uint64, set Settings) (mean, worst float64) {
	t.Helper()
	set.Tau = Off
	p, nodes := even(t, n, set)
	r := rand.New(rand.NewPCG(4, seed))
	for _, node := range nodes {
		s := usual(time.Second)
		for _, v := range []*float64{&s.CPU, &s.Latency, &s.Connections, &s.Backlog, &s.LoopLag} {
			*v *= max(1+spread*r.NormFloat64(), 0)
		}
		p.Put(node, s)
	}
	p.Step(time.Second)
	before := make([]float64, n)
	for i, node := range nodes {
		before[i] = p.Weight(node)
	}
	bad := n / 8
	p.Put(nodes[bad], Sample{2 * time.Second, 100, 100, 50_000, 64 << 20, 50})
	p.Step(2 * time.Second)
	for i, node := range nodes {
		d := math.Abs(p.Weight(node)/before[i] - 1)
		if i == bad {
			if p.Weight(node) > 0.26 {
				t.Errorf("%d nodes: one at its limit has weight %v, want the least", n, p.Weight(node))
			}
			continue
		}
		mean += d / float64(n-1)
		worst = max(worst, d)
	}
	return mean, worst
}

// TestOneBadNodeLeavesTheOthers: in small clusters too, one node that goes to its
// limit is cut from what the others are compared with. What is left is that its
// own former value is gone from the mean: the less, the more nodes there are.
// Were the cut linear between ranks, the averages would be 101 %, 66, 47, 30 and
// 13 up to 20 nodes.
func TestOneBadNodeLeavesTheOthers(t *testing.T) {
	for _, c := range []struct {
		n           int
		mean, worst float64 // limits: of the mean over nodes and seeds, of any node at any seed
	}{
		{3, 0.13, 0.45}, {5, 0.08, 0.20}, {8, 0.05, 0.10}, {16, 0.03, 0.05}, {20, 0.025, 0.04}, {21, 0.02, 0.04}, {64, 0.006, 0.015},
	} {
		mean, worst := 0.0, 0.0
		const seeds = 20
		for seed := range uint64(seeds) {
			m, w := oneGoesBad(t, c.n, 0.01, seed, Settings{})
			mean, worst = mean+m/seeds, max(worst, w)
		}
		what := fmt.Sprintf("%d nodes: one goes bad, the others move by %.2f %% on average, %.2f %% at most", c.n, 100*mean, 100*worst)
		if mean > c.mean || worst > c.worst {
			t.Error(what)
		} else {
			t.Log(what)
		}
	}
}

// TestWhatOneNodeMovesOf64 is the table of the package doc: mean and largest over
// 50 seeds of how far the other that moves most does, CPU alone and all signals.
func TestWhatOneNodeMovesOf64(t *testing.T) {
	only := Settings{}
	only.Signals[CPU].Weight = 1
	for _, c := range []struct {
		spread     float64
		cpu, all   float64 // limits of the mean over seeds
		cpuM, allM float64 // limits at any seed
	}{
		{0.01, 0.01, 0.006, 0.03, 0.02},
		{0.02, 0.02, 0.012, 0.05, 0.03},
		{0.05, 0.05, 0.04, 0.14, 0.11},
		{0.10, 0.09, 0.08, 0.17, 0.15},
	} {
		var mean, worst [2]float64
		const seeds = 50
		for seed := range uint64(seeds) {
			for k, set := range []Settings{only, {}} {
				_, w := oneGoesBad(t, 64, c.spread, seed, set)
				mean[k], worst[k] = mean[k]+w/seeds, max(worst[k], w)
			}
		}
		what := fmt.Sprintf("spread of %.0f %%: the other that moves most moves by %.2f %% (%.2f at most) by CPU alone, %.2f %% (%.2f) by all signals",
			100*c.spread, 100*mean[0], 100*worst[0], 100*mean[1], 100*worst[1])
		if mean[0] > c.cpu || mean[1] > c.all || worst[0] > c.cpuM || worst[1] > c.allM {
			t.Error(what)
		} else {
			t.Log(what)
		}
	}
	cut, _ := oneGoesBad(t, 64, 0.01, 1, only)
	only.CutLow, only.CutHigh = Off, Off
	if uncut, _ := oneGoesBad(t, 64, 0.01, 1, only); uncut < 5*cut {
		t.Errorf("without the cut the others move by %.2f %%, with it by %.2f %%: the cut has nothing to do", 100*uncut, 100*cut)
	}
}

// TestBandHolds: a quantile between ranks needs both of them.
func TestBandHolds(t *testing.T) {
	b := band{under: 5, n: 10}
	for p, want := range map[place]bool{{4, 0}: false, {5, 0}: true, {14, 0}: true, {15, 0}: false, {13, 0.5}: true, {14, 0.5}: false} {
		if b.holds(p) != want {
			t.Errorf("ranks 5 to 14 hold %v: %v", p, !want)
		}
	}
}

// TestPlaces: how many nodes are cut.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		n         int
		low, high place
		between   bool
	}{
		{n: 1},
		{n: 3, low: place{1, 0}, high: place{1, 0}},
		{n: 20, low: place{1, 0}, high: place{18, 0}},
		{n: 21, low: place{1, 0}, high: place{19, 0}},
		{n: 22, low: place{2, 0}, high: place{19, 0}},
		{n: 2, low: place{0, 0.05}, high: place{0, 0.95}}, // neither is the other's outlier
		{n: 11, low: place{0, 0.5}, high: place{9, 0.5}, between: true},
	} {
		low, high := places(c.n, 0.05, 0.05, c.between)
		if low.rank != c.low.rank || high.rank != c.high.rank || math.Abs(low.share-c.low.share) > 1e-9 || math.Abs(high.share-c.high.share) > 1e-9 {
			t.Errorf("%d nodes are cut at %v and %v, want %v and %v", c.n, low, high, c.low, c.high)
		}
	}
	// 100 x 0.07 is 7.000000000000001.
	if low, high := places(101, 0.07, 0.07, false); low.rank != 7 || high.rank != 93 {
		t.Errorf("7 %% of 101 nodes are cut at %v and %v", low, high)
	}
}
