package ws

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// samples are payloads of every shape that compressors treat differently.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 70000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	var words []byte
	for len(words) < 100000 {
		words = fmt.Appendf(words, `{"t":"msg","seq":%d,"p":{"temp":%d.%d}}`, r.IntN(1e6), r.IntN(90), r.IntN(10))
	}
	skewed := make([]byte, 50000) // long codes: frequencies that halve
	for i := range skewed {
		skewed[i] = byte(min(r.Uint32(), r.Uint32(), r.Uint32(), r.Uint32()) >> 22 & 0xFF)
		for r.IntN(2) == 0 {
			skewed[i]++
		}
	}
	return map[string][]byte{
		"one":    {'x'},
		"hello":  []byte("Hello"),
		"text":   words[:300],
		"texts":  words,
		"noise":  noise[:1000],
		"noises": noise,
		"zeros":  make([]byte, 60000),
		"pairs":  bytes.Repeat([]byte("ab"), 400),
		"skewed": skewed,
		"far":    append(append(bytes.Clone(noise[:32768]), noise[:300]...), noise[100:32768]...),
	}
}

// TestPureInflateStd inflates what the standard library compresses at all levels,
// flushed in the middle too, and compares both twins.
func TestPureInflateStd(t *testing.T) {
	z := NewInflater()
	for name, data := range samples() {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			var buf bytes.Buffer
			w, err := flate.NewWriter(&buf, level)
			if err != nil {
				t.Fatal(err)
			}
			half := len(data) / 2
			for _, part := range [][]byte{data[:half], data[half:]} {
				w.Write(part)
				w.Flush()
			}
			payload := buf.Bytes()[:buf.Len()-4]
			out, err := z.Inflate([]byte("head"), payload, len(data))
			if err != nil || string(out[:4]) != "head" || !bytes.Equal(out[4:], data) {
				t.Fatalf("%s level %d: %v", name, level, err)
			}
			if len(data) > 0 {
				if out, err = z.Inflate(nil, payload, len(data)-1); err != error(ErrInflatedTooBig) && len(data) > 1 || len(out) >= len(data) && len(data) > 1 {
					t.Fatalf("%s level %d, one byte less allowed: %d bytes, %v", name, level, len(out), err)
				}
			}
			if level == 6 && len(data) < 1000 {
				if slow, err := slowInflate(payload, len(data)); err != nil || !bytes.Equal(slow, data) {
					t.Fatalf("%s: slow twin: %v", name, err)
				}
			}
		}
	}
}

// TestInflateCut: a payload without its end is an error, never a shorter message.
func TestInflateCut(t *testing.T) {
	z := NewInflater()
	for name, data := range samples() {
		payload := NewDeflater().Deflate(nil, data[:min(len(data), 400)], 15)
		for i := 1; i < len(payload); i++ {
			slow, serr := slowInflate(payload[:i], 1000)
			out, err := z.Inflate(nil, payload[:i], 1000)
			if err != serr || err == nil && !bytes.Equal(out, slow) {
				t.Fatalf("%s cut at %d: %d bytes, %v; slow twin %d bytes, %v", name, i, len(out), err, len(slow), serr)
			}
			if err == nil && bytes.Equal(out, data) {
				t.Fatalf("%s cut at %d: nothing is missing?", name, i)
			}
		}
	}
}

// twins fails the test if Inflater and the slow twin differ on a payload.
func twins(t *testing.T, z *Inflater, payload []byte) {
	t.Helper()
	slow, serr := slowInflate(payload, 1000)
	out, err := z.Inflate(nil, payload, 1000)
	if err != serr || err == nil && !bytes.Equal(out, slow) {
		t.Fatalf("%x: %q, %v; slow twin %q, %v", payload, out, err, slow, serr)
	}
}

// TestPureInflateExhaustive takes all payloads of up to two bytes.
func TestPureInflateExhaustive(t *testing.T) {
	z := NewInflater()
	for a := range 256 {
		twins(t, z, []byte{byte(a)})
		for b := range 256 {
			twins(t, z, []byte{byte(a), byte(b)})
		}
	}
}

// TestInflateBroken flips each of the first bits of streams with dynamic codes.
func TestInflateBroken(t *testing.T) {
	z := NewInflater()
	all := samples()
	for _, name := range []string{"text", "skewed"} {
		payload := NewDeflater().Deflate(nil, all[name][:300], 15)
		for bit := range 8 * min(len(payload), 60) {
			payload[bit/8] ^= 1 << (bit % 8)
			twins(t, z, payload)
			payload[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// TestInflateVectors has the edges of RFC 1951 and RFC 7692.
func TestInflateVectors(t *testing.T) {
	for _, c := range []struct {
		name, in, out string
		err           error
	}{
		{"no byte", "", "", nil},
		{"7.2.3.6 empty", "\x00", "", nil},
		{"empty fixed block", "\x02\x00", "", nil},
		{"two empty stored blocks", "\x00\x00\x00\xff\xff\x00", "", nil},
		{"7.2.3.4 BFINAL and an empty block", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello", nil},
		{"BFINAL without the empty block", "\xf3\x48\xcd\xc9\xc9\x07\x00", "Hello", nil},
		{"BFINAL stored", "\x01\x05\x00\xfa\xffHello", "Hello", nil},
		{"BFINAL in the cut block", "\x01", "", nil},
		{"a stream behind a stream", "\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "HelloHello", nil},
		{"reserved block type", "\x06", "", ErrBadDeflate},
		{"reserved block type behind a good one", "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x06", "Hello", ErrBadDeflate},
		{"stored length does not match", "\x00\x05\x00\xfb\xffHello", "", ErrBadDeflate},
		{"stored block cut", "\x00\x05\x00\xfa\xffHel", "Hel", ErrBadDeflate},
		{"stored block eats the tail", "\x00\x04\x00\xfb\xff", "", ErrBadDeflate},
		{"stored length out of the tail", "\x00\xff", "", ErrBadDeflate},
		{"stored header cut", "\x00\x05\x00", "", ErrBadDeflate},
		{"last block ends in the tail", "\x03", "", ErrBadDeflate},
		{"rubbish behind the end", "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\xff", "Hello", ErrBadDeflate},
		{"distance before the begin", "\x03\x02\x00", "", ErrBadDeflate}, // fixed: length 3, distance 1
		{"too many literal codes", "\xfc\xff", "", ErrBadDeflate},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := NewInflater().Inflate(nil, []byte(c.in), 100)
			if err != c.err || err == nil && string(out) != c.out {
				t.Errorf("got %q, %v", out, err)
			}
			if slow, serr := slowInflate([]byte(c.in), 100); serr != err || err == nil && string(slow) != string(out) {
				t.Errorf("slow twin: %q, %v", slow, serr)
			}
		})
	}
}

// TestInflateStreamsDoNotMix: behind BFINAL no distance reaches the former
// stream, and none reaches what dst held.
func TestInflateStreamsDoNotMix(t *testing.T) {
	hello := "\xf3\x48\xcd\xc9\xc9\x07\x00"
	if out, err := NewInflater().Inflate(nil, []byte(hello+"\x03\x02\x00"), 100); err != error(ErrBadDeflate) {
		t.Errorf("behind a stream: %q, %v", out, err)
	}
	if _, err := NewInflater().Inflate([]byte("head"), []byte("\x03\x02\x00"), 100); err != error(ErrBadDeflate) {
		t.Errorf("behind dst: %v", err)
	}
}

// TestInflateBomb: 64 KiB of zeros compressed a thousandfold stop at the limit,
// and the memory does too.
func TestInflateBomb(t *testing.T) {
	payload := NewDeflater().Deflate(nil, make([]byte, 1<<20), 15)
	l := newLender(t)
	out, err := NewInflater().inflate(l, nil, payload, 1000)
	if err != ErrInflatedTooBig || len(out) > 1000 || l.peak > 2000 {
		t.Fatalf("%d bytes, peak %d, %v", len(out), l.peak, err)
	}
	l.Put(out)
	l.settled()
}

// TestDeflateWindow: whatever the payload, no distance is longer than the
// window that was agreed (RFC 7692, 7.1.2.1), and both twins and the standard
// library get the payload back.
func TestDeflateWindow(t *testing.T) {
	d := NewDeflater()
	for name, data := range samples() {
		for bits := 8; bits <= 15; bits++ {
			for _, n := range []int{1, 100, 256, 257, 300, 1 << bits, 1<<bits + 1, 5000, len(data)} {
				if n > len(data) {
					continue
				}
				payload := d.Deflate(nil, data[:n], bits)
				out, err := NewInflater().Inflate(nil, payload, n)
				if err != nil || !bytes.Equal(out, data[:n]) {
					t.Fatalf("%s bits %d n %d: %v", name, bits, n, err)
				}
				std, err := stdInflate(payload)
				if err != nil || !bytes.Equal(std, data[:n]) {
					t.Fatalf("%s bits %d n %d: std: %v", name, bits, n, err)
				}
				if n > 5000 && bits > 8 {
					continue // the slow twin is slow
				}
				far, err := maxDistance(payload)
				if err != nil || far > 1<<bits {
					t.Fatalf("%s bits %d n %d: distance %d, %v", name, bits, n, far, err)
				}
			}
		}
	}
}

func TestDeflateEdges(t *testing.T) {
	d := NewDeflater()
	if got := d.Deflate([]byte("x"), nil, 15); string(got) != "x\x00" {
		t.Errorf("empty payload: %q", got)
	}
	same := d.Deflate(nil, []byte("Hello"), 15)
	for _, bits := range []int{-1, 0, 7, 16, 99} {
		if got := d.Deflate(nil, []byte("Hello"), bits); !bytes.Equal(got, same) {
			t.Errorf("bits %d: %q", bits, got)
		}
	}
	text := strings.Repeat("roost ", 1000)
	if got := d.Deflate(nil, []byte(text), 8); len(got) > 200 {
		t.Errorf("6000 bytes of repetition became %d", len(got))
	}
}
