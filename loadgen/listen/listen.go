// Package listen is one device whose messages are printed: a look at what a node
// sends, and at a client by the book. It acknowledges what it has printed, and
// comes back when it is cut off.
package listen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"roost/server/client"
	"roost/server/wire"
)

// Options says who listens, and to what.
type Options struct {
	URL    string // ws://host:port/v1/connect; a device in its query is the default of Device
	Device string // id; default "listener"
	Topic  string // to subscribe to; empty: none
	Binary bool   // the binary form of the protocol instead of JSON
}

// line is what is printed for a message. Kept ones have a number.
type line struct {
	Seq     uint64          `json:"seq,omitempty"`
	ID      string          `json:"id,omitempty"`
	Topic   string          `json:"topic,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Bytes   []byte          `json:"payload_base64,omitempty"` // what is not JSON
}

// Listener is a device that has not begun.
type Listener struct {
	client *client.Client
	topic  string
	errout io.Writer
}

// New makes a listener that prints what it gets, a JSON object a line, to out,
// and what becomes of its connection to errout. The error says what of the
// options cannot be.
func New(o Options, out, errout io.Writer) (*Listener, error) {
	where, named, err := withoutDevice(o.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if o.Device == "" {
		o.Device = named
	}
	if o.Device == "" {
		o.Device = "listener"
	}
	format := wire.JSON
	if o.Binary {
		format = wire.Binary
	}
	c, err := client.New(client.Options{URL: where, Device: o.Device, Protocol: format,
		OnMessage: func(m client.Message) { printMessage(out, m) },
		OnSkip: func(s client.Skip) {
			fmt.Fprintf(errout, "messages %d to %d will not come: %s\n", s.From, s.To, s.Why)
		},
		OnState: func(s client.State) { printState(errout, o.Device, s) },
		Log:     slog.New(slog.NewTextHandler(errout, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, err
	}
	return &Listener{client: c, topic: o.Topic, errout: errout}, nil
}

// Run listens until ctx ends, which is no error, or the node does not want the
// device any more, or refuses the topic.
func (l *Listener) Run(ctx context.Context) error {
	asked := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	subscribed := make(chan struct{})
	go func() {
		defer close(subscribed)
		if l.topic == "" {
			return
		}
		if err := l.client.Subscribe(ctx, l.topic); err != nil && ctx.Err() == nil {
			cancel(fmt.Errorf("topic %s: %w", l.topic, err))
		} else if err == nil {
			fmt.Fprintf(l.errout, "subscribed to %s\n", l.topic)
		}
	}()
	err := l.client.Run(ctx)
	cancel(nil)
	<-subscribed
	switch {
	case asked.Err() != nil:
		return nil
	case errors.Is(err, context.Canceled): // for a reason of ours
		return context.Cause(ctx)
	}
	return err
}

// withoutDevice returns the URL without the device, which the client sets, and
// that.
func withoutDevice(raw string) (where, device string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", err
	}
	q := u.Query()
	if device = q.Get("device"); q.Has("device") {
		q.Del("device")
		u.RawQuery = q.Encode()
	}
	return u.String(), device, nil
}

// printMessage prints a message so that a terminal survives it.
func printMessage(out io.Writer, m client.Message) {
	l := line{Seq: m.Seq, ID: m.ID, Topic: m.Topic}
	if json.Valid(m.Payload) {
		l.Payload = m.Payload
	} else {
		l.Bytes = m.Payload
	}
	text, err := json.Marshal(l)
	if err != nil { // cannot be
		text = fmt.Appendf(nil, "%q", m.Payload)
	}
	fmt.Fprintf(out, "%s\n", text)
}

// printState says how the connection does.
func printState(errout io.Writer, name string, s client.State) {
	switch s.Phase {
	case client.Connected:
		how := "as a new device, or one that missed something"
		if s.Resumed {
			how = "where it was"
		}
		fmt.Fprintf(errout, "%s is connected to %s, %s; ctrl-C ends\n", name, s.Node, how)
		if s.Missed > 0 {
			fmt.Fprintf(errout, "messages before %d are gone\n", s.Missed)
		}
	case client.Waiting:
		fmt.Fprintf(errout, "not connected, again in %v: %v\n", s.After, s.Err)
	}
}
