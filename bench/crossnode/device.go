package crossnode

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"roost/server/client"
	"roost/server/wire"
	"roost/server/ws"
)

// device is one client: client.Session, which has the rules, on one connection and one goroutine. client.Client hands each
// message through four, for applications that take their time: here, where nodes and devices share two cores, that was a third of
// all that a delivery of a batch cost, and none of it roost's. A connection that ends is not dialed again: what it misses is counted.
type device struct {
	// Static after dial.
	all  *devices
	nc   net.Conn
	conn client.Conn

	mu   sync.Mutex // covers the following
	s    client.Session
	down wire.Down
	out  []byte
}

// dialTime bounds the dial, the handshake and the welcome.
const dialTime = 10 * time.Second

// dial connects a device, and returns it with what came behind the handshake.
func (d *devices) dial(ctx context.Context, addr, id string) (v *device, rest []byte, err error) {
	v = &device{all: d}
	v.s.Init(id, wire.Binary, client.Saved{}, rand.Uint64())
	v.conn = v.s.Begin()
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var dialer net.Dialer
	if v.nc, err = dialer.DialContext(ctx, "tcp", addr); err != nil {
		return nil, nil, err
	}
	if rest, err = v.upgrade(addr); err != nil {
		v.nc.Close()
		return nil, nil, fmt.Errorf("device %s: %w", id, err)
	}
	return v, rest, nil
}

// upgrade does the opening handshake.
func (v *device) upgrade(addr string) (rest []byte, err error) {
	var nonce [16]byte
	crand.Read(nonce[:])
	req := ws.ClientRequest{Host: addr, Path: "/v1/connect?" + string(v.s.ConnectQuery(nil)), Key: ws.AppendKey(nil, nonce), Protocols: []string{wire.Binary.String()}}
	out, err := ws.AppendRequest(nil, &req)
	if err != nil {
		return nil, err
	}
	if err := v.nc.SetDeadline(time.Now().Add(dialTime)); err != nil {
		return nil, err
	}
	if _, err := v.nc.Write(out); err != nil {
		return nil, err
	}
	var resp ws.Response
	buf := make([]byte, 0, 4<<10)
	for len(buf) < cap(buf) {
		n, err := v.nc.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		end, bad := ws.ParseResponse(buf, &req, &resp)
		switch {
		case bad == nil:
			return buf[end:], v.nc.SetDeadline(time.Time{})
		case !errors.Is(bad, ws.ErrShort):
			return nil, bad
		case err != nil:
			return nil, err
		}
	}
	return nil, errors.New("the answer to the upgrade is too long")
}

// run reads until the connection is over, and returns why it is.
func (v *device) run(rest []byte) error {
	defer v.nc.Close()
	var p ws.Parser
	p.Reset(&ws.Config{Role: ws.Client})
	defer p.Release()
	buf := make([]byte, 4<<10)
	for {
		for len(rest) > 0 {
			ev, n, err := p.Next(rest)
			rest = rest[n:]
			switch {
			case err != nil:
				return err
			case ev.Kind == ws.Close:
				return fmt.Errorf("closed by the node with %d %s", ev.Code, ev.Reason)
			case ev.Kind == ws.Ping:
				v.mu.Lock()
				err := v.write(ws.OpPong, ev.Payload)
				v.mu.Unlock()
				if err != nil {
					return err
				}
			case ev.Kind == ws.Binary:
				if err := v.message(ev.Payload); err != nil {
					return err
				}
			}
		}
		n, err := v.nc.Read(buf)
		if n == 0 && err != nil {
			return err
		}
		rest = buf[:n]
	}
}

// message takes a message of the node.
func (v *device) message(data []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.all.now()
	switch e := v.s.OnMessage(v.conn, now, data, &v.down); e.Kind {
	case client.Deliver:
		v.all.message(now, v.down.Message.Payload)
		v.s.Handled(now)
	case client.Welcome:
		v.all.connected.Add(1)
	case client.Dropped:
		return e.Next.Err
	case client.Away:
		return errors.New("it was sent away: the ring has changed")
	}
	return v.dueLocked(now)
}

// due sends what the session has to say by now.
func (v *device) due(now time.Duration) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.dueLocked(now)
}

func (v *device) dueLocked(now time.Duration) error {
	if v.s.Current() == 0 || v.s.NextDeadline() > now {
		return nil
	}
	msg, next := v.s.OnTime(now, nil)
	if next.Err != nil {
		return next.Err
	}
	if len(msg) == 0 {
		return nil
	}
	return v.write(ws.OpBinary, msg)
}

// write writes a frame. v.mu must be held.
func (v *device) write(op ws.OpCode, payload []byte) error {
	key := rand.Uint32()
	v.out = ws.AppendMasked(v.out[:0], op, [4]byte{byte(key), byte(key >> 8), byte(key >> 16), byte(key >> 24)}, payload)
	_, err := v.nc.Write(v.out)
	return err
}
