//go:build !race

package proxyproto

import "testing"

func TestAllocsPerHeader(t *testing.T) {
	for _, v := range vectors {
		in := []byte(v.in)
		if n := testing.AllocsPerRun(100, func() { _, _, _ = Parse(in) }); n != 0 {
			t.Errorf("%s: %.0f allocations", v.name, n)
		}
	}
}
