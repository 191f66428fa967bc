package decay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// cluster returns a pipeline of n nodes whose levels are spread as those of a
// healthy cluster, past every blackout.
func cluster(tb testing.TB, n int, set Settings) (*Pipeline, []Node) {
	tb.Helper()
	p, err := NewPipeline(set)
	if err != nil {
		tb.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, uint64(n)))
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i], err = p.Add(-time.Hour, fmt.Sprintf("node-%d", i), []float64{0.7, 1, 1.3}[i%3])
		if err != nil {
			tb.Fatal(err)
		}
	}
	for i := range nodes {
		sampleHealthy(p, nodes[i], r, 0)
	}
	return p, nodes
}

func sampleHealthy(p *Pipeline, n Node, r *rand.Rand, at time.Duration) {
	load := 0.5 * (1 + 0.1*r.NormFloat64())
	p.Put(n, Sample{At: at, CPU: 100 * load, Latency: 2 / (1 - min(load, 0.95)), Connections: 50_000 * load * p.Capacity(n),
		Backlog: max(0, 1e4*r.NormFloat64()), LoopLag: r.ExpFloat64()})
}

// steps returns the levels of 64 consecutive seconds, forth and back, of a
// cluster that has run for a while.
func steps(p *Pipeline, nodes []Node) (sets [64][NumSignals][]float64) {
	r := rand.New(rand.NewPCG(2, 2))
	for k := -200; k < 32; k++ {
		for _, node := range nodes {
			sampleHealthy(p, node, r, time.Duration(200+k)*time.Second)
		}
		for s := range NumSignals {
			if k >= 0 {
				sets[k][s] = slices.Clone(p.level[s])
				sets[63-k][s] = sets[k][s]
			}
		}
	}
	return sets
}

// bestOf runs f in windows of 64 calls and reports the best one beside the mean:
// on a machine that is shared, the mean is the neighbours'.
func bestOf(b *testing.B, f func(k int)) {
	b.ReportAllocs()
	best, began := time.Hour, time.Now()
	k := 0
	for b.Loop() {
		f(k)
		if k++; k%64 == 0 {
			now := time.Now()
			if k > 64 {
				best = min(best, now.Sub(began))
			}
			began = now
		}
	}
	if k > 128 {
		b.ReportMetric(float64(best)/64, "best-ns/op")
	}
}

// BenchmarkStep is a step over all nodes and five signals. All levels are new at
// each step, so that no branch is learned by heart.
func BenchmarkStep(b *testing.B) {
	for _, form := range []Form{ZScore, Given, Scaled} {
		for _, n := range []int{16, 256, 1024} {
			b.Run(fmt.Sprintf("form=%v/nodes=%d", [...]string{"zscore", "given", "scaled"}[form], n), func(b *testing.B) {
				p, nodes := cluster(b, n, Settings{Form: form})
				sets := steps(p, nodes)
				bestOf(b, func(k int) {
					p.level = sets[k%len(sets)]
					p.Step(232 * time.Second)
				})
			})
		}
	}
}

// BenchmarkTextbook is what Step is measured against: one signal, two quantiles by
// quickselect, mean, deviation, exponential, shares.
func BenchmarkTextbook(b *testing.B) {
	p, nodes := cluster(b, 1024, Settings{})
	sets := steps(p, nodes)
	sorted, out := make([]float64, len(nodes)), make([]float64, len(nodes))
	bestOf(b, func(k int) {
		v := sets[k%len(sets)][CPU]
		copy(sorted, v)
		lo, hi := hoare(sorted, 51), hoare(sorted, 972)
		mean, squares, sum := 0.0, 0.0, 0.0
		for _, x := range v {
			x = min(max(x, lo), hi)
			mean += x
			squares += x * x
		}
		mean /= float64(len(v))
		sigma := math.Sqrt(squares/float64(len(v)) - mean*mean)
		for i, x := range v {
			out[i] = math.Exp(-(min(max(x, lo), hi) - mean) / sigma)
			sum += out[i]
		}
		for i := range out {
			out[i] /= sum
		}
	})
}

// hoare is quickselect as in the books.
func hoare(v []float64, k int) float64 {
	for lo, hi := 0, len(v)-1; lo < hi; {
		pivot, i, j := v[(lo+hi)/2], lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	return v[k]
}

// BenchmarkUpdate is a step and the decision about every node.
func BenchmarkUpdate(b *testing.B) {
	p, nodes := cluster(b, 1024, Settings{})
	sets := steps(p, nodes)
	c, err := NewController(p, ControlSettings{})
	if err != nil {
		b.Fatal(err)
	}
	now := 232 * time.Second
	bestOf(b, func(k int) {
		p.level = sets[k%len(sets)]
		now += 5 * time.Millisecond
		c.placed = now - 5*time.Second
		c.Update(now, 100)
	})
}

// BenchmarkPut is a sample of five signals.
func BenchmarkPut(b *testing.B) {
	p, nodes := cluster(b, 1024, Settings{})
	now := time.Second
	bestOf(b, func(k int) {
		now += time.Millisecond
		p.Put(nodes[k%1024], usual(now))
	})
}

// BenchmarkExplain is an explanation with its text.
func BenchmarkExplain(b *testing.B) {
	p, nodes := cluster(b, 1024, Settings{})
	p.Step(time.Second)
	var e Explanation
	text := make([]byte, 0, 1024)
	bestOf(b, func(k int) {
		p.Explain(nodes[k%1024], &e)
		text, _ = e.AppendText(text[:0])
	})
}
