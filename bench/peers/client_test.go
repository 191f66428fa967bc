package peers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// patience bounds every wait in these tests; nothing should come near it.
const patience = 20 * time.Second

// client is a WebSocket client that shares no code with the servers' framing
// other than gobwas/ws itself.
type client struct {
	t    testing.TB
	conn net.Conn
	r    io.Reader
}

// dial upgrades and checks that nobody takes the compression it is offered.
func dial(t testing.TB, addr string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(http.Header{
		"Sec-WebSocket-Extensions": {"permessage-deflate; client_max_window_bits"},
	})}
	conn, br, hs, err := d.Dial(ctx, "ws://"+addr+"/any/path?x=1")
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if len(hs.Extensions) > 0 {
		t.Fatalf("extensions were negotiated: %v", hs.Extensions)
	}
	c := &client{t: t, conn: conn, r: bufio.NewReader(conn)}
	if br != nil { // holds what came right behind the response
		c.r = br
	}
	return c
}

// hello reads the frames a server sends unasked.
func (c *client) hello(n int) {
	c.t.Helper()
	for range n {
		c.read()
	}
}

func (c *client) write(op ws.OpCode, p []byte) {
	c.t.Helper()
	c.writeRaw(maskedFrame(op, true, p))
}

func (c *client) writeRaw(p []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(p); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// maskedFrame leaves p alone.
func maskedFrame(op ws.OpCode, fin bool, p []byte) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, p)))
}

func (c *client) read() ws.Frame {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	f, err := ws.ReadFrame(c.r)
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	if f.Header.Masked || f.Header.Rsv != 0 || !f.Header.Fin {
		c.t.Fatalf("not a plain final server frame: %+v", f.Header)
	}
	return f
}

func (c *client) expect(op ws.OpCode, p []byte) {
	c.t.Helper()
	f := c.read()
	if f.Header.OpCode != op || !bytes.Equal(f.Payload, p) {
		c.t.Fatalf("got opcode %d and %s, want %d and %s", f.Header.OpCode, brief(f.Payload), op, brief(p))
	}
}

func brief(p []byte) string {
	return fmt.Sprintf("%d bytes %.40q", len(p), p)
}

// payload returns n bytes that are valid text and tell if they got shifted.
func payload(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte('a' + (i*7+i/26)%26)
	}
	return p
}
