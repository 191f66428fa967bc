package ws

import (
	"bytes"
	"testing"

	gobwas "github.com/gobwas/ws"
)

// TestCipher compares the cipher that we rely on with RFC 6455, 5.3 at every offset and
// alignment, and that it stays inside.
func TestCipher(t *testing.T) {
	for n := range 150 {
		for at := range 5 {
			for align := range 9 {
				buf := bytes.Repeat([]byte{0xA5}, align+n+8)
				got := buf[align : align+n]
				gobwas.Cipher(got, testMask, at)
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
