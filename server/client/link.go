package client

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"roost/server/wire"
	"roost/server/ws"
)

// Times that a connection may take.
const (
	dialTime      = 10 * time.Second // the dial
	handshakeTime = 10 * time.Second // the handshake and the welcome behind it
	writeTime     = 10 * time.Second // any write
	retireTime    = 10 * time.Second // a replaced connection, for its node to close it; then we do
	closingTime   = time.Second      // the node's answer to our close
)

// maxMessage is the largest message of a node, and maxQueue what may wait to
// be written, in bytes.
const (
	maxMessage = ws.DefaultLimit
	maxQueue   = 4 * maxMessage
)

// event is what a link tells its loop.
type event struct {
	link   *link
	kind   uint8
	data   []byte        // linkMessage: until resume
	code   ws.StatusCode // linkClosed
	reason string        // linkClosed
	retry  time.Duration // linkFailed: the refusal's Retry-After
	nobody bool          // linkFailed: nobody takes connections where it leads to
	err    error         // linkFailed, linkClosed, linkLost: in words
}

const (
	linkHeard   = iota // bytes, but no message
	linkMessage        // text or binary
	linkFailed         // the dial or the handshake failed: it is over
	linkClosed         // a close frame came
	linkLost           // over without one
)

// link is one connection: a goroutine that dials and reads, and one that
// writes. The loop tells it what to write; it tells the loop what came and
// waits for resume each time, so that what is not handled stays in the socket.
type link struct {
	loop   *loop
	conn   Conn
	to     target
	query  string
	resume chan struct{} // room for one: the loop never waits
	cancel context.CancelFunc
	ctx    context.Context // of the dial
	ws     ws.Config

	mu      sync.Mutex
	wake    sync.Cond
	nc      net.Conn    // nil before it is dialed
	out     []byte      // to be written
	closing bool        // nothing is added to out, and the writer ends when it is written
	silent  bool        // the loop has left the link behind: no events
	bye     *time.Timer // of a link that was replaced: closes it
}

func newLink(l *loop, conn Conn, to target, query string) *link {
	k := &link{loop: l, conn: conn, to: to, query: query, resume: make(chan struct{}, 1)}
	k.wake.L = &k.mu
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// run is the link's life.
func (k *link) run() {
	defer k.cancel()
	nc, rest, err := k.connect()
	if err != nil {
		var refused *refusedError
		e := event{link: k, kind: linkFailed, err: err}
		if errors.As(err, &refused) {
			e.retry = refused.after
		}
		e.nobody = nobodyThere(err)
		k.emit(e)
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		k.write(nc)
	}()
	k.emit(k.read(nc, rest))
	k.mu.Lock()
	k.closing = true
	if k.bye != nil {
		k.bye.Stop()
	}
	k.wake.Signal()
	k.mu.Unlock()
	<-written
	nc.Close()
}

// emit gives e to the loop and waits until it is through with it; false if the
// loop has left this link behind, or ended.
func (k *link) emit(e event) bool {
	k.mu.Lock()
	silent := k.silent
	k.mu.Unlock()
	if silent {
		return false
	}
	select {
	case k.loop.events <- e:
	case <-k.loop.quit:
		return false
	}
	select {
	case <-k.resume:
	case <-k.loop.quit:
		return false
	}
	return true
}

// read gives what comes to the loop until the connection is over, and returns
// the event that says so.
func (k *link) read(nc net.Conn, rest []byte) event {
	var p ws.Parser
	p.Reset(&k.ws)
	defer p.Release()
	buf := make([]byte, 16<<10)
	for {
		told := len(rest) == 0
		for len(rest) > 0 {
			ev, n, err := p.Next(rest)
			rest = rest[n:]
			if err != nil {
				k.close(ws.CloseFor(err), err.Error())
				return event{link: k, kind: linkLost, err: err}
			}
			switch ev.Kind {
			case ws.Short:
			case ws.Ping:
				k.frame(ws.OpPong, ev.Payload)
			case ws.Pong:
			case ws.Close:
				k.close(ws.CloseEcho(ev), "")
				reason := string(ev.Reason)
				return event{link: k, kind: linkClosed, code: ev.Code, reason: reason, err: &closedError{ev.Code, reason}}
			default:
				if (ev.Kind == ws.Text) != (k.loop.c.opt.Protocol == wire.JSON) {
					k.close(ws.StatusUnsupported, errKind.Error())
					return event{link: k, kind: linkLost, err: errKind}
				}
				told = true
				k.emit(event{link: k, kind: linkMessage, data: ev.Payload})
			}
		}
		if !told {
			k.emit(event{link: k, kind: linkHeard})
		}
		n, err := nc.Read(buf)
		if n == 0 && err != nil {
			return event{link: k, kind: linkLost, err: err}
		}
		rest = buf[:n]
	}
}

// write writes what is queued until the link is closing and all is out.
func (k *link) write(nc net.Conn) {
	var out []byte
	for {
		k.mu.Lock()
		for len(k.out) == 0 && !k.closing {
			k.wake.Wait()
		}
		out, k.out = k.out, out[:0]
		limit := writeTime
		if k.silent {
			limit = closingTime
		}
		k.mu.Unlock()
		if len(out) == 0 {
			return
		}
		nc.SetWriteDeadline(time.Now().Add(limit))
		if _, err := nc.Write(out); err != nil {
			k.abort()
			return
		}
	}
}
