package subject

import (
	"testing"

	"roost/ring"
)

// TestLanes: the ways to ask roost's ring give the same answers.
func TestLanes(t *testing.T) {
	keys := NewKeys(4096, 4)
	lanes, err := Lanes(Nodes(16), func(s Subject) bool { return s.Name == jumpPeer.Name })
	if err != nil {
		t.Fatal(err)
	}
	sums, peers := map[int]uint64{}, 0
	for _, l := range lanes {
		sum := l.Lookups(keys, keys.Len())
		switch {
		case l.Kind == KindPeer:
			peers++
		case l.Kind == KindRoost && l.Name != laneName && l.Name != laneCanary:
			if want, ok := sums[l.Points]; ok && sum != want {
				t.Errorf("%s x %d: the sum of the answers is %d, another way's %d", l.Name, l.Points, sum, want)
			}
			sums[l.Points] = sum
		}
		if sum == 0 || l.Chain(keys, 100) == 0 {
			t.Errorf("%s: no answers", l.Name)
		}
	}
	if peers != 1 || len(sums) != 2 {
		t.Errorf("%d peers, rings with %d numbers of points", peers, len(sums))
	}
}

// TestFloorHash: the floor's XXH3 is roost's.
func TestFloorHash(t *testing.T) {
	keys := NewKeys(4096, 5)
	for i := range keys.Len() {
		if k := keys.At(i); xxhFold(k) != ring.Hash(k) {
			t.Fatalf("%x: %x, want %x", k, xxhFold(k), ring.Hash(k))
		}
	}
}

// TestKeys: keys differ, come back the same, and a chain's lie within its bytes.
func TestKeys(t *testing.T) {
	a, b := NewKeys(2048, 6), NewKeys(2048, 6)
	seen := map[string]bool{}
	for i := range a.Len() {
		if a.At(i) != b.At(i) || a.At(i) != string(a.bytesAt(i)) || a.At(i) != a.At(i+a.Len()) || a.hashAt(i) != ring.Hash(a.At(i)) {
			t.Fatalf("key %d is not one", i)
		}
		seen[a.At(i)] = true
	}
	if len(seen) != a.Len() {
		t.Errorf("%d keys differ, of %d", len(seen), a.Len())
	}
	clear(seen)
	for i := range chainBytes {
		k := a.after(i, i%3)
		if len(k) != KeyLen || k != string(a.bytesAfter(i, i%3)) {
			t.Fatalf("key %d of a chain is %x", i, k)
		}
		seen[a.after(i, 0)] = true
	}
	if len(seen) != chainBytes {
		t.Errorf("a chain has %d keys, want %d", len(seen), chainBytes)
	}
}
