package client

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"roost/server/ws"
)

// refusedError is an upgrade that the node, or someone before it, refused.
type refusedError struct {
	status int
	after  time.Duration // Retry-After
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("client: refused with HTTP %d", e.status)
}

// nobodyThere reports whether a dial failed because nobody takes connections where it leads to: the machine
// refuses, or whoever stands before the nodes has none of them.
func nobodyThere(err error) bool {
	var refused *refusedError
	if errors.As(err, &refused) {
		return refused.after == 0 && 502 <= refused.status && refused.status <= 504
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

var errAborted = errors.New("client: given up while dialing")

// connect dials and upgrades. rest is what came behind the handshake.
func (k *link) connect() (nc net.Conn, rest []byte, err error) {
	ctx, cancel := context.WithTimeout(k.ctx, dialTime)
	defer cancel()
	if nc, err = k.loop.c.opt.Dial(ctx, k.to.addr); err != nil {
		return nil, nil, err
	}
	k.mu.Lock()
	k.nc = nc
	nc.SetDeadline(time.Now().Add(handshakeTime))
	if k.silent {
		err = errAborted
	}
	k.mu.Unlock()
	if err == nil {
		rest, err = k.upgrade(nc)
	}
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, rest, nil
}

// upgrade does the opening handshake (RFC 6455, 4.1).
func (k *link) upgrade(nc net.Conn) (rest []byte, err error) {
	opt := &k.loop.c.opt
	var nonce [16]byte
	crand.Read(nonce[:])
	path := k.to.path + k.query
	if opt.Heartbeat > 0 {
		path += "&hb=" + strconv.Itoa(int(opt.Heartbeat/time.Second))
	}
	req := ws.ClientRequest{Host: k.to.host, Path: path, Key: ws.AppendKey(nil, nonce),
		Protocols: []string{opt.Protocol.String()}, Deflate: opt.Deflate}
	out, err := ws.AppendRequest(nil, &req)
	if err != nil {
		return nil, err
	}
	if _, err := nc.Write(out); err != nil {
		return nil, err
	}
	var resp ws.Response
	buf := make([]byte, 0, 4<<10)
	for {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
		n, err := nc.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		end, bad := ws.ParseResponse(buf, &req, &resp)
		switch {
		case bad == nil:
			k.ws = ws.Config{Role: ws.Client, Deflate: resp.Deflate.On(),
				Limits: ws.Limits{Frame: maxMessage, Message: maxMessage, Inflated: maxMessage}}
			if k.ws.Deflate {
				k.ws.Inflater = ws.NewInflater()
			}
			return buf[end:], nil
		case errors.Is(bad, ws.ErrRefused):
			return nil, &refusedError{resp.Status, retryAfter(resp.Get("retry-after"))}
		case !errors.Is(bad, ws.ErrShort):
			return nil, bad
		case err != nil:
			return nil, err
		}
	}
}

// retryAfter reads a number of seconds; 0 for anything else, such as a date,
// which a device without a clock could not use.
func retryAfter(v []byte) time.Duration {
	n, err := strconv.ParseUint(string(v), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
