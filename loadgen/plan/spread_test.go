package plan

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestShardsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total, workers := rapid.IntRange(0, 1000).Draw(t, "total"), rapid.IntRange(1, 60).Draw(t, "workers")
		want := make([]int, workers)
		for c := range total {
			want[c%workers]++
		}
		for w := range workers {
			if got := Shard(total, w, workers); got != want[w] {
				t.Fatalf("worker %d of %d has %d of %d clients, want %d", w, workers, got, total, want[w])
			}
		}
	})
	if Shard(10, -1, 2) != 0 || Shard(10, 2, 2) != 0 || Shard(-5, 0, 2) != 0 || Shard(5, 0, 0) != 0 {
		t.Error("a worker that is none has clients")
	}
}

// TestGroupsAreSpreadEvenly: in every prefix each group is within its bound,
// and at the end within a client or two of its share.
func TestGroupsAreSpreadEvenly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shares := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 8).Draw(t, "shares")
		sum := 0.0
		groups := 0
		for _, s := range shares {
			if sum += s; s > 0 {
				groups++
			}
		}
		if sum == 0 {
			return
		}
		bound := 3.0
		if groups <= 2 {
			bound = 1
		}
		g := NewGroups(shares, rapid.Uint64().Draw(t, "seed"))
		have := make([]float64, len(shares))
		for n := range 3000 {
			have[g.Of(uint32(n))]++
			for i, s := range shares {
				if d := have[i] - float64(n+1)*s/sum; math.Abs(d) > bound+1e-6 {
					t.Fatalf("of %d clients, group %d of %v is %.3f off", n+1, i, shares, d)
				}
			}
		}
	})
}

// TestChoicesAreIndependent of each other and of the worker: what is chosen is
// spread over groups and workers as all are.
func TestChoicesAreIndependent(t *testing.T) {
	const n, workers = 100_000, 4
	groups := NewGroups([]float64{.75, .25}, 2)
	var stamped, inGroup, both float64
	var ofWorker [workers]float64
	for c := range uint32(n) {
		s, g := Chosen(c, .25, 1), groups.Of(c) == 1
		if s {
			stamped++
			ofWorker[c%workers]++
		}
		if g {
			inGroup++
		}
		if s && g {
			both++
		}
	}
	if math.Abs(stamped-n/4) > 1 || math.Abs(inGroup-n/4) > 1 {
		t.Errorf("%.0f stamped and %.0f in the group, want %d", stamped, inGroup, n/4)
	}
	if math.Abs(both-n/16) > 400 {
		t.Errorf("%.0f are in the group and stamped, want about %d", both, n/16)
	}
	for w, c := range ofWorker {
		if math.Abs(c-n/16) > 400 {
			t.Errorf("%.0f stamped are worker %d's, want about %d", c, w, n/16)
		}
	}
}

func TestGroupsOfExtremes(t *testing.T) {
	for _, shares := range [][]float64{nil, {0}, {math.NaN(), -1}} {
		if got := NewGroups(shares, 1).Of(17); got != 0 {
			t.Errorf("%v: group %d", shares, got)
		}
	}
	for c := range uint32(1000) {
		if g := NewGroups([]float64{0, 1, 0}, 1).Of(c); g != 1 {
			t.Fatalf("client %d is in group %d, which has no share", c, g)
		}
		if Chosen(c, 0, 1) || Chosen(c, math.NaN(), 1) || !Chosen(c, 1, 1) {
			t.Fatalf("client %d: a share of nothing or all", c)
		}
	}
	Chosen(math.MaxUint32, 1e-300, 1) // ends
	Chosen(math.MaxUint32, .5, 1)
}
