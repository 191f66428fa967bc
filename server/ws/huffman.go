package ws

import (
	"encoding/binary"
	"math/bits"
)

const (
	maxCodeLen = 15 // bits of the longest DEFLATE code (RFC 1951, 3.2.7)
	fastBits   = 9  // codes up to this length take one table look-up
	maxLitLen  = 286
	maxDist    = 30
)

// huffman decodes one canonical code (RFC 1951, 3.2.2). Codes of up to
// fastBits bits, all that matter for speed, are one look-up; longer ones are
// walked bit by bit. The look-up table has 2^bits entries, no more than the
// longest code needs: for the short messages that we see, building tables
// costs more than using them.
type huffman struct {
	fast  [1 << fastBits]uint16 // symbol<<4 | code length; 0: longer, or no code
	bits  uint8
	count [maxCodeLen + 1]uint16
	syms  [288]uint16 // by code, that is by length and then by symbol
	used  [288]uint16 // for build: the symbols that have a code
}

// build makes the code of the given lengths (0: symbol not used). It refuses
// over-subscribed codes and incomplete ones but for the two that encoders
// make: no symbol at all, and one symbol of one bit.
func (h *huffman) build(lens []uint8) bool {
	used := h.countUsed(lens)
	var code, offset [maxCodeLen + 2]uint16
	left, longest := 1, uint8(1)
	for n := 1; n <= maxCodeLen; n++ {
		left = left<<1 - int(h.count[n])
		if left < 0 {
			return false
		}
		if h.count[n] > 0 {
			longest = uint8(n)
		}
		code[n+1] = (code[n] + h.count[n]) << 1
		offset[n+1] = offset[n] + h.count[n]
	}
	if left > 0 && len(used) != 0 && (len(used) != 1 || h.count[1] != 1) {
		return false
	}
	h.bits = min(longest, fastBits)
	table := h.fast[:1<<h.bits]
	if left > 0 || longest > fastBits {
		clear(table)
	}
	for _, sym := range used {
		n := lens[sym] & maxCodeLen
		c := code[n]
		code[n]++
		h.syms[offset[n]] = sym
		offset[n]++
		if n <= fastBits {
			// Codes are packed from their top bit on, everything else from
			// the low bit (RFC 1951, 3.1.1).
			for i := int(bits.Reverse16(c) >> (16 - n)); i < len(table); i += 1 << n {
				table[i] = sym<<4 | uint16(n)
			}
		}
	}
	return true
}

// countUsed counts the lengths and lists the symbols that have one. Most have
// none in a short message: those go by eight at a time.
func (h *huffman) countUsed(lens []uint8) []uint16 {
	h.count = [maxCodeLen + 1]uint16{}
	used := h.used[:0]
	for i := 0; i < len(lens); {
		if i+8 <= len(lens) && binary.LittleEndian.Uint64(lens[i:]) == 0 {
			i += 8
			continue
		}
		for end := min(i+8, len(lens)); i < end; i++ {
			if n := lens[i]; n != 0 {
				h.count[n&maxCodeLen]++
				used = append(used, uint16(i))
			}
		}
	}
	return used
}

// walk decodes one symbol bit by bit from the low end of acc, of which n bits
// are valid.
func (h *huffman) walk(acc uint64, n uint) (sym uint16, used uint, ok bool) {
	var code, first, index uint16
	for used = 1; used <= min(n, maxCodeLen); used++ {
		code |= uint16(acc & 1)
		acc >>= 1
		if count := h.count[used]; code-first < count {
			return h.syms[index+code-first], used, true
		} else {
			index += count
			first = (first + count) << 1
			code <<= 1
		}
	}
	return 0, 0, false
}

// The fixed code (RFC 1951, 3.2.6) and the length and distance symbols
// (3.2.5), made once and read only.
var (
	fixedLit, fixedDist = makeFixed()

	lenBase   = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lenExtra  = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase  = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}

	// codeOrder is the order of the code length code (RFC 1951, 3.2.7).
	codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

func makeFixed() (lit, dist *huffman) {
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144, i >= 280:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		default:
			lens[i] = 7
		}
	}
	lit, dist = new(huffman), new(huffman)
	lit.build(lens[:])
	for i := range 32 {
		lens[i] = 5
	}
	dist.build(lens[:32])
	return lit, dist
}
