package stamp

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func drawStamp(t *rapid.T) Stamp {
	return Stamp{
		Run:     rapid.Uint32().Draw(t, "run"),
		Phase:   rapid.Uint16().Draw(t, "phase"),
		Publish: rapid.Uint16().Draw(t, "publish"),
		Number:  rapid.Uint32().Draw(t, "number"),
		Seq:     rapid.Uint32().Draw(t, "seq"),
		Due:     rapid.Int64().Draw(t, "due"),
		Sent:    rapid.Int64().Draw(t, "sent"),
	}
}

// TestRoundTrip: a payload says what was put into it, has its size, and needs no
// escaping in JSON.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStamp(t)
		size := rapid.IntRange(-5, 3*templateLen).Draw(t, "size")
		p := Append([]byte("x"), &s, size)[1:]
		if len(p) != max(size, Len) {
			t.Fatalf("%d bytes, want %d", len(p), size)
		}
		got, err := Parse(p, s.Run)
		if err != nil || got != s {
			t.Fatalf("%+v, %v, want %+v", got, err, s)
		}
		if text, _ := json.Marshal(string(p)); len(text) != len(p)+2 {
			t.Fatalf("JSON escapes something of %s", p)
		}
		if got, err := Parse(p, s.Run+1); !errors.Is(err, ErrOtherRun) || got != s {
			t.Fatalf("in another run: %+v, %v", got, err)
		}
		frame := append([]byte(`42["m","~R`), p...)
		frame = append(frame, `"~R1~]`...)
		if got := Find(frame); !bytes.Equal(got, p) {
			t.Fatalf("found %s in %s", got, frame)
		}
	})
}

// TestEveryByteCounts: each byte of a payload is changed to each other value,
// and each length is cut off: nothing of that passes.
func TestEveryByteCounts(t *testing.T) {
	s := Stamp{Run: 7, Phase: 2, Publish: 1, Number: 99, Seq: 98, Due: 1e9, Sent: 1e9 + 5}
	p := Append(nil, &s, 100)
	for i := range p {
		was := p[i]
		for c := range 256 {
			if p[i] = byte(c); p[i] == was {
				continue
			}
			got, err := Parse(p, 7)
			want := ErrBody
			switch {
			case i < len(magic):
				want = ErrNone
			case i < Len:
				want = ErrBroken
			}
			if !errors.Is(err, want) || got != (Stamp{}) && want != ErrBody {
				t.Fatalf("byte %d is %q: %+v, %v, want %v", i, rune(c), got, err, want)
			}
		}
		p[i] = was
	}
	for n := range p {
		if _, err := Parse(p[:n], 7); err == nil {
			t.Fatalf("the first %d bytes pass", n)
		}
	}
	if _, err := Parse(append(p, 'x'), 7); !errors.Is(err, ErrBody) {
		t.Errorf("with a byte more: %v", err)
	}
}

// TestBodiesAreNotExchangeable: the filler of one message does not pass behind
// the stamp of the next ones.
func TestBodiesAreNotExchangeable(t *testing.T) {
	a := Append(nil, &Stamp{Run: 7, Number: 1000}, 100)
	for n := range uint32(500) {
		s := Stamp{Run: 7, Number: 1001 + n}
		b := Append(nil, &s, 100)
		if _, err := Parse(append(b[:Len:Len], a[Len:]...), 7); !errors.Is(err, ErrBody) {
			t.Fatalf("the body of message 1000 passes as that of %d", s.Number)
		}
	}
}

func TestFindWhatIsNotWhole(t *testing.T) {
	s := Stamp{Run: 1}
	p := Append(nil, &s, 200)
	for _, frame := range []string{"", "~", "~R1", `{"type":"hello"}`} {
		if Find([]byte(frame)) != nil {
			t.Errorf("found something in %q", frame)
		}
	}
	cut := append([]byte("a"), p[:150]...)
	if got := Find(cut); !bytes.Equal(got, p[:150]) {
		t.Errorf("found %q", got)
	}
	broken := bytes.Clone(p)
	broken[20] ^= 1
	if got := Find(append([]byte("ab"), broken...)); !bytes.Equal(got, broken) {
		t.Errorf("found %q", got)
	}
}

// FuzzParse: nothing panics, and what passes is what Append makes.
func FuzzParse(f *testing.F) {
	s := Stamp{Run: 1, Phase: 2, Publish: 3, Number: math.MaxUint32, Seq: 5, Due: -1, Sent: math.MaxInt64}
	f.Add(Append(nil, &s, 130))
	f.Add([]byte("~R1~"))
	f.Add([]byte(`{"m":"~R1~"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Parse(in, 1)
		if err == nil && !bytes.Equal(Append(nil, &got, len(in)), in) {
			t.Errorf("%q passes as %+v", in, got)
		}
		if p := Find(in); p != nil && !bytes.Contains(in, p) {
			t.Errorf("found %q in %q", p, in)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, size := range []int{Len, 128, 4096} {
		s := Stamp{Run: 1, Number: 12345, Due: 1e15, Sent: 1e15}
		p := Append(nil, &s, size)
		b.Run(sizeName(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(p, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	s := Stamp{Run: 1, Number: 12345, Due: 1e15, Sent: 1e15}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], &s, 128)
	}
}

func sizeName(n int) string {
	switch n {
	case 128:
		return "128B"
	case 4096:
		return "4KiB"
	}
	return "stamp"
}
