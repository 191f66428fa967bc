package ws

import (
	"bytes"
	"io"
	"net/url"
	"strings"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
)

// exchange is a connection in memory to a peer that answers what was written
// when it is first read from.
type exchange struct {
	written bytes.Buffer
	answer  func(request []byte) []byte
	in      *bytes.Reader
}

func (x *exchange) Write(p []byte) (int, error) { return x.written.Write(p) }

func (x *exchange) Read(p []byte) (int, error) {
	if x.in == nil {
		x.in = bytes.NewReader(x.answer(x.written.Bytes()))
	}
	return x.in.Read(p)
}

// TestInteropDial lets the dialer of gobwas/ws shake hands with our server.
func TestInteropDial(t *testing.T) {
	for _, bits := range []wsflate.WindowBits{0, 8, 10, 15} {
		params := wsflate.Parameters{ServerNoContextTakeover: true, ServerMaxWindowBits: bits}
		d := gobwas.Dialer{Protocols: []string{"roost.v1.json"}}
		d.Extensions = append(d.Extensions, params.Option())
		var got Deflate
		x := &exchange{answer: func(in []byte) []byte {
			var req Request
			if n, err := ParseRequest(in, &req); err != nil || n != len(in) {
				t.Fatal(n, err)
			}
			if e := CheckUpgrade(&req); e != nil {
				t.Fatal(e)
			}
			proto, _ := req.SelectProtocol("roost.v1.json")
			got, _ = Negotiate(req.Extensions)
			return AppendUpgrade(nil, &req, proto, &got)
		}}
		_, hs, err := d.Upgrade(x, &url.URL{Scheme: "ws", Host: "example.com", Path: "/v1/connect"})
		if err != nil || hs.Protocol != "roost.v1.json" || len(hs.Extensions) != 1 {
			t.Fatalf("%v, %+v", err, hs)
		}
		var agreed wsflate.Parameters
		if err := agreed.Parse(hs.Extensions[0]); err != nil || agreed.ServerMaxWindowBits != bits || !agreed.ServerNoContextTakeover || !agreed.ClientNoContextTakeover {
			t.Errorf("bits %d: %+v, %v", bits, agreed, err)
		}
		if want := int(bits); want != 0 && got.Bits() != want || want == 0 && got.Bits() != 15 {
			t.Errorf("bits %d: we use %d", bits, got.Bits())
		}
	}
}

// TestInteropUpgrade lets our client shake hands with the upgrader of gobwas/ws.
func TestInteropUpgrade(t *testing.T) {
	req := clientRequest()
	ext := wsflate.Extension{Parameters: wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}}
	u := gobwas.Upgrader{Protocol: func(p []byte) bool { return string(p) == "roost.v1.json" }, Negotiate: ext.Negotiate}
	out, err := AppendRequest(nil, req)
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{in: bytes.NewReader(out)}
	if _, err := u.Upgrade(x); err != nil {
		t.Fatal(err)
	}
	var resp Response
	n, err := ParseResponse(x.written.Bytes(), req, &resp)
	if err != nil || n != x.written.Len() || string(resp.Protocol) != "roost.v1.json" || !resp.Deflate.On() {
		t.Errorf("%d, %v, %+v\n%s", n, err, resp, x.written.Bytes())
	}
}

// TestInteropFrames: frames go to and come from the reader and writer of
// gobwas/ws, plain, fragmented and compressed.
func TestInteropFrames(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 4096, 65536, 200000} {
		payload := []byte(strings.Repeat("roost ☕ ", n/10+1))[:n]
		var theirs bytes.Buffer
		if err := wsutil.WriteClientBinary(&theirs, payload); err != nil {
			t.Fatal(err)
		}
		w := wsutil.NewWriterSize(&theirs, gobwas.StateClientSide, gobwas.OpBinary, 1000)
		w.Write(payload)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		squeezed, err := wsflate.CompressFrame(gobwas.NewBinaryFrame(payload))
		if err != nil {
			t.Fatal(err)
		}
		if err := gobwas.WriteFrame(&theirs, gobwas.MaskFrame(squeezed)); err != nil {
			t.Fatal(err)
		}
		cfg := Config{Deflate: true, Limits: Limits{Frame: n + 100, Message: n + 100, Inflated: n + 1}}
		want := trace{events: []string{"", "", ""}}
		for i := range want.events {
			want.events[i] = show(Event{Kind: Binary, Payload: payload})
		}
		if got := feed(t, cfg, theirs.Bytes(), theirs.Len()/3, theirs.Len()/2); got.String() != want.String() {
			t.Fatalf("n=%d: %.100s", n, got)
		}
		ours := AppendFrame(nil, OpBinary, payload)
		ours = AppendFragment(ours, OpBinary, false, payload[:n/2])
		ours = AppendFragment(ours, OpContinuation, true, payload[n/2:])
		r := bytes.NewReader(ours)
		for range 2 {
			if got, op, err := wsutil.ReadServerData(struct {
				io.Reader
				io.Writer
			}{r, io.Discard}); err != nil || op != OpBinary || !bytes.Equal(got, payload) {
				t.Fatalf("n=%d: theirs read %d bytes, %v, %v", n, len(got), op, err)
			}
		}
		for bits := 8; bits <= 15; bits++ {
			r := bytes.NewReader(AppendFrameRSV1(nil, OpBinary, NewDeflater().Deflate(nil, payload, bits)))
			h, err := gobwas.ReadHeader(r)
			if err != nil || int(h.Length) != r.Len() {
				t.Fatalf("header %+v before %d bytes, %v", h, r.Len(), err)
			}
			f := gobwas.Frame{Header: h, Payload: make([]byte, h.Length)}
			r.Read(f.Payload)
			if f, err = wsflate.DecompressFrame(f); err != nil || !bytes.Equal(f.Payload, payload) {
				t.Fatalf("n=%d bits=%d: theirs inflated %d bytes, %v", n, bits, len(f.Payload), err)
			}
		}
	}
}
