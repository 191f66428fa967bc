package ring

import (
	"fmt"
	"sync"
	"testing"
)

func TestRoutesWithoutRing(t *testing.T) {
	var h Holder
	if r, v := h.Load().Lookup("x"); v != None || r == nil || r.Node(v) != nil {
		t.Errorf("an empty holder answers %v, %d", r, v)
	}
	h.Store(nil)
	if _, v := h.Load().Lookup("x"); v != None {
		t.Error("nil is not an empty ring")
	}
	r := mustBuild(t, equalNodes(1), Options{TableBits: 8})
	if old := h.Load(); !h.CompareAndSwap(old, NewRoutes(r, nil, 0)) || h.CompareAndSwap(old, nil) {
		t.Error("CompareAndSwap does not compare")
	}
}

// TestCanary: the share is right, its keys stay as it grows, and each node
// gives and gets its part.
func TestCanary(t *testing.T) {
	stable := mustBuild(t, equalNodes(8), Options{})
	canary, err := stable.Apply(2, Change{Set: []Node{{ID: "node-0003", Weight: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	keys := 200_000
	if race {
		keys = 20_000
	}
	on := make([]bool, keys)
	for _, share := range []int{-5, 0, 1, 500, 5000, 9999, 10_000, 20_000} {
		rs := NewRoutes(stable, canary, share)
		n, others := 0, 0
		for i := range keys {
			h := Hash(fmt.Sprintf("device-%09d", i))
			r, v := rs.Owner(h)
			if r != stable && r != canary || r.Owner(h) != v {
				t.Fatal("neither ring says so")
			}
			if r == canary {
				n++
			}
			if on[i] && r == stable {
				t.Fatalf("share %d: a key has left the canary", share)
			}
			on[i] = r == canary
			other, w, ok := rs.Other(h)
			if ok {
				others++
			}
			if a, b := stable.Owner(h), canary.Owner(h); ok != (a != b) || ok && (other == r || other.Owner(h) != w) {
				t.Fatalf("key %d: other is %v, %d, %v; the rings say %d and %d", i, other, w, ok, a, b)
			}
		}
		want := float64(min(max(share, 0), ShareUnit)) / ShareUnit * float64(keys)
		if d := float64(n) - want; d*d > 25*want+25 { // 5 sigma
			t.Errorf("share %d: %d of %d keys are the canary's, want about %.0f", share, n, keys, want)
		}
		if moved := stable.Compare(canary); float64(others)/float64(keys) > 1.2*moved.Share(moved.Moved) {
			t.Errorf("share %d: %d keys have another owner, the tables say %.3f", share, others, moved.Share(moved.Moved))
		}
	}
	if r, _, ok := NewRoutes(stable, nil, 500).Other(1); r != nil || ok {
		t.Error("there is another ring where there is one")
	}
}

// TestStressSwaps: readers see one ring or the other, whole.
func TestStressSwaps(t *testing.T) {
	a := mustBuild(t, equalNodes(4), Options{TableBits: 8})
	b := mustBuild(t, equalNodes(9), Options{TableBits: 12})
	var h Holder
	h.Store(NewRoutes(a, nil, 0))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 20_000 {
				key := fmt.Sprint(i)
				if r, v := h.Load().Lookup(key); r.Lookup(key) != v || r.Node(v) == nil {
					t.Error("an Index of another ring")
					return
				}
			}
		})
	}
	for range 2000 {
		h.Store(NewRoutes(b, a, 100))
		h.Store(NewRoutes(a, b, 5000))
	}
	wg.Wait()
}

// TestBackToNothing: routes that an empty Holder has given are stored and
// compared as such.
func TestBackToNothing(t *testing.T) {
	var h Holder
	first := h.Load()
	rs := NewRoutes(mustBuild(t, equalNodes(1), Options{TableBits: 8}), nil, 0)
	for i := range 3 {
		if !h.CompareAndSwap(h.Load(), rs) || !h.CompareAndSwap(rs, first) {
			t.Fatalf("round %d: not swapped", i)
		}
		h.Store(h.Load())
	}
}

// TestShareIsExact: the canary's hashes end where docs/RING.md says: 2^32/10000 is
// 429,496.7.
func TestShareIsExact(t *testing.T) {
	r := mustBuild(t, equalNodes(1), Options{TableBits: 8})
	rs := NewRoutes(r, r, 1)
	if !rs.OnCanary(429_496) || rs.OnCanary(429_497) || !rs.OnCanary(7<<32) {
		t.Error("a share of 1 of 10,000 is not the hashes below 429,496.7")
	}
	if rs := NewRoutes(r, r, ShareUnit); !rs.OnCanary(1<<32 - 1) {
		t.Error("the whole is not all")
	}
	if c, share := NewRoutes(r, nil, 77).Canary(); c != nil || share != 0 {
		t.Errorf("without a canary: %v, %d", c, share)
	}
	// Other names nobody where the other ring has nobody, and nodes by id, not by place.
	nobody := mustBuild(t, nil, Options{TableBits: 8})
	if _, v, ok := NewRoutes(r, nobody, 0).Other(5); ok || v != None {
		t.Errorf("the other ring has nobody: %d, %v", v, ok)
	}
	if _, v, ok := NewRoutes(nobody, r, 0).Other(5); !ok || v != 0 {
		t.Errorf("this ring has nobody: %d, %v", v, ok)
	}
	moved := mustBuild(t, []Node{{ID: "a"}, {ID: "node-0000", Weight: 1}}, Options{TableBits: 8})
	if _, _, ok := NewRoutes(r, moved, 0).Other(5); ok {
		t.Error("one node at two places is two nodes")
	}
}
