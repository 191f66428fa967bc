package ws

import (
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// completions are tails of up to three bytes among which every begun UTF-8
// sequence finds one that completes it.
var completions = makeCompletions()

func makeCompletions() []string {
	tails := []string{""}
	for from, round := 0, 0; round < 3; round++ {
		for end := len(tails); from < end; from++ {
			for _, b := range []string{"\x80", "\x90", "\xA0", "\xBF"} {
				tails = append(tails, tails[from]+b)
			}
		}
	}
	return tails
}

// viable is the slow definition of "not wrong yet": some tail makes it valid.
func viable(p []byte) bool {
	for _, tail := range completions {
		if utf8.ValidString(string(p) + tail) {
			return true
		}
	}
	return false
}

// firstBad is the length of the shortest prefix that nothing can complete, or
// len(p)+1.
func firstBad(p []byte) int {
	for i := range len(p) + 1 {
		if !viable(p[:i]) {
			return i
		}
	}
	return len(p) + 1
}

// checkText compares feed on p, whole, bytewise and cut anywhere, with firstBad
// and utf8.Valid.
func checkText(t *testing.T, p []byte) {
	t.Helper()
	bad := firstBad(p)
	s, ok := textDone.feed(p)
	if ok != (bad > len(p)) || ok && (s == textDone) != utf8.Valid(p) {
		t.Fatalf("%q: feed = %d, %v; first bad prefix %d, valid %v", p, s, ok, bad, utf8.Valid(p))
	}
	for i := range len(p) + 1 {
		s, ok := textDone.feed(p[:i])
		if ok != (bad > i) {
			t.Fatalf("%q: feed of %d bytes = %v; first bad prefix %d", p, i, ok, bad)
		}
		if !ok {
			continue
		}
		if s2, ok2 := s.feed(p[i:]); ok2 != (bad > len(p)) || ok2 && (s2 == textDone) != utf8.Valid(p) {
			t.Fatalf("%q cut at %d: %d, %v", p, i, s2, ok2)
		}
	}
	s = textDone
	for i, b := range p {
		if s, ok = s.feed([]byte{b}); ok != (bad > i+1) {
			t.Fatalf("%q bytewise: byte %d gives %v; first bad prefix %d", p, i, ok, bad)
		}
		if !ok {
			break
		}
	}
}

// edges has a byte of each kind that RFC 3629 tells apart.
var edges = []byte{0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF}

// TestTextEdges takes all sequences of up to three edge bytes and those of four
// that begin a character.
func TestTextEdges(t *testing.T) {
	for _, a := range edges {
		checkText(t, []byte{a})
		for _, b := range edges {
			checkText(t, []byte{a, b})
			for _, c := range edges {
				checkText(t, []byte{a, b, c})
			}
		}
	}
	for _, a := range []byte{0xF0, 0xF1, 0xF3, 0xF4} {
		for _, b := range edges {
			for _, c := range []byte{0x7F, 0x80, 0xBF, 0xC2} {
				for _, d := range []byte{0x7F, 0x80, 0xBF, 0xC2} {
					checkText(t, []byte{a, b, c, d, 'z'})
				}
			}
		}
	}
}

func TestTextRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	runes := []rune{'a', 'z', 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF}
	for range 2000 {
		var p []byte
		for range r.IntN(12) {
			p = utf8.AppendRune(p, runes[r.IntN(len(runes))])
		}
		if len(p) > 0 && r.IntN(2) == 0 {
			p[r.IntN(len(p))] = edges[r.IntN(len(edges))]
		}
		checkText(t, p)
	}
}

// TestTextStep: the fast path and the state machine agree on every byte pair.
func TestTextStep(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			p := []byte{byte(a), byte(b)}
			s, ok := textDone.step(p[0])
			if ok {
				s, ok = s.step(p[1])
			}
			if ok != viable(p) || ok && (s == textDone) != utf8.Valid(p) {
				t.Fatalf("%q: %d, %v", p, s, ok)
			}
		}
	}
}
