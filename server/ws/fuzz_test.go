package ws

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// FuzzParser compares the parser, bytewise and whole, with the reference after
// every byte; bit 0 of mode is the role, bit 1 Deflate, the rest the limits.
func FuzzParser(f *testing.F) {
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	for _, wire := range [][]byte{
		masked(OpText, true, "Hello"), plain(OpText, true, "Hello"),
		join(masked(OpText, false, "a\xC3"), masked(OpPing, true, "p"), masked(OpContinuation, true, "\xA4")),
		join(plain(OpBinary, false, "ab"), plain(OpPong, true, ""), plain(OpContinuation, false, ""), plain(OpContinuation, true, "c")),
		masked(OpClose, true, "\x03\xe8bye"), plain(OpClose, true, ""), plain(OpClose, true, "\x03"),
		frame(Header{Fin: true, Rsv: RSV1, OpCode: OpText, Masked: true, Mask: testMask}, hello),
		join(frame(Header{Rsv: RSV1, OpCode: OpText}, hello[:2]), plain(OpContinuation, true, hello[2:])),
		frame(Header{Fin: true, OpCode: OpBinary, Length: 1 << 62}, ""),
		plain(OpBinary, true, string(make([]byte, 300))), plain(OpText, true, "\xed\xa0\x80"),
	} {
		for mode := range uint8(4) {
			f.Add(wire, mode)
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte, mode uint8) {
		if len(wire) > 600 {
			return
		}
		cfg := Config{Role: Role(mode & 1), Deflate: mode&2 != 0, Limits: Limits{Frame: 200 + int(mode), Message: 300, Inflated: 1000}}
		checkAgainst(t, cfg, wire, 1)
	})
}

func FuzzClose(f *testing.F) {
	f.Add([]byte{}, uint16(1000), "bye")
	f.Add([]byte("\x03\xe8\xff"), uint16(5000), "\xff")
	f.Fuzz(func(t *testing.T, payload []byte, code uint16, reason string) {
		// What AppendClose makes of anything is a frame that we accept.
		wire := AppendClose(nil, StatusCode(code), reason)
		got := feed(t, Config{Role: Client}, wire)
		if got.err != nil || len(got.events) != 1 || len(wire) > 2+MaxControl {
			t.Fatalf("%d %q: %x, %s", code, reason, wire, got)
		}
		if len(payload) > MaxControl {
			return
		}
		got = everyWay(t, Config{}, masked(OpClose, true, string(payload)))
		ok := len(payload) == 0 || len(payload) >= 2 && ValidCloseCode(StatusCode(payload[0])<<8|StatusCode(payload[1])) && utf8.Valid(payload[2:])
		if ok != (got.err == nil) {
			t.Fatalf("%x: %s", payload, got)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add(good)
	f.Add("GET /healthz HTTP/1.0\r\n\r\n")
	f.Add("GET ws://h/x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\x81\x80")
	f.Add("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 2*MaxHead {
			return
		}
		before := in
		req, n, _, err := parseEveryWay(t, in)
		if in != before || n < 0 || n > len(in) || n > MaxHead {
			t.Fatalf("n = %d", n)
		}
		if err != nil {
			if e, ok := err.(*HandshakeError); ok && (e.Status < 400 || len(e.AppendResponse(nil)) == 0) {
				t.Fatalf("%+v", e)
			}
			return
		}
		if in[n-4:n] != "\r\n\r\n" || len(req.Path) == 0 || bytes.IndexByte(req.Path, '?') >= 0 {
			t.Fatalf("%q: path %q", in, req.Path)
		}
		for _, b := range [][]byte{req.Path, req.RawQuery, req.Host, req.Origin, req.Authorization, req.Key, req.UserAgent} {
			if bytes.ContainsAny(b, "\r\n\x00") {
				t.Fatalf("line end in %q", b)
			}
		}
		d, ok := Negotiate(req.Extensions)
		if ok != d.On() {
			t.Fatal(d, ok)
		}
		if CheckUpgrade(req) == nil {
			if len(req.Key) != 24 {
				t.Fatalf("key %q", req.Key)
			}
			// Our own client accepts the answer to a request that we accept.
			var resp Response
			out := AppendUpgrade(nil, req, "", nil)
			if n, err := ParseResponse(out, &ClientRequest{Key: req.Key}, &resp); err != nil || n != len(out) {
				t.Fatalf("%q: %v", out, err)
			}
		}
	})
}

func FuzzParseResponse(f *testing.F) {
	f.Add(goodResponse)
	f.Add(string(ErrVersion.AppendResponse(nil)))
	f.Add("HTTP/1.1 101 \r\nUpgrade: websocket\n\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 2*MaxHead {
			return
		}
		resp, n, err := responseEveryWay(t, in, clientRequest())
		if n < 0 || n > len(in) {
			t.Fatalf("n = %d", n)
		}
		switch err {
		case nil:
			if resp.Status != 101 || in[n-4:n] != "\r\n\r\n" {
				t.Fatalf("%q: %+v", in, resp)
			}
		case ErrRefused:
			if resp.Status == 101 || resp.Status < 100 || resp.Status > 599 {
				t.Fatalf("%q: %+v", in, resp)
			}
		default:
			if n != 0 {
				t.Fatalf("n = %d with %v", n, err)
			}
		}
	})
}

func FuzzNegotiate(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits")
	f.Add(`foo; a="b,\"c", permessage-deflate; server_max_window_bits="10"`)
	f.Add("permessage-deflate; server_max_window_bits=16, permessage-deflate; x")
	f.Fuzz(func(t *testing.T, offer string) {
		d, ok := Negotiate([][]byte{[]byte(offer)})
		if ok != d.On() || ok && (d.Bits() < 8 || d.Bits() > 15) || !ok && d != (Deflate{}) {
			t.Fatalf("%q: %v, %v", offer, d, ok)
		}
		if !ok {
			return
		}
		// The answer is an offer that gives itself.
		again, ok := Negotiate([][]byte{d.AppendAnswer(nil)})
		if !ok || again != d {
			t.Fatalf("%q: %v, then %v", offer, d, again)
		}
		// An offer in front that cannot be met changes nothing.
		if e, ok := Negotiate([][]byte{[]byte("permessage-deflate; x, "), []byte(offer)}); !ok || e != d {
			t.Fatalf("%q behind another: %v", offer, e)
		}
	})
}

// FuzzInflate compares both twins on any bytes, and the way through Deflater.
func FuzzInflate(f *testing.F) {
	for _, data := range samples() {
		data = data[:min(len(data), 600)]
		f.Add(NewDeflater().Deflate(nil, data, 15), uint16(1000))
		f.Add(data, uint16(10))
	}
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), uint16(100))
	d, z := NewDeflater(), NewInflater()
	f.Fuzz(func(t *testing.T, in []byte, limit16 uint16) {
		if len(in) > 2000 {
			return
		}
		limit := int(limit16) + 1
		slow, serr := slowInflate(in, limit)
		l := newLender(t)
		out, err := z.inflate(l, nil, in, limit)
		if (err == nil) != (serr == nil) || err == nil && !bytes.Equal(out, slow) {
			t.Fatalf("%x limit %d: %q, %v; slow twin %q, %v", in, limit, out, err, slow, serr)
		}
		if len(out) > limit || l.peak > 3*max(limit, minBuffer) {
			t.Fatalf("limit %d: %d bytes, peak %d", limit, len(out), l.peak)
		}
		if cap(out) > 0 {
			l.Put(out)
		}
		l.settled()
		bits := 8 + int(limit16)%8
		squeezed := d.Deflate(nil, in, bits)
		if back, err := z.Inflate(nil, squeezed, max(len(in), 1)); err != nil || !bytes.Equal(back, in) {
			t.Fatalf("%x bits %d: %v", in, bits, err)
		}
		if far, err := maxDistance(squeezed); err != nil || far > 1<<bits {
			t.Fatalf("%x bits %d: distance %d, %v", in, bits, far, err)
		}
	})
}
