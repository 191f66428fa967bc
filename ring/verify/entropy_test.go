package verify

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"
)

// TestEntropyOfFewIDs: bits short over nodes pass their limits as seldom as the
// limits say, for few ids and for unequal shares too, and have the spread that is
// said.
func TestEntropyOfFewIDs(t *testing.T) {
	weights := func(k int, w func(i int) float64) (share []float64) {
		sum := 0.0
		for i := range k {
			share = append(share, w(i))
			sum += w(i)
		}
		for i := range share {
			share[i] /= sum
		}
		return share
	}
	four := func(i int) float64 { return 0.5 + float64(i%4) }
	large := func(i int) float64 { return 1 + 59*float64(max(1-i, 0)) }
	uneven := func(i int) float64 { return 1 + 0.1*float64(i%2*2-1) }
	for name, tt := range map[string]struct {
		share, target []float64
		n, rounds     int
		bad           int // most that may be: beside one much larger node the rarest tail is 1 in 20,000 (doc.go)
	}{
		"2 equal nodes":        {weights(2, equal), nil, 10, 20_000, 0},
		"3 equal nodes":        {weights(3, equal), nil, 30, 8_000, 0},
		"16 nodes":             {weights(16, four), nil, 4, 20_000, 0},
		"16 nodes, more ids":   {weights(16, four), nil, 300, 800, 0},
		"1,000 nodes, 3 ids":   {weights(1000, equal), nil, 3, 500, 0},
		"a large node":         {weights(3, large), nil, 30, 8_000, 2},
		"shares off by a part": {weights(2, uneven), weights(2, equal), 100, 4_000, 0},
	} {
		if testing.Short() {
			tt.rounds /= 8
		}
		rnd := rand.New(rand.NewPCG(31, uint64(len(name)))) // its own: cases come in any order
		c := cells{counts: make([]float64, len(tt.share)), share: tt.share, target: tt.target, effective: float64(tt.n)}
		if tt.target == nil {
			c.target = tt.share
		}
		said := c.shortChance()
		bits, square := newTally(said), newTally(c.squareChance())
		for range tt.rounds {
			c.throw(rnd, tt.n)
			short, sq := 0.0, 0.0
			for i, v := range c.counts {
				p := v / float64(tt.n)
				if p > 0 {
					short += p * math.Log2(p/c.target[i])
				}
				sq += (p/c.target[i] - 1) * (p/c.target[i] - 1) / float64(len(c.counts))
			}
			bits.add(short)
			square.add(sq)
		}
		for figure, s := range map[string]*tally{"bits short": bits, "deviation": square} {
			if most := 0.004*float64(tt.rounds) + 2; s.far > tt.bad || float64(s.over) > most {
				t.Errorf("%s: %s is look %d times and bad %d times in %d by chance", name, figure, s.over, s.far, tt.rounds)
			}
		}
		mean, sd := meanSD(bits.seen)
		if tt.n >= 10 && math.Abs(sd-said.sd) > 0.15*sd+0.01 || math.Abs(mean-said.mean) > 0.06*mean+5*sd/math.Sqrt(float64(tt.rounds)) {
			t.Errorf("%s: %v +- %v, said to be %v +- %v", name, mean, sd, said.mean, said.sd)
		}
	}
}

// throw puts n ids into the cells by chance.
func (c *cells) throw(rnd *rand.Rand, n int) {
	sums, last := make([]float64, len(c.share)), 0.0
	for i, p := range c.share {
		last += p
		sums[i] = last
	}
	clear(c.counts)
	for range n {
		c.counts[min(sort.SearchFloat64s(sums, rnd.Float64()), len(sums)-1)]++
	}
}

// tally counts what is above limits.
type tally struct {
	look, bad float64
	over, far int
	seen      []float64
}

func newTally(c chance) *tally { return &tally{look: c.limit(rare), bad: c.limit(veryRare)} }

func (s *tally) add(v float64) {
	s.seen = append(s.seen, v)
	if v > s.look {
		s.over++
	}
	if v > s.bad {
		s.far++
	}
}

// TestEntropyFindsWhatChiSquareFinds: with many ids a cell bits short are chi-square
// over 2 n ln 2, and so are their limits.
func TestEntropyFindsWhatChiSquareFinds(t *testing.T) {
	for _, k := range []int{2, 3, 16, 256} {
		n := 3000 * float64(k)
		share := make([]float64, k)
		for i := range share {
			share[i] = 1 / float64(k)
		}
		c := cells{counts: share, share: share, target: share, effective: n}
		for _, p := range []float64{0.1, rare, veryRare} {
			got, want := c.shortChance().limit(p), c.chiChance(k-1).limit(p)/(2*n*math.Ln2)
			if !near(got, want, 0.01) {
				t.Errorf("%d cells: the limit of %v is %v, chi-square's is %v", k, p, got, want)
			}
		}
	}
}
