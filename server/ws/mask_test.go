package ws

import (
	"bytes"
	"fmt"
	"testing"

	gobwas "github.com/gobwas/ws"
)

// TestXorMask compares the cipher with RFC 6455, 5.3 at every offset and
// alignment, and that it stays inside.
func TestXorMask(t *testing.T) {
	for n := range 2 * longMask {
		for at := range 5 {
			for align := range 9 {
				buf := bytes.Repeat([]byte{0xA5}, align+n+8)
				got := buf[align : align+n]
				xorMask(got, testMask, at)
				for i, b := range buf {
					want := byte(0xA5)
					if i >= align && i < align+n {
						want ^= testMask[(at+i-align)%4]
					}
					if b != want {
						t.Fatalf("n=%d at=%d align=%d: byte %d is %x", n, at, align, i, b)
					}
				}
			}
		}
	}
}

// BenchmarkMask shows where longMask comes from.
func BenchmarkMask(b *testing.B) {
	for _, n := range []int{16, 64, 100, 127, 128, 1024} {
		buf := make([]byte, n)
		b.Run(fmt.Sprintf("mask/size=%d", n), func(b *testing.B) {
			for b.Loop() {
				xorMask(buf, testMask, 0)
			}
		})
		b.Run(fmt.Sprintf("library/size=%d", n), func(b *testing.B) {
			for b.Loop() {
				gobwas.Cipher(buf, testMask, 0)
			}
		})
	}
}
