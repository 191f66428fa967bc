package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"roost/server/wire"
)

// Options say what a Client is for. URL and Device are needed.
type Options struct {
	URL       string        // ws://host[:port][/path]; without a path /v1/connect
	Device    string        // 1 to 128 printable ASCII characters without spaces
	Protocol  wire.Format   // form of the messages: wire.JSON or wire.Binary
	Heartbeat time.Duration // interval to ask for, 30 s to 300 s in whole seconds; 0: the node's choice
	Deflate   bool          // offer permessage-deflate

	// The application. All are called one after the other from the goroutine
	// that called Run; nil is nothing. While one runs, nothing is read, and
	// heartbeats go on. A panic in one ends the connection and comes out of Run.
	OnMessage func(Message)
	OnSkip    func(Skip)
	OnState   func(State)

	// Store keeps what should survive a restart; nil: memory.
	Store Store

	// Dial opens the connection to addr, "host:port", within ctx; nil: TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)

	// Log hears why connections come and go; nil: nobody.
	Log *slog.Logger
}

// Message is a message for the application.
type Message struct {
	Seq     uint64 // of a kept message, acknowledged once OnMessage has returned; 0: a live one
	TTL     uint64 // s, of a kept message as it was published
	ID      string // idempotency key; empty: none
	Topic   string // empty: sent to this device alone
	Payload []byte // JSON or bytes; the application's only until OnMessage returns
}

// Skip says that kept messages will not come: numbers From to To, both
// included.
type Skip struct {
	From, To uint64
	Why      string // "ttl" or "gone"
}

// Errors of New, Run and the requests of a Client.
var (
	ErrOptions      = errors.New("client: options are not valid")
	ErrRunning      = errors.New("client: Run is running already")
	ErrNotConnected = errors.New("client: not connected")
	ErrClosed       = errors.New("client: Run has ended")
	ErrChanged      = errors.New("client: the opposite was asked for meanwhile")
	ErrTooBig       = errors.New("client: message is larger than the node takes")
	ErrPayload      = errors.New("client: payload is not JSON, which the JSON form needs")
	ErrTopic        = errors.New("client: not the name of a topic, or more topics than a client remembers")
)

// target is where to connect.
type target struct {
	host string // as in the URL, for Host
	addr string // with port, for Dial
	path string // path and query so far; ends in '?' or '&'
}

func parseTarget(raw string) (t target, err error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return t, fmt.Errorf("%w: %v", ErrOptions, err)
	case u.Scheme != "ws":
		return t, fmt.Errorf("%w: scheme of %q: only ws is spoken", ErrOptions, raw)
	case u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return t, fmt.Errorf("%w: %q is not ws://host[:port][/path]", ErrOptions, raw)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	t = target{host: u.Host, addr: net.JoinHostPort(u.Hostname(), port), path: u.EscapedPath()}
	if strings.Trim(t.path, "/") == "" {
		t.path = "/v1/connect"
	}
	t.path += "?"
	if u.RawQuery != "" {
		t.path += u.RawQuery + "&"
	}
	return t, nil
}

func (o *Options) check() error {
	if !wire.ValidChannel(o.Device) { // the same rule
		return fmt.Errorf("%w: device %.140q", ErrOptions, o.Device)
	}
	if o.Protocol >= wire.Formats {
		return fmt.Errorf("%w: protocol %d", ErrOptions, o.Protocol)
	}
	if h := o.Heartbeat; h != 0 && (h < 30*time.Second || h > 300*time.Second || h%time.Second != 0) {
		return fmt.Errorf("%w: heartbeat %v", ErrOptions, h)
	}
	return nil
}
