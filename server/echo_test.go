package server

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"roost/poller"
)

// onBothPathsTimed is onBothPaths with a running server whose write deadline is
// short.
func onBothPathsTimed(t *testing.T, f func(t *testing.T, s *Server)) {
	onBothPaths(t, func(t *testing.T, mode poller.IOUringMode) {
		f(t, start(t, func(o *Options) {
			shortWrites(o)
			o.IOUring = mode
		}))
	})
}

func TestEchoSizes(t *testing.T) {
	s := start(t, nil)
	p := dial(t, s, "/v1/echo")
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20, maxEcho} {
		msg := make([]byte, size)
		random.Read(msg)
		go wsutil.WriteClientBinary(p.nc, bytes.Clone(msg)) // the write masks in place
		f := p.frame()
		if f.Header.OpCode != gobwas.OpBinary || !bytes.Equal(f.Payload, msg) {
			t.Fatalf("size %d: %d bytes came back as %v", size, len(f.Payload), f.Header.OpCode)
		}
	}
	go wsutil.WriteClientBinary(p.nc, make([]byte, maxEcho+1))
	p.expectClose(1009)
}

func TestEchoOff(t *testing.T) {
	s := start(t, func(o *Options) { o.Echo = false })
	if a := exchange(t, s, upgradeRequest("/v1/echo")); !strings.HasPrefix(a, "HTTP/1.1 404 ") {
		t.Errorf("got %q", a)
	}
}

// TestEchoThenHalfClose: much data, then FIN: every byte comes back before the
// server's own FIN.
func TestEchoThenHalfClose(t *testing.T) {
	s := start(t, nil)
	p := dial(t, s, "/v1/echo")
	msg := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	const count = 2000 // 32 MB
	sent := make(chan error, 1)
	go func() {
		frame := gobwas.MustCompileFrame(gobwas.MaskFrame(gobwas.NewBinaryFrame(msg)))
		for range count {
			if _, err := p.nc.Write(frame); err != nil {
				sent <- err
				return
			}
		}
		sent <- p.nc.(*net.TCPConn).CloseWrite()
	}()
	for i := range count {
		if got := p.read(); !bytes.Equal(got, msg) {
			t.Fatalf("message %d is not what was sent", i)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if n, err := p.r.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("after the last message: %d bytes, %v", n, err)
	}
}

// TestEchoStopsReading: a peer that writes and does not read is not allowed to
// fill the server's memory: its writes come to a halt, and it is closed.
func TestEchoStopsReading(t *testing.T) {
	s := start(t, shortWrites)
	p := dial(t, s, "/v1/echo")
	frame := gobwas.MustCompileFrame(gobwas.MaskFrame(gobwas.NewBinaryFrame(make([]byte, 60_000))))
	sent := 0
	for {
		n, err := p.nc.Write(frame)
		sent += n
		if err != nil {
			break
		}
	}
	// What the kernel hides on loopback is a few MB; without the stop this
	// would go on for the whole second at gigabytes.
	if sent > 64<<20 {
		t.Errorf("%d MB were taken from a peer that reads nothing", sent>>20)
	}
	eventually(t, "it is closed", func() bool { return s.pollerConns() == 0 })
}

// TestEchoPipelined: many small messages in one segment come back in order.
func TestEchoPipelined(t *testing.T) {
	s := start(t, nil)
	p := dial(t, s, "/v1/echo")
	var all bytes.Buffer
	const count = 5000
	for i := range count {
		gobwas.WriteFrame(&all, gobwas.MaskFrameInPlace(gobwas.NewTextFrame(fmt.Appendf(nil, "message %d", i))))
	}
	go p.nc.Write(all.Bytes())
	for i := range count {
		p.expect(fmt.Sprintf("message %d", i))
	}
}

// TestDeflate: what was agreed is kept, in both directions, with a window that
// the client asked for, and a broadcast reaches compressed and plain receivers.
func TestDeflate(t *testing.T) {
	s := start(t, func(o *Options) { o.Deflate = true })
	text := strings.Repeat("compress me, please. ", 100)
	for _, offer := range []string{"permessage-deflate", "permessage-deflate; server_max_window_bits=9", "permessage-deflate; client_max_window_bits"} {
		p := dialDeflate(t, s, "/v1/echo", offer)
		p.sendDeflated(text)
		f := p.frame()
		if !f.Header.Rsv1() || inflate(t, f.Payload) != text || len(f.Payload) > len(text)/4 {
			t.Errorf("%s: rsv %v, %d bytes", offer, f.Header.Rsv, len(f.Payload))
		}
		p.send("short and plain")
		p.expect("short and plain")
	}
	packed := dialDeflate(t, s, "/v1/connect?device=packed", "permessage-deflate")
	packed.frame() // welcome
	plain, _ := device(t, s, "device=plain", "roost.v1.json")
	publish(t, s, `{"all":true,"payload":"`+text+`"}`)
	want := `{"t":"msg","p":"` + text + `"}`
	plain.expect(want)
	if f := packed.frame(); !f.Header.Rsv1() || inflate(t, f.Payload) != want {
		t.Errorf("broadcast: rsv %v, %d bytes", f.Header.Rsv, len(f.Payload))
	}
	publish(t, s, `{"device":"packed","class":"live","payload":"`+text+`"}`)
	if f := packed.frame(); !f.Header.Rsv1() || inflate(t, f.Payload) != want {
		t.Errorf("publish: rsv %v, %d bytes", f.Header.Rsv, len(f.Payload))
	}
}

// dialDeflate makes the upgrade by hand with an extension offer.
func dialDeflate(t *testing.T, s *Server, target, offer string) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, upgradeRequest(target, "Sec-WebSocket-Extensions: "+offer))
	head := make([]byte, 0, 1024)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		b := make([]byte, 1)
		if _, err := io.ReadFull(nc, b); err != nil {
			t.Fatalf("%v after %q", err, head)
		}
		head = append(head, b...)
	}
	if !bytes.Contains(head, []byte("permessage-deflate")) {
		t.Fatalf("%s: not agreed: %q", offer, head)
	}
	return &peer{t: t, nc: nc, r: nc}
}

func (p *peer) sendDeflated(text string) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	io.WriteString(w, text)
	w.Flush()
	f := gobwas.NewTextFrame(bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}))
	f.Header.Rsv = gobwas.Rsv(true, false, false)
	if err := gobwas.WriteFrame(p.nc, gobwas.MaskFrameInPlace(f)); err != nil {
		p.t.Fatal(err)
	}
}

func inflate(t *testing.T, b []byte) string {
	t.Helper()
	r := flate.NewReader(io.MultiReader(bytes.NewReader(b), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
