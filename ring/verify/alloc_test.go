//go:build !race

package verify

import (
	"fmt"
	"testing"
)

// TestAddAllocs: once the tables have grown, a line costs no allocation.
func TestAddAllocs(t *testing.T) {
	c := both(t, Options{MostIDs: 1 << 12}, nodes(16, equal))
	ids := make([][]byte, 1000)
	for i := range ids {
		ids[i] = fmt.Appendf(nil, "device-%09d", i)
	}
	i := 0
	line := func() {
		if err := c.Add(ids[i%len(ids)], 1); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range 20_000 {
		line()
	}
	if n := testing.AllocsPerRun(5000, line); n != 0 {
		t.Errorf("%v allocations a line", n)
	}
}
