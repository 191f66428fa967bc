package proxyproto

import "testing"

// BenchmarkParse is what the header adds to a connect.
func BenchmarkParse(b *testing.B) {
	for _, v := range vectors {
		if v.name != "2.1 example" && v.name != "2.1 longest TCP6" && v.name != "2.2 TCP over IPv4" {
			continue
		}
		b.Run(v.name, func(b *testing.B) {
			in := []byte(v.in)
			b.ReportAllocs()
			for b.Loop() {
				if _, n, err := Parse(in); err != nil || n != len(in) {
					b.Fatal(n, err)
				}
			}
		})
	}
}
