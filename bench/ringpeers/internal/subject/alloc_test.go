//go:build !race

package subject

import (
	"slices"
	"testing"
)

// TestLoopsAllocateNothing: the loops add no allocation to a lookup; what is
// counted is the library's.
func TestLoopsAllocateNothing(t *testing.T) {
	keys := NewKeys(4096, 7)
	lanes, err := Lanes(Nodes(4), func(Subject) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	// These copy each key, or box it.
	allocating := []string{serialx.Name, groupcache.Name, goZero.Name}
	for _, l := range lanes {
		n := testing.AllocsPerRun(10, func() { l.Lookups(keys, 100) })
		if n != 0 && !slices.Contains(allocating, l.Name) {
			t.Errorf("%s: %v allocations for 100 lookups", l.Name, n)
		}
	}
}
