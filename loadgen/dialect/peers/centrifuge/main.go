// Command centrifuge is a server of the centrifugo dialect, for tests: whoever
// comes may subscribe and publish to any channel, and publish over HTTP with
// the key "secret". It says its address on stdout, and ends with its stdin.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/centrifugal/centrifuge"
)

func main() {
	ping := flag.Duration("ping", 25*time.Second, "between pings")
	flag.Parse()
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(e centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			if e.Channel == "forbidden" {
				done(centrifuge.SubscribeReply{}, centrifuge.ErrorPermissionDenied)
				return
			}
			done(centrifuge.SubscribeReply{}, nil)
		})
		c.OnPublish(func(e centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			if e.Channel == "forbidden" {
				done(centrifuge.PublishReply{}, centrifuge.ErrorPermissionDenied)
				return
			}
			done(centrifuge.PublishReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: *ping, PongTimeout: *ping / 2},
	}))
	mux.HandleFunc("POST /api/publish", publish(node))
	mux.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) { _ = node.Shutdown(context.Background()) })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ln.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.Serve(ln, mux))
}

// publish answers as Centrifugo does: with an error in a 200.
func publish(node *centrifuge.Node) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-API-Key") != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var m struct {
			Channel string          `json:"channel"`
			Data    json.RawMessage `json:"data"`
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || m.Channel == "" {
			_, _ = io.WriteString(w, `{"error":{"code":107,"message":"bad request"}}`)
			return
		}
		if _, err := node.Publish(m.Channel, m.Data); err != nil {
			_, _ = io.WriteString(w, `{"error":{"code":100,"message":"internal server error"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"result":{}}`)
	}
}
