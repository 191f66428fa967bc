package stamp

import "bytes"

// A filler is a stretch of one template of characters, which is random but the
// same in every process, beginning at a place that depends on the message: to
// check one is to compare it with the template, at the speed of memcmp, and the
// filler of one message does not pass as that of another. The template goes
// round; its length is a prime, so that no power of two of buffers lost or
// repeated leaves a filler as it was.
const templateLen = 8191

var template = func() (t [templateLen]byte) {
	x := uint64(0x9e3779b97f4a7c15)
	for i := range t {
		x ^= x << 13 // xorshift64 (Marsaglia 2003): the template must never change
		x ^= x >> 7
		x ^= x << 17
		t[i] = alphabet[x>>58]
	}
	return t
}()

// begin is where in the template the filler of a message begins. Messages that
// follow each other begin far from each other.
func begin(s *Stamp) int {
	h := uint64(s.Number)*0x9e3779b97f4a7c15 + uint64(s.Run)<<24 + uint64(s.Phase)<<16 + uint64(s.Publish)
	return int((h ^ h>>29) % templateLen)
}

func appendFiller(dst []byte, s *Stamp, n int) []byte {
	for at := begin(s); n > 0; at = 0 {
		part := template[at:min(at+n, templateLen)]
		dst = append(dst, part...)
		n -= len(part)
	}
	return dst
}

func isFiller(body []byte, s *Stamp) bool {
	for at := begin(s); len(body) > 0; at = 0 {
		part := template[at:min(at+len(body), templateLen)]
		if !bytes.Equal(body[:len(part)], part) {
			return false
		}
		body = body[len(part):]
	}
	return true
}
