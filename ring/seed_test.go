package ring

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"testing"
)

// TestSeed holds the preset to its definition, by looking at all points.
func TestSeed(t *testing.T) {
	nodes := []Node{{ID: "b", Weight: 0.5}, {ID: "a", Weight: 1}, {ID: "c", Weight: 0}, {ID: "d", Weight: 0.001}}
	s, err := NewSeed(nodes)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{"a": 128, "b": 64, "d": 1}
	if len(s.points) != 193 {
		t.Errorf("%d points, want 193", len(s.points))
	}
	fnvOf := func(key string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(key))
		return h.Sum64()
	}
	for i := range 2000 {
		key := fmt.Sprint("device-", i)
		var owner string
		best := uint64(math.MaxUint64)
		for id, n := range counts {
			for j := range n {
				if d := fnvOf(fmt.Sprintf("%s#%d", id, j)) - fnvOf(key); d < best {
					best, owner = d, id
				}
			}
		}
		if got := s.Node(s.Lookup(key)).ID; got != owner {
			t.Fatalf("%q is of %q, its successor is of %q", key, got, owner)
		}
	}
	sum := 0.0
	for _, share := range s.Shares() {
		sum += share
	}
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("the shares sum to %v", sum)
	}
}

func TestSeedEdges(t *testing.T) {
	empty, err := NewSeed([]Node{{ID: "a"}})
	if err != nil || empty.Lookup("x") != None || empty.Node(None) != nil {
		t.Errorf("without weight: %v, %v", empty.Lookup("x"), err)
	}
	one, err := NewSeed([]Node{{ID: "a", Weight: 1e-9}})
	if err != nil || one.Lookup("x") != 0 || one.Shares()[0] != 1 {
		t.Errorf("one point: %v, %v, %v", one.Lookup("x"), one.Shares(), err)
	}
	for _, nodes := range [][]Node{{{ID: "a", Weight: math.NaN()}}, {{ID: "a", Weight: 1e9}}, {{ID: "a"}, {ID: "a"}}, {{}}} {
		if _, err := NewSeed(nodes); !errors.Is(err, ErrNode) && !errors.Is(err, ErrTooBig) {
			t.Errorf("%v: error %v", nodes, err)
		}
	}
}
