//go:build !race

package ring

import (
	"strings"
	"testing"
)

// TestLookupAlloc: a lookup allocates nothing, whatever the key's length.
func TestLookupAlloc(t *testing.T) {
	r := mustBuild(t, equalNodes(40), Options{})
	var h Holder
	h.Store(NewRoutes(r, r, 500))
	dst := make([]Index, 0, 32)
	for _, n := range []int{0, 3, 8, 9, 16, 17, 240, 5000} {
		key := strings.Repeat("k", n)
		bytes := []byte(key)
		for name, f := range map[string]func(){
			"Lookup":        func() { r.Lookup(key) },
			"LookupBytes":   func() { r.LookupBytes(bytes) },
			"Routes.Lookup": func() { h.Load().Lookup(key) },
			"Routes bytes":  func() { h.Load().LookupBytes(bytes) },
			"Other":         func() { h.Load().Other(HashBytes(bytes)) },
			"LookupN":       func() { r.LookupN(dst[:0], key, 3) },
			"LookupN many":  func() { r.LookupN(dst[:0], key, 30) },
		} {
			if got := testing.AllocsPerRun(100, f); got != 0 {
				t.Errorf("%s of %d bytes: %v allocations", name, n, got)
			}
		}
	}
}
