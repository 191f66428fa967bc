package main

import (
	"bufio"
	"errors"
	"net"
	"net/http"

	"github.com/gobwas/ws"
)

// connectCommand is the masked frame with which any client of the protocol
// begins.
var connectCommand = ws.MustCompileFrame(
	ws.MaskFrameInPlaceWith(ws.NewTextFrame([]byte(`{"id":1,"connect":{}}`)), [4]byte{1, 2, 3, 4}))

// withHello lets every upgraded connection begin with connectCommand.
func withHello(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(helloWriter{w}, r)
	})
}

type helloWriter struct{ http.ResponseWriter }

// Hijack hands over a connection whose first read is the command, and a reader
// on it of net/http's size. The command cannot be in the reader's buffer
// already: to the handler that would be a client which did not await the
// upgrade.
func (w helloWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hj, ok := w.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, http.ErrNotSupported
	}
	conn, rw, err := hj.Hijack()
	if err != nil {
		return nil, nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok || rw.Reader.Buffered() > 0 {
		_ = conn.Close()
		return nil, nil, errors.New("not a plain connection that awaits its upgrade")
	}
	hello := &helloConn{TCPConn: tcp, first: connectCommand}
	return hello, bufio.NewReadWriter(bufio.NewReaderSize(hello, rw.Reader.Size()), rw.Writer), nil
}

// helloConn embeds the concrete connection, so that writev stays possible.
type helloConn struct {
	*net.TCPConn
	first []byte // owned by the reader
}

func (c *helloConn) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.TCPConn.Read(p)
	}
	n := copy(p, c.first)
	c.first = c.first[n:]
	return n, nil
}
