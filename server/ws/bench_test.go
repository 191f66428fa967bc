package ws

import (
	"fmt"
	"testing"

	"github.com/klauspost/compress/flate"
)

var sizes = []int{16, 128, 1024, 16384}

// text returns n bytes as devices send them.
func text(n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, `{"t":"up","ch":"state","seq":%d,"p":{"temp":%d.%d}},`, 1000+i, 20+i%7, i%10)
	}
	return b[:n]
}

// benchParse charges unmasking and parsing of one message; the copy that
// brings back the masked bytes is charged too (memmove, a few ns).
func benchParse(b *testing.B, cfg *Config, wire []byte, cut int) {
	in := make([]byte, len(wire))
	var p Parser
	p.Reset(cfg)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		copy(in, wire)
		rest := in
		if cut > 0 {
			if ev, _, err := p.Next(in[:cut]); ev.Kind != Short || err != nil {
				b.Fatal(ev.Kind, err)
			}
			rest = in[cut:]
		}
		if ev, n, err := p.Next(rest); ev.Kind == Short || n != len(rest) || err != nil {
			b.Fatal(ev.Kind, n, err)
		}
	}
}

// ring1 lends one buffer again and again: what a loop's pool does when warm.
type ring1 struct{ b []byte }

func (r *ring1) Get(n int) []byte {
	if cap(r.b) < n {
		return make([]byte, 0, n)
	}
	b := r.b
	r.b = nil
	return b[:0]
}

func (r *ring1) Put(b []byte) {
	if cap(b) > cap(r.b) {
		r.b = b
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range sizes {
		server := &Config{Buffers: &ring1{make([]byte, 0, 1<<17)}}
		msg := AppendMasked(nil, OpText, testMask, text(n))
		b.Run(fmt.Sprintf("parse/size=%d", n), func(b *testing.B) { benchParse(b, server, msg, 0) })
		b.Run(fmt.Sprintf("parse-binary/size=%d", n), func(b *testing.B) { benchParse(b, server, AppendMasked(nil, OpBinary, testMask, text(n)), 0) })
		b.Run(fmt.Sprintf("parse-split/size=%d", n), func(b *testing.B) { benchParse(b, server, msg, len(msg)/2) })
		b.Run(fmt.Sprintf("parse-split-header/size=%d", n), func(b *testing.B) { benchParse(b, server, msg, 1) })
		client := &Config{Role: Client}
		b.Run(fmt.Sprintf("parse-client/size=%d", n), func(b *testing.B) { benchParse(b, client, AppendFrame(nil, OpText, text(n)), 0) })
		zip := &Config{Deflate: true, Inflater: NewInflater(), Buffers: &ring1{make([]byte, 0, 1<<17)}}
		msg = AppendMaskedFrame(nil, Header{Fin: true, Rsv: RSV1, OpCode: OpText, Mask: testMask}, NewDeflater().Deflate(nil, text(n), 15))
		b.Run(fmt.Sprintf("parse-deflate/size=%d", n), func(b *testing.B) { benchParse(b, zip, msg, 0) })
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range sizes {
		payload, dst := text(n), make([]byte, 0, n+MaxHeader)
		b.Run(fmt.Sprintf("frame/size=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				AppendFrame(dst, OpText, payload)
			}
		})
		b.Run(fmt.Sprintf("masked/size=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				AppendMasked(dst, OpText, testMask, payload)
			}
		})
	}
}

// BenchmarkDeflate compares Deflater with the stateless compressor.
func BenchmarkDeflate(b *testing.B) {
	for _, n := range []int{128, 512, 1024, 16384} {
		payload, dst := text(n), make([]byte, 0, 2*n)
		d := NewDeflater()
		for _, bits := range []int{9, 15} {
			b.Run(fmt.Sprintf("deflate/bits=%d/size=%d", bits, n), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(n))
				out := 0
				for b.Loop() {
					out = len(d.Deflate(dst, payload, bits))
				}
				b.ReportMetric(float64(out), "B/out")
			})
		}
		b.Run(fmt.Sprintf("stateless/size=%d", n), func(b *testing.B) {
			var s sink
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				s.buf = dst
				if err := flate.StatelessDeflate(&s, payload, false, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(s.buf)-4), "B/out")
		})
	}
}

// BenchmarkInflate charges one message to the loop's Inflater.
func BenchmarkInflate(b *testing.B) {
	for _, n := range []int{128, 512, 1024, 16384} {
		payload, dst := NewDeflater().Deflate(nil, text(n), 15), make([]byte, 0, n)
		b.Run(fmt.Sprintf("size=%d", n), func(b *testing.B) {
			z := NewInflater()
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				if _, err := z.Inflate(dst, payload, n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUpgrade(b *testing.B) {
	in, out := []byte(good), make([]byte, 0, 1024)
	var req Request
	b.Run("upgrade", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseRequest(in, &req); err != nil {
				b.Fatal(err)
			}
			if e := CheckUpgrade(&req); e != nil {
				b.Fatal(e)
			}
			proto, _ := req.SelectProtocol("roost.v1.json", "roost.v1.bin")
			d, _ := Negotiate(req.Extensions)
			AppendUpgrade(out, &req, proto, &d)
		}
	})
	b.Run("short", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseRequest(in[:len(in)-1], &req); err != ErrShort {
				b.Fatal(err)
			}
		}
	})
	creq, answer := clientRequest(), []byte(goodResponse)
	var resp Response
	b.Run("client", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := AppendRequest(out, creq); err != nil {
				b.Fatal(err)
			}
			if _, err := ParseResponse(answer, creq, &resp); err != nil {
				b.Fatal(err)
			}
		}
	})
}
