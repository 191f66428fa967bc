// Command mqtt is a broker of the mqtt dialect, for tests: whoever comes may do
// anything. It says its address on stdout, and ends with its stdin.
package main

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

func main() {
	server := mqtt.New(&mqtt.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(auth.AllowHook), nil); err != nil {
		log.Fatal(err)
	}
	// The listener does not say which port it was given.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	if err := server.AddListener(listeners.NewWebsocket(listeners.Config{ID: "ws", Address: addr})); err != nil {
		log.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		log.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // Serve does not wait for the listener
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			_ = nc.Close()
			break
		}
		if time.Now().After(end) {
			log.Fatal(err)
		}
	}
	fmt.Println(addr)
	_, _ = io.Copy(io.Discard, os.Stdin)
}
