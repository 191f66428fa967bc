//go:build !race

package ws

import (
	"bytes"
	"testing"
)

// pool is a Buffers as a loop has it: what comes back is lent again.
type pool struct{ free [][]byte }

func (p *pool) Get(n int) []byte {
	for i := len(p.free) - 1; i >= 0; i-- {
		if b := p.free[i]; cap(b) >= n {
			p.free[i] = p.free[len(p.free)-1]
			p.free = p.free[:len(p.free)-1]
			return b[:0]
		}
	}
	return make([]byte, 0, n)
}

func (p *pool) Put(b []byte) { p.free = append(p.free, b) }

// noAllocs is the gate: once warm, f allocates nothing.
func noAllocs(t *testing.T, name string, f func()) {
	t.Helper()
	for range 10 {
		f()
	}
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations", name, n)
	}
}

func TestAllocsParse(t *testing.T) {
	cfg := &Config{Deflate: true, Inflater: NewInflater(), Buffers: &pool{}}
	d := NewDeflater()
	text := bytes.Repeat([]byte("roost ☕ "), 100)
	wire := join(
		AppendMasked(nil, OpText, testMask, text), AppendMasked(nil, OpPing, testMask, []byte("ping")),
		masked(OpText, false, "a\xC3"), masked(OpPing, true, "between"), masked(OpContinuation, true, "\xA4"),
		AppendMaskedFrame(nil, Header{Fin: true, Rsv: RSV1, OpCode: OpText, Mask: testMask}, d.Deflate(nil, text, 15)),
		AppendMasked(nil, OpBinary, testMask, make([]byte, 5000)),
	)
	in := make([]byte, len(wire))
	for _, step := range []int{len(wire), 1000, 7, 1} {
		var p Parser
		p.Reset(cfg)
		noAllocs(t, "parse", func() {
			copy(in, wire)
			events := 0
			for from := 0; from < len(in); from += step {
				piece := in[from:min(from+step, len(in))]
				for {
					ev, n, err := p.Next(piece)
					if err != nil {
						t.Fatal(err)
					}
					if ev.Kind == Short {
						break
					}
					events++
					piece = piece[n:]
				}
			}
			if events != 6 || !p.Idle() {
				t.Fatal("events", events)
			}
			p.Release()
		})
	}
	bad := masked(OpText, true, "\xFF")
	var p Parser
	noAllocs(t, "protocol error", func() {
		p.Reset(cfg)
		copy(in, bad)
		if _, _, err := p.Next(in[:len(bad)]); err == nil {
			t.Fatal("no error")
		}
	})
}

func TestAllocsWrite(t *testing.T) {
	dst := make([]byte, 0, 4096)
	payload := make([]byte, 500)
	noAllocs(t, "write", func() {
		out := AppendFrame(dst, OpText, payload)
		out = AppendFragment(out, OpText, false, payload)
		out = AppendMasked(out, OpText, testMask, payload)
		out = AppendClose(out, 1000, "bye")
		out = AppendMaskedClose(out, testMask, 1000, "bye")
		_ = AppendFrameRSV1(out, OpText, payload)
	})
}

func TestAllocsHandshake(t *testing.T) {
	in := []byte(good)
	out := make([]byte, 0, 4096)
	var req Request
	noAllocs(t, "server handshake", func() {
		if _, next, err := ParseRequestFrom(in[:200], 0, &req); err != ErrShort || next == 0 {
			t.Fatal(err)
		}
		if _, err := ParseRequest(in, &req); err != nil {
			t.Fatal(err)
		}
		if e := CheckUpgrade(&req); e != nil {
			t.Fatal(e)
		}
		proto, _ := req.SelectProtocol("roost.v1.json", "roost.v1.bin")
		d, _ := Negotiate(req.Extensions)
		AppendUpgrade(out, &req, proto, &d)
		ErrVersion.AppendResponse(out)
		QueryValue(req.RawQuery, "hop", out)
	})
	creq := clientRequest()
	answer := []byte(goodResponse)
	var resp Response
	noAllocs(t, "client handshake", func() {
		if _, err := AppendRequest(out, creq); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseResponse(answer, creq, &resp); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAllocsDeflate(t *testing.T) {
	d, z := NewDeflater(), NewInflater()
	dst, back := make([]byte, 0, 1<<17), make([]byte, 0, 1<<17)
	for name, data := range samples() {
		for _, bits := range []int{8, 12, 15} {
			noAllocs(t, name, func() {
				out := d.Deflate(dst, data, bits)
				if _, err := z.Inflate(back, out, len(data)); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}
