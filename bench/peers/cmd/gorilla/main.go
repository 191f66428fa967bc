// Command gorilla is the peer on gorilla/websocket: a goroutine per
// connection, broadcasts by a PreparedMessage.
package main

import (
	"flag"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"roost/bench/peers/internal/control"
	"roost/bench/peers/internal/registry"
)

// client is one connection. gorilla allows one writer at a time: an echo and a
// broadcast may meet.
type client struct {
	registry.Member
	mu   sync.Mutex
	conn *websocket.Conn
}

type server struct {
	clients registry.Set[*client]
}

func (s *server) Conns() int { return s.clients.Len() }

func (s *server) Broadcast(payload []byte) (int, error) {
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, payload)
	if err != nil {
		return 0, err
	}
	return s.clients.Each(func(c *client) error {
		c.mu.Lock()
		err := c.conn.WritePreparedMessage(m)
		c.mu.Unlock()
		if err != nil {
			_ = c.conn.Close() // ends its read loop, which takes it out
		}
		return err
	}), nil
}

// serve is the read loop of one connection.
func (s *server) serve(conn *websocket.Conn) {
	c := &client{conn: conn}
	s.clients.Add(c)
	defer conn.Close()
	defer s.clients.Remove(c)
	conn.SetReadLimit(control.MaxMessage)
	for {
		kind, p, err := conn.ReadMessage()
		if err != nil {
			return
		}
		c.mu.Lock()
		err = conn.WriteMessage(kind, p)
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func main() {
	tuned := flag.Bool("tuned", false, "512 B buffers, a write buffer pool, and net/http's goroutine given back")
	o := control.ParseFlags()
	info := control.Info{
		Name:      "gorilla",
		Version:   control.Version("github.com/gorilla/websocket"),
		Echo:      true,
		Broadcast: true,
		Note:      "goroutine per connection; default Upgrader (4 KiB buffers), PreparedMessage in accept order",
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	if *tuned {
		info.Name = "gorilla-tuned"
		info.Note = "goroutine per connection; 512 B buffers, WriteBufferPool, PreparedMessage in accept order"
		up.ReadBufferSize, up.WriteBufferSize = 512, 512
		up.WriteBufferPool = &sync.Pool{}
	}
	control.Run(o, info, func(addr string) (control.Peer, error) {
		s := &server{}
		return s, control.ServeHTTP(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := up.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			if *tuned {
				go s.serve(conn) // a small stack instead of net/http's grown one
				return
			}
			s.serve(conn)
		}))
	})
}
