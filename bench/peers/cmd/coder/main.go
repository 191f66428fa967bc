// Command coder is the peer on coder/websocket: a goroutine per connection in
// net/http's handler, as in its examples.
package main

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"roost/bench/peers/internal/control"
	"roost/bench/peers/internal/registry"
)

// client is one connection; its Conn locks writes itself.
type client struct {
	registry.Member
	conn *websocket.Conn
}

type server struct {
	clients registry.Set[*client]
}

func (s *server) Conns() int { return s.clients.Len() }

// Broadcast writes without a context timeout, which would cost a timer a
// write: the listener's user timeout ends a write that is stuck.
func (s *server) Broadcast(payload []byte) (int, error) {
	ctx := context.Background()
	return s.clients.Each(func(c *client) error {
		err := c.conn.Write(ctx, websocket.MessageText, payload)
		if err != nil {
			_ = c.conn.CloseNow() // ends its read loop, which takes it out
		}
		return err
	}), nil
}

// serve is one connection. Read and Write instead of io.Copy between Reader
// and Writer, since the latter sends an echo as two frames.
func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	c := &client{conn: conn}
	s.clients.Add(c)
	defer func() { _ = conn.CloseNow() }()
	defer s.clients.Remove(c)
	conn.SetReadLimit(control.MaxMessage)
	ctx := context.Background()
	for {
		kind, p, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if conn.Write(ctx, kind, p) != nil {
			return
		}
	}
}

func main() {
	o := control.ParseFlags()
	info := control.Info{
		Name:      "coder",
		Version:   control.Version("github.com/coder/websocket"),
		Echo:      true,
		Broadcast: true,
		Note:      "goroutine per connection in net/http's handler; broadcast by Write in accept order",
	}
	control.Run(o, info, func(addr string) (control.Peer, error) {
		s := &server{}
		return s, control.ServeHTTP(addr, http.HandlerFunc(s.serve))
	})
}
