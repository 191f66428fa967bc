package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

// TestCloseIsTheLastFrame: replies to what came in the same segment go before
// our close frame, none behind it (RFC 6455, 5.5.1).
func TestCloseIsTheLastFrame(t *testing.T) {
	s := start(t, nil)
	for i, bad := range []gobwas.Frame{gobwas.NewBinaryFrame([]byte{0}), gobwas.NewTextFrame([]byte(`{"t":"ack","seq":5}`)), gobwas.NewTextFrame([]byte{0xff})} {
		p, _ := device(t, s, fmt.Sprintf("device=d%d", i), "roost.v1.json")
		var all bytes.Buffer
		gobwas.WriteFrame(&all, gobwas.MaskFrame(gobwas.NewPingFrame([]byte("a"))))
		gobwas.WriteFrame(&all, gobwas.MaskFrame(gobwas.NewTextFrame([]byte(`{"t":"hb"}`))))
		gobwas.WriteFrame(&all, gobwas.MaskFrame(bad))
		p.nc.Write(all.Bytes())
		for _, want := range []gobwas.OpCode{gobwas.OpPong, gobwas.OpText, gobwas.OpClose} {
			if f := p.frame(); f.Header.OpCode != want {
				t.Fatalf("got %v, want %v", f.Header.OpCode, want)
			}
		}
		if n, err := p.r.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("behind the close frame: %d bytes, %v", n, err)
		}
	}
}

// TestSlowReaderIsReset: an orderly close would leave its output with an orphan
// in the kernel.
func TestSlowReaderIsReset(t *testing.T) {
	s := start(t, shortWrites)
	p, _ := device(t, s, "device=slow", "roost.v1.json")
	payload := strings.Repeat("x", 32<<10)
	for i := 0; s.registry.Len() > 0 && i < 1000; i++ {
		publish(t, s, `{"device":"slow","payload":"`+payload+`"}`)
	}
	eventually(t, "it is closed", func() bool { return s.pollerConns() == 0 })
	if _, err := io.Copy(io.Discard, p.nc); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer saw %v, want a reset", err)
	}
}

// TestUnfinishedMessage: a message that was begun has to come to its end, life
// signs or not.
func TestUnfinishedMessage(t *testing.T) {
	s := start(t, func(o *Options) {
		o.timing = defaultTiming
		o.timing.message = 300 * time.Millisecond
	})
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	f := gobwas.NewFrame(gobwas.OpText, false, make([]byte, 1000)) // and no continuation
	gobwas.WriteFrame(p.nc, gobwas.MaskFrame(f))
	gobwas.WriteFrame(p.nc, gobwas.MaskFrame(gobwas.NewPingFrame(nil)))
	if f := p.frame(); f.Header.OpCode != gobwas.OpPong {
		t.Fatalf("got %v, want a pong", f.Header.OpCode)
	}
	p.expectClose(4103)
}

// TestTalkerAfterClose: who goes on sending after our close is cut off.
func TestTalkerAfterClose(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	p.send("\x00")
	p.send(`{"t":"ack","seq":1}`) // closes with 4304
	sent, junk := 0, make([]byte, 64<<10)
	for {
		n, err := p.nc.Write(junk)
		if sent += n; err != nil {
			break
		}
	}
	if sent > 16<<20 { // the kernel's buffers on loopback take some MB
		t.Errorf("%d MB were swallowed", sent>>20)
	}
}

// TestRefusedDoNotTakeRoom: in a storm those that were refused are gone at once
// and leave the room to those that fit.
func TestRefusedDoNotTakeRoom(t *testing.T) {
	s := start(t, func(o *Options) { o.MaxConnections = 20 })
	request := upgradeRequest("/v1/connect")
	for range 3 * refusing {
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(patience))
		io.WriteString(nc, request) // no device: 400
		if a, err := io.ReadAll(nc); err != nil || !strings.HasPrefix(string(a), "HTTP/1.1 400 ") {
			t.Fatalf("%q, %v", a, err)
		}
	}
	for i := range 20 {
		device(t, s, fmt.Sprintf("device=d%d", i), "roost.v1.json")
	}
}

// TestBrowserWithOtherSubprotocol: a browser fails a connection whose answer
// leaves its offer out, and never sees the code.
func TestBrowserWithOtherSubprotocol(t *testing.T) {
	s := start(t, nil)
	a := exchange(t, s, upgradeRequest("/v1/connect?device=d", "Origin: http://localhost", "Sec-WebSocket-Protocol: foo, bar"))
	if !strings.Contains(a, "Sec-WebSocket-Protocol: foo\r\n") || !strings.Contains(a, "\x10\xd0") {
		t.Errorf("got %q", a)
	}
}

func TestRequestsHaveTheirAnswer(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	p.send(`{"t":"sub","r":7,"ch":"a b"}`)
	if got := string(p.read()); !strings.HasPrefix(got, `{"t":"res","r":7,"ok":false,"code":"channel"`) {
		t.Errorf("got %s", got)
	}
	p.send(`{"t":"ack","seq":0}`) // nothing was sent, nothing is acknowledged
	p.send(`{"t":"hb","ch":5}`)
	if got := string(p.read()); !strings.HasPrefix(got, `{"t":"hb"`) {
		t.Errorf("got %s", got)
	}
}

// TestIdleAPIConnectionsMakeRoom: keep-alive connections that do nothing must
// not lock out health checks.
func TestIdleAPIConnectionsMakeRoom(t *testing.T) {
	s := start(t, nil)
	for range apiConnections + 20 {
		nc, err := net.Dial("tcp", s.APIAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(nc, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := nc.Read(make([]byte, 512)); err != nil {
			t.Fatal(err)
		}
	}
	if status, _ := request(t, s, http.MethodGet, "/healthz", ""); status != 200 {
		t.Errorf("healthz: %d", status)
	}
}

func TestHealthNeedsOneHost(t *testing.T) {
	s := start(t, nil)
	for _, r := range []string{"GET /healthz HTTP/1.1\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"} {
		if a := exchange(t, s, r); !strings.HasPrefix(a, "HTTP/1.1 400 ") {
			t.Errorf("%q: %q", r, a)
		}
	}
}
