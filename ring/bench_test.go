package ring

import (
	"fmt"
	"testing"
)

// benchKeys are 16-byte ids.
func benchKeys() []string {
	keys := make([]string, 4096)
	for i := range keys {
		keys[i] = fmt.Sprintf("%016x", Hash(fmt.Sprint(i)))
	}
	return keys
}

// BenchmarkLookup charges the hash of a 16-byte id and the load of the pointer.
func BenchmarkLookup(b *testing.B) {
	keys := benchKeys()
	for _, n := range []int{16, 256, 1024} {
		r := mustBuild(b, equalNodes(n), Options{})
		var h Holder
		h.Store(NewRoutes(r, nil, 0))
		b.Run(fmt.Sprintf("ring/nodes=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var sum Index
			for i := range b.N {
				sum += r.Lookup(keys[i&4095])
			}
			sink = sum
		})
		b.Run(fmt.Sprintf("holder/nodes=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var sum Index
			for i := range b.N {
				_, v := h.Load().Lookup(keys[i&4095])
				sum += v
			}
			sink = sum
		})
	}
}

func BenchmarkLookupN(b *testing.B) {
	keys := benchKeys()
	r := mustBuild(b, equalNodes(256), Options{})
	dst := make([]Index, 0, 8)
	b.ReportAllocs()
	for i := range b.N {
		dst = r.LookupN(dst[:0], keys[i&4095], 3)
	}
	sink = dst[0]
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{16, 256, 1024} {
		nodes := equalNodes(n)
		for _, raw := range []bool{true, false} {
			b.Run(fmt.Sprintf("nodes=%d/calibrated=%v", n, !raw), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					mustBuild(b, nodes, Options{Raw: raw})
				}
			})
		}
	}
}

// BenchmarkReweight charges one node's change by 10 %, from the change to the
// ring that a Holder can store.
func BenchmarkReweight(b *testing.B) {
	for _, n := range []int{16, 256, 1024} {
		nodes := equalNodes(n)
		r := mustBuild(b, nodes, Options{})
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				node := nodes[i%n]
				node.Weight = 1.1
				if _, err := r.Apply(2, Change{Set: []Node{node}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var sink Index
