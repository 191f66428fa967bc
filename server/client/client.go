package client

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"roost/server/wire"
)

// Client is one device for an application: it keeps connected while Run runs.
// Its methods are safe for concurrent use.
type Client struct {
	opt     Options
	home    target
	running atomic.Bool

	requests chan request
	topics   topics // the loop's, while Run runs

	mu    sync.Mutex
	state State
}

// New returns a Client. The error wraps ErrOptions.
func New(opt Options) (*Client, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	home, err := parseTarget(opt.URL)
	if err != nil {
		return nil, err
	}
	if opt.Store == nil {
		opt.Store = new(memoryStore)
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Dial == nil {
		opt.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}
	}
	return &Client{opt: opt, home: home, requests: make(chan request), topics: topics{}}, nil
}

// Run connects and stays connected, whatever happens, until ctx is done, whose
// error it returns, or the node says that the device must not come back: a
// *StopError. It calls the application's functions. Before it returns it
// acknowledges what was handled and closes with 1000, for which it waits a
// second at most. It may be called again.
func (c *Client) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer c.running.Store(false)
	saved, err := c.opt.Store.Load()
	if err != nil {
		return fmt.Errorf("client: what was stored: %w", err)
	}
	l := newLoop(c, saved)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.run(ctx)
	}()
	defer func() { // also behind a panic of the application
		cancel()
		close(l.gone)
		<-ended
	}()
	for t := range l.tasks {
		t.do()
		l.handled <- struct{}{}
	}
	for _, t := range l.queue { // it ended before they could be told
		if t.state != nil {
			t.do()
		}
	}
	return l.err
}

// State returns how the client does.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *Client) setState(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
}

// Subscribe subscribes the device to a topic and returns when the node has
// stored that, over as many connections as it takes. The client remembers the
// topic and repeats the request after each welcome, also when ctx ended first.
// A refusal is a *wire.Error, and is forgotten.
func (c *Client) Subscribe(ctx context.Context, topic string) error {
	return c.ask(ctx, topic, true)
}

// Unsubscribe is the reverse of Subscribe, in the same way.
func (c *Client) Unsubscribe(ctx context.Context, topic string) error {
	return c.ask(ctx, topic, false)
}

func (c *Client) ask(ctx context.Context, topic string, want bool) error {
	if !wire.ValidChannel(topic) {
		return ErrTopic
	}
	return c.request(ctx, request{topic: topic, want: want, reply: make(chan error, 1)})
}

// Up sends payload to topic: to whoever listens on the backend now, once.
// Nobody acknowledges it: nil says that it was sent. It is ErrNotConnected,
// ErrTooBig, ErrPayload or ErrTopic otherwise.
func (c *Client) Up(ctx context.Context, topic string, payload []byte) error {
	if !wire.ValidChannel(topic) {
		return ErrTopic
	}
	if c.opt.Protocol == wire.JSON && !json.Valid(payload) {
		return ErrPayload
	}
	up := wire.Up{Op: wire.OpUp, Channel: []byte(topic), Payload: payload}
	return c.request(ctx, request{up: wire.AppendUp(nil, c.opt.Protocol, &up), reply: make(chan error, 1)})
}

// request is what an application asks of the loop.
type request struct {
	topic string
	want  bool       // subscribed
	up    []byte     // or a message to be sent
	reply chan error // takes one value without blocking
}

// request waits for the answer to r; also for Run to begin.
func (c *Client) request(ctx context.Context, r request) error {
	select {
	case c.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
