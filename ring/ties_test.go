package ring

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// crafted is a ring with points where a test puts them, and the rule by which
// each slot's owner is found.
type crafted struct {
	draft
	at map[uint64]map[Index]bool // the points
}

func newCrafted(t *testing.T, nodes, bits int) *crafted {
	t.Helper()
	d := Definition{Version: 1, PointsPerUnit: 1, TableBits: bits}
	for i := range nodes {
		// The order of ids is not that of places: ties must look at ids.
		d.Nodes = append(d.Nodes, Member{Node: Node{ID: fmt.Sprintf("%02d", i)}})
	}
	r, err := d.Ring()
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.nodes {
		r.nodes[i].ID = fmt.Sprintf("%02d", (i*7+3)%nodes)
	}
	r.chunks = make([]*chunk, 4)
	for i := range r.chunks {
		r.chunks[i] = &chunk{}
	}
	r.chunkShift = 62
	return &crafted{draft{Ring: r, own: make([]bool, 4)}, map[uint64]map[Index]bool{}}
}

// owner is the rule: the nearest point, of several the smallest id.
func (c *crafted) owner(s int) Index {
	m := uint64(s)<<c.shift + 1<<(c.shift-1)
	best, owner := uint64(0), None
	for h, nodes := range c.at {
		d := min(h-m, m-h)
		for v := range nodes {
			if owner == None || d < best || d == best && c.nodes[v].ID < c.nodes[owner].ID {
				best, owner = d, v
			}
		}
	}
	return owner
}

func (c *crafted) check(t *testing.T, when string) {
	t.Helper()
	slots := make([]uint32, len(c.nodes))
	for s, got := range c.table {
		if want := c.owner(s); got != want {
			t.Fatalf("%s: slot %d is of %d, by the rule of %d; points %v", when, s, got, want, c.at)
		}
		if got != None {
			slots[got]++
		}
	}
	for v, n := range slots {
		if c.slots[v] != n {
			t.Fatalf("%s: node %d is said to own %d slots, owns %d", when, v, c.slots[v], n)
		}
	}
}

// TestTies puts points on a coarse grid, where many lie at one place and many
// middles are as near to two, and at the edges of the circle.
func TestTies(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := newCrafted(t, 1+rng.IntN(5), 8)
		grid := 54 + rng.IntN(9) // the table's grid is 2^56, middles lie on 2^55
		for step := range 120 {
			h := rng.Uint64() >> grid << grid
			switch rng.IntN(12) {
			case 0:
				h = 0
			case 1:
				h = 1<<64 - 1
			case 2:
				h = 1<<63 + uint64(rng.IntN(3)) - 1
			case 3:
				h += uint64(rng.IntN(3)) - 1
			}
			v := Index(rng.IntN(len(c.nodes)))
			when := fmt.Sprintf("seed %d step %d", seed, step)
			switch {
			case c.at[h][v]:
				c.remove(h, v)
				delete(c.at[h], v)
				if len(c.at[h]) == 0 {
					delete(c.at, h)
				}
			case rng.IntN(3) == 0 && len(c.at) > 3: // take one of those that are there
				for h, nodes := range c.at {
					for v := range nodes {
						c.remove(h, v)
						delete(nodes, v)
						break
					}
					if len(nodes) == 0 {
						delete(c.at, h)
					}
					break
				}
			default:
				c.insert(h, v)
				if c.at[h] == nil {
					c.at[h] = map[Index]bool{}
				}
				c.at[h][v] = true
			}
			c.check(t, when)
			if step%10 == 0 {
				c.checkOrders(t, when)
				patched := append([]Index(nil), c.table...)
				clear(c.slots)
				clear(c.slots)
				c.fill()
				c.check(t, when+", filled anew")
				for s := range patched {
					if patched[s] != c.table[s] {
						t.Fatalf("%s: slot %d patched and filled differ", when, s)
					}
				}
			}
		}
	}
}

// order is the rule for several nodes: by the distance of their nearest points,
// then by id.
func (c *crafted) order(m uint64) (nodes []Index) {
	distance := map[Index]uint64{}
	for h, at := range c.at {
		for v := range at {
			if d, met := distance[v]; !met || min(h-m, m-h) < d {
				distance[v] = min(h-m, m-h)
			}
		}
	}
	for v := range distance {
		nodes = append(nodes, v)
	}
	slices.SortFunc(nodes, func(a, b Index) int {
		return cmp.Or(cmp.Compare(distance[a], distance[b]), strings.Compare(c.nodes[a].ID, c.nodes[b].ID))
	})
	return nodes
}

// checkOrders compares the nodes for a few slots, all of them and the first two,
// appended to what is there.
func (c *crafted) checkOrders(t *testing.T, when string) {
	t.Helper()
	clear(c.counts)
	for _, at := range c.at {
		for v := range at {
			c.counts[v]++
		}
	}
	c.sum()
	for s := 0; s < len(c.table); s += 37 {
		m := uint64(s)<<c.shift + 1<<(c.shift-1)
		want := c.order(m)
		before := []Index{0, 1, 2}
		if got := c.OwnersN(before, m, 100)[3:]; !slices.Equal(got, want) {
			t.Fatalf("%s: the nodes for slot %d are %v, by the rule %v; points %v", when, s, got, want, c.at)
		}
		if got := c.OwnersN(before, m, 2)[3:]; !slices.Equal(got, want[:min(2, len(want))]) {
			t.Fatalf("%s: the first nodes for slot %d are %v, by the rule %v", when, s, got, want)
		}
	}
}

// TestCoincidingNodes: the hashes of these two ids differ by 12 times
// SplitMix64's increment, so the second one's points are the first one's.
func TestCoincidingNodes(t *testing.T) {
	if Hash("VfNX5yhC") != Hash("6wkrpgd3")+12*0x9e3779b97f4a7c15&(1<<64-1) {
		t.Fatal("the ids do not coincide")
	}
	nodes := []Node{{ID: "VfNX5yhC", Weight: 1}, {ID: "6wkrpgd3", Weight: 1}, {ID: "other", Weight: 0.5}}
	r := mustBuild(t, nodes, Options{PointsPerUnit: 100, TableBits: 10, Raw: true})
	compareWithTwin(t, r, 1)
	checkOrder(t, r)
	for _, c := range []Change{
		{Remove: []string{"6wkrpgd3"}},
		{Set: []Node{{ID: "6wkrpgd3", Weight: 1}}},
		{Set: []Node{{ID: "VfNX5yhC", Weight: 0.1}}},
		{Remove: []string{"VfNX5yhC"}},
		{Remove: []string{"other"}},
		{Set: []Node{{ID: "VfNX5yhC", Weight: 2}}},
	} {
		next, err := r.Apply(r.Version()+1, c)
		if err != nil {
			t.Fatal(err)
		}
		r = next
		if err := r.CheckInvariants(); err != nil {
			t.Fatalf("after %v: %v", c, err)
		}
		compareWithTwin(t, r, 1)
		checkOrder(t, r)
	}
}

// checkOrder holds LookupN to the twin.
func checkOrder(t *testing.T, r *Ring) {
	t.Helper()
	w := twinOf(r)
	for i := range 50 {
		key := fmt.Sprint("key", i)
		var got []string
		for _, v := range r.LookupN(nil, key, 100) {
			got = append(got, idOf(r, v))
		}
		if want := w.order(key); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v: the order for %q is %v, want %v", r, key, got, want)
		}
	}
}
