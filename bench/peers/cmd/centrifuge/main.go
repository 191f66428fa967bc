// Command centrifuge is the peer on centrifugal/centrifuge: JSON protocol, its
// own WebSocket handler, its hub and its writer goroutine per connection.
//
// Its clients speak a protocol: they must send a connect command before they
// get anything. So that the bare client of the benches can be served by the
// unchanged handler, the server puts that command in front of what the client
// sends (hello.go) and subscribes it to the one channel.
package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/centrifugal/centrifuge"

	"roost/bench/peers/internal/control"
)

const channel = "bench"

type server struct{ node *centrifuge.Node }

func (s *server) Conns() int { return s.node.Hub().NumClients() }

// Broadcast publishes payload, as it is if it is JSON, else as a JSON string.
func (s *server) Broadcast(payload []byte) (int, error) {
	data := payload
	if !json.Valid(data) {
		var err error
		if data, err = json.Marshal(string(payload)); err != nil {
			return 0, err
		}
	}
	sent := s.node.Hub().NumSubscribers(channel)
	_, err := s.node.Publish(channel, data)
	return sent, err
}

func start(addr string) (control.Peer, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{},
			Subscriptions: map[string]centrifuge.SubscribeOptions{channel: {}},
			// One frame a message, as everybody else: the client counts frames.
			// The default puts up to 16 queued messages into one.
			MaxMessagesInFrame: 1,
		}, nil
	})
	if err = node.Run(); err != nil {
		return nil, err
	}
	h := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin:      func(*http.Request) bool { return true },
		MessageSizeLimit: control.MaxMessage,
		// No pings: no peer is to send anything of its own.
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1},
	})
	return &server{node: node}, control.ServeHTTP(addr, withHello(h))
}

func main() {
	o := control.ParseFlags()
	info := control.Info{
		Name:      "centrifuge",
		Version:   control.Version("github.com/centrifugal/centrifuge"),
		Echo:      false,
		Broadcast: true,
		Hello:     1,
		Note: `first frame is the connect reply; a broadcast is {"push":{"channel":"bench","pub":{"data":P}}}, ` +
			"P the payload if it is JSON, else the payload as a JSON string; echo would be an RPC of its own protocol; " +
			"sent counts queued writes, MaxMessagesInFrame=1",
	}
	control.Run(o, info, start)
}
