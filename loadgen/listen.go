package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	device "roost/server/client"
	"roost/server/wire"
)

// line is what listen mode prints for a message. Kept ones have a number.
type line struct {
	Seq     uint64          `json:"seq,omitempty"`
	ID      string          `json:"id,omitempty"`
	Topic   string          `json:"topic,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Bytes   []byte          `json:"payload_base64,omitempty"` // what is not JSON
}

// listen prints what one device gets, a JSON object a line, to out, and what
// becomes of its connection to errout, until ctx ends or the node does not want
// it any more. It is a client by the book: it acknowledges what it has printed,
// and comes back.
func listen(ctx context.Context, opt *Options, t target, out, errout io.Writer) error {
	setDefault(&opt.Device, t.names)
	setDefault(&opt.Device, "listener")
	format := wire.JSON
	if opt.Protocol == "bin" {
		format = wire.Binary
	}
	where, err := withoutDevice(opt.URL)
	if err != nil {
		return &UsageError{err}
	}
	c, err := device.New(device.Options{URL: where, Device: opt.Device, Protocol: format,
		OnMessage: func(m device.Message) { printMessage(out, m) },
		OnSkip: func(s device.Skip) {
			fmt.Fprintf(errout, "messages %d to %d will not come: %s\n", s.From, s.To, s.Why)
		},
		OnState: func(s device.State) { printState(errout, opt.Device, s) },
		Log:     slog.New(slog.NewTextHandler(errout, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return &UsageError{err}
	}
	asked := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	subscribed := make(chan struct{})
	go func() {
		defer close(subscribed)
		if opt.Topic == "" {
			return
		}
		if err := c.Subscribe(ctx, opt.Topic); err != nil && ctx.Err() == nil {
			cancel(fmt.Errorf("topic %s: %w", opt.Topic, err))
		} else if err == nil {
			fmt.Fprintf(errout, "subscribed to %s\n", opt.Topic)
		}
	}()
	err = c.Run(ctx)
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

// withoutDevice returns the URL without the parameter that the client sets.
func withoutDevice(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	q := u.Query()
	if q.Has("device") {
		q.Del("device")
		u.RawQuery = q.Encode()
	}
	return u.String(), nil
}

// printMessage prints a message so that a terminal survives it.
func printMessage(out io.Writer, m device.Message) {
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
func printState(errout io.Writer, name string, s device.State) {
	switch s.Phase {
	case device.Connected:
		how := "as a new device, or one that missed something"
		if s.Resumed {
			how = "where it was"
		}
		fmt.Fprintf(errout, "%s is connected to %s, %s; ctrl-C ends\n", name, s.Node, how)
		if s.Missed > 0 {
			fmt.Fprintf(errout, "messages before %d are gone\n", s.Missed)
		}
	case device.Waiting:
		fmt.Fprintf(errout, "not connected, again in %v: %v\n", s.After, s.Err)
	}
}
