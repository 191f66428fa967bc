package subject

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// rule is gRPC's ring as its documentation (gRFC A42) and Envoy's define it,
// written down again.
type rule struct {
	hashes []uint64
	names  map[uint64]string
}

func newRule(nodes []Node, least float64) rule {
	nodes = slices.Clone(nodes)
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].Name < nodes[j].Name })
	sum, lightest := 0.0, math.Inf(1)
	for _, n := range nodes {
		sum += float64(n.points())
	}
	for _, n := range nodes {
		lightest = min(lightest, float64(n.points())/sum)
	}
	scale := min(math.Ceil(lightest*least)/lightest, ringhashMost)
	r := rule{names: map[uint64]string{}}
	made, target := 0.0, 0.0
	for _, n := range nodes {
		target += scale * float64(n.points()) / sum
		for i := 0; made < target; i++ {
			h := xxhash.Sum64String(n.Name + "_" + strconv.Itoa(i))
			r.hashes, r.names[h] = append(r.hashes, h), n.Name
			made++
		}
	}
	slices.Sort(r.hashes)
	return r
}

func (r rule) owner(key string) string {
	h := xxhash.Sum64String(key)
	for _, p := range r.hashes {
		if p >= h {
			return r.names[p]
		}
	}
	return r.names[r.hashes[0]]
}

// TestRingHashRule: the functions that are reached by linkname do what is
// documented, with equal weights and with others.
func TestRingHashRule(t *testing.T) {
	keys := NewKeys(2048, 3)
	for _, weights := range [][]float64{{1, 1, 1, 1, 1, 1, 1}, {1, 1.1, 0.5, 2, 1, 0.25, 3}} {
		nodes := Nodes(len(weights))
		for i, w := range weights {
			nodes[i].Weight = w
		}
		table := build(t, ringhash, nodes).(ringhashTable)
		want := newRule(nodes, float64(PointsPerUnit*len(nodes)))
		if len(table.ring.items) != len(want.hashes) {
			t.Fatalf("weights %v: %d points, by the rule %d", weights, len(table.ring.items), len(want.hashes))
		}
		for i, e := range table.ring.items {
			if e.hash != want.hashes[i] || e.idx != i || e.hashKey != want.names[e.hash] {
				t.Fatalf("weights %v: point %d is %+v, by the rule %x of %q", weights, i, *e, want.hashes[i], want.names[want.hashes[i]])
			}
		}
		for i := range keys.Len() {
			if got := table.Owner(keys.At(i)); got != want.owner(keys.At(i)) {
				t.Fatalf("weights %v: key %d is of %q, by the rule of %q", weights, i, got, want.owner(keys.At(i)))
			}
		}
	}
}
