// Command gws is the peer on lxzan/gws: a read loop per connection, broadcasts
// by its Broadcaster, which hands each connection's write to a goroutine.
package main

import (
	"net/http"
	"sync/atomic"

	"github.com/lxzan/gws"

	"roost/bench/peers/internal/control"
	"roost/bench/peers/internal/registry"
)

// sweepEvery is after how many broadcasts a connection must have worked off
// what was queued before. gws' write queue has no bound of its own; with this
// one it holds at most twice as many messages.
const sweepEvery = 256

// client is one connection. It serves as the connection's session storage, of
// which the default is a map each.
type client struct {
	registry.Member
	noStorage
	socket *gws.Conn
	// behind is set while a marker of the last sweep is still in the queue.
	behind atomic.Bool
}

// noStorage is a gws.SessionStorage without anything in it.
type noStorage struct{}

func (noStorage) Len() int                     { return 0 }
func (noStorage) Load(string) (any, bool)      { return nil, false }
func (noStorage) Delete(string)                {}
func (noStorage) Store(string, any)            {}
func (noStorage) Range(func(string, any) bool) {}

type server struct {
	gws.BuiltinEventHandler
	clients registry.Set[*client]

	// Owned by Broadcast.
	rounds int
}

func (s *server) OnOpen(socket *gws.Conn) {
	c := socket.Session().(*client)
	c.socket = socket
	s.clients.Add(c)
}

func (s *server) OnClose(socket *gws.Conn, _ error) {
	s.clients.Remove(socket.Session().(*client))
}

func (s *server) OnPing(socket *gws.Conn, payload []byte) {
	_ = socket.WritePong(payload) // gws closes the connection on a failed write
}

func (s *server) OnMessage(socket *gws.Conn, m *gws.Message) {
	_ = socket.WriteMessage(m.Opcode, m.Bytes())
	_ = m.Close() // back to the pool
}

func (s *server) Conns() int { return s.clients.Len() }

func (s *server) Broadcast(payload []byte) (int, error) {
	b := gws.NewBroadcaster(gws.OpcodeText, payload)
	sent := s.clients.Each(func(c *client) error { return b.Broadcast(c.socket) })
	if s.rounds++; s.rounds%sweepEvery == 0 {
		s.sweep()
	}
	return sent, b.Close()
}

// sweep drops the connections that have not reached the last sweep's marker.
func (s *server) sweep() {
	s.clients.Each(func(c *client) error {
		if c.behind.Swap(true) {
			return c.socket.NetConn().Close()
		}
		c.socket.Async(func() { c.behind.Store(false) })
		return nil
	})
}

func main() {
	o := control.ParseFlags()
	info := control.Info{
		Name:      "gws",
		Version:   control.Version("github.com/lxzan/gws"),
		Echo:      true,
		Broadcast: true,
		Note:      "goroutine per connection; Broadcaster: sent counts queued writes, a goroutine each",
	}
	control.Run(o, info, func(addr string) (control.Peer, error) {
		s := &server{}
		up := gws.NewUpgrader(s, &gws.ServerOption{
			ReadMaxPayloadSize: control.MaxMessage,
			NewSession:         func() gws.SessionStorage { return &client{} },
		})
		return s, control.ServeHTTP(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			socket, err := up.Upgrade(w, r)
			if err != nil {
				return
			}
			// In an own goroutine, as gws advises, so that net/http's can go.
			go socket.ReadLoop()
		}))
	})
}
