// Command gobwas is the peer on gobwas/ws over an epoll loop made by hand, as
// those build it who want no goroutine and no buffer per connection.
package main

import (
	"roost/bench/peers/internal/control"
)

// server posts the control port's work to the loop, which owns everything.
type server struct{ loop *loop }

func (s *server) Broadcast(payload []byte) (sent int, err error) {
	s.loop.call(func() { sent = s.loop.broadcast(payload) })
	return sent, nil
}

func (s *server) Conns() (n int) {
	s.loop.call(func() { n = s.loop.open })
	return n
}

func main() {
	o := control.ParseFlags()
	info := control.Info{
		Name:      "gobwas",
		Version:   control.Version("github.com/gobwas/ws"),
		Echo:      true,
		Broadcast: true,
		Threads:   1,
		Note:      "one epoll loop by hand, upgrade on the raw socket, shared read buffer, broadcast in fd order",
	}
	control.Run(o, info, func(addr string) (control.Peer, error) {
		l, err := newLoop(addr)
		if err != nil {
			return nil, err
		}
		go func() { control.Fatal(l.run()) }()
		return &server{loop: l}, nil
	})
}
