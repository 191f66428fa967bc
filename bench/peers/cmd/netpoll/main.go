// Command netpoll is the peer on cloudwego/netpoll by its public interface,
// with gobwas/ws for the protocol.
package main

import (
	"context"
	"flag"
	"net"
	"sync"
	"time"

	"github.com/cloudwego/netpoll"
	"github.com/gobwas/ws"

	"roost/bench/peers/internal/control"
	"roost/bench/peers/internal/frames"
	"roost/bench/peers/internal/registry"
)

// shrink makes netpoll's buffers small; it must run before the first connection.
// BufferSize alone saves nothing, since a node is rounded up to LinkBufferCap.
func shrink() error {
	netpoll.LinkBufferCap = 512
	return netpoll.Configure(netpoll.Config{BufferSize: 512})
}

// peekMax is how much is looked at before the size of the frame is known: all
// of a usual frame, but not much of what may be queued behind it, since Peek
// copies what lies in several of netpoll's nodes.
const peekMax = 1 << 10

// codecs are per running handler rather than per connection.
var codecs = sync.Pool{New: func() any { return new(frames.Codec) }}

// session is one connection.
type session struct {
	registry.Member
	conn netpoll.Connection

	// Owned by OnRequest, which netpoll never runs twice at a time.
	upgraded bool
	frames   frames.State

	// mu serialises echo and broadcast: netpoll refuses concurrent writes.
	mu sync.Mutex
}

type sessionKey struct{}

type server struct {
	sessions registry.Set[*session]
}

func (s *server) Conns() int { return s.sessions.Len() }

func (s *server) Broadcast(payload []byte) (int, error) {
	frame, err := ws.CompileFrame(ws.NewTextFrame(payload))
	if err != nil {
		return 0, err
	}
	return s.sessions.Each(func(c *session) error {
		err := c.write(frame)
		if err != nil {
			// Also after a timeout: the rest stays in netpoll's buffer, which
			// would grow with every further write.
			_ = c.conn.Close()
		}
		return err
	}), nil
}

// write copies p into the output buffer and sends it; it blocks while the
// socket is full, until the write timeout.
func (c *session) write(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.conn.Write(p)
	return err
}

func (s *server) onPrepare(conn netpoll.Connection) context.Context {
	return context.WithValue(context.Background(), sessionKey{}, &session{conn: conn})
}

// onRequest handles one request or frame; netpoll calls it again while bytes
// are left. It must not return with a partial one unread, as netpoll would
// call it at once and for ever: Peek waits for the rest instead.
func (s *server) onRequest(ctx context.Context, conn netpoll.Connection) error {
	c := ctx.Value(sessionKey{}).(*session)
	var err error
	if c.upgraded {
		err = c.onFrame()
	} else {
		err = s.onUpgrade(c)
	}
	if err != nil {
		_ = conn.Close()
	}
	r := conn.Reader()
	if err != nil {
		_ = r.Skip(r.Len()) // what is unread would be offered again
	}
	return r.Release()
}

func (c *session) onFrame() error {
	codec := codecs.Get().(*frames.Codec)
	defer codecs.Put(codec)
	r := c.conn.Reader()
	for need := min(max(r.Len(), 1), peekMax); ; {
		in, err := r.Peek(need)
		if err != nil {
			return err
		}
		out, n, stepErr := codec.Step(&c.frames, in)
		if n > len(in) {
			need = n
			continue
		}
		if len(out) > 0 {
			err = c.write(out)
		}
		if err == nil {
			err = stepErr
		}
		if err == nil {
			err = r.Skip(n)
		}
		return err
	}
}

func (s *server) onUpgrade(c *session) error {
	r := c.conn.Reader()
	for need := max(r.Len(), 1); ; need++ {
		in, err := r.Peek(max(need, r.Len()))
		if err != nil {
			return err
		}
		need = len(in)
		response, n, upErr := frames.Upgrade(in)
		if n == 0 {
			continue
		}
		if err = c.write(response); err == nil {
			err = upErr
		}
		if err != nil {
			return err
		}
		c.upgraded = true
		s.sessions.Add(c)
		// Close callbacks never run beside onRequest, so that the removal
		// cannot overtake the Add above.
		if err = c.conn.AddCloseCallback(func(netpoll.Connection) error {
			s.sessions.Remove(c)
			return nil
		}); err != nil {
			return err
		}
		return r.Skip(n)
	}
}

func start(addr string) (control.Peer, error) {
	s := &server{}
	ln, err := control.Listen(addr)
	if err != nil {
		return nil, err
	}
	loop, err := netpoll.NewEventLoop(s.onRequest,
		netpoll.WithOnPrepare(s.onPrepare),
		netpoll.WithWriteTimeout(5*time.Second)) // a flush otherwise waits for ever; costs nothing until it waits
	if err != nil {
		return nil, err
	}
	go func(ln net.Listener) { control.Fatal(loop.Serve(ln)) }(ln)
	return s, nil
}

func main() {
	stock := flag.Bool("default-buffers", false, "leave netpoll's 8 KiB buffers as they are")
	o := control.ParseFlags()
	info := control.Info{
		Name:      "netpoll",
		Version:   control.Version("github.com/cloudwego/netpoll"),
		Echo:      true,
		Broadcast: true,
		Note:      "LinkBufferCap=512 and BufferSize=512",
	}
	if *stock {
		info.Name, info.Note = "netpoll-default", "default buffers"
	} else if err := shrink(); err != nil {
		control.Fatal(err)
	}
	info.Note = "public API with gobwas/ws " + control.Version("github.com/gobwas/ws") + "; " + info.Note +
		"; broadcast by Write in accept order"
	control.Run(o, info, start)
}
