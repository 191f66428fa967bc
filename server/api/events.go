package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// lifeSignEvery is the time between comment lines: proxies cut what is silent
	// for a minute, many after 30 s.
	lifeSignEvery = 15 * time.Second
	// eventHeadAfter is when the answer begins if the node has not said that it
	// listens.
	eventHeadAfter = 100 * time.Millisecond
	// eventWriteWithin is how long a reader may take nothing.
	eventWriteWithin = 10 * time.Second
)

// eventEnd is the last event of a stream that the node ends.
const eventEnd = "end"

// eventData is the data of an event in the stream.
type eventData struct {
	Kind    string          `json:"kind"`
	Device  string          `json:"device,omitempty"`
	At      time.Time       `json:"at"`
	Code    int             `json:"code,omitempty"`           // offline: the close code that was sent
	Topic   string          `json:"topic,omitempty"`          // up: the channel
	Payload json.RawMessage `json:"payload,omitempty"`        // up
	Bytes   []byte          `json:"payload_base64,omitempty"` // up, if the payload is not JSON
	Missed  int             `json:"missed,omitempty"`         // missed: how many
	Node    string          `json:"node,omitempty"`           // in a cluster
	Fence   uint32          `json:"fence,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Devices int             `json:"devices,omitempty"`
	Back    int             `json:"back,omitempty"`
	Lost    int             `json:"lost,omitempty"`
	Singles int             `json:"singles,omitempty"`
}

// stream writes events to one client.
type stream struct {
	x    *exchange
	out  *http.ResponseController
	mu   sync.Mutex // the node's events and the life signs are written by different goroutines
	open bool
	n    uint64
	buf  []byte
	err  error
}

// events serves GET /v1/events.
func (h *handler) events(x *exchange) {
	filter, bad := x.filter()
	if bad != nil {
		bad.write(x)
		return
	}
	s := &stream{x: x, out: http.NewResponseController(x)}
	if x.r.Method == http.MethodHead {
		s.begin()
		return
	}
	ctx, cancel := context.WithCancel(x.ctx)
	var alive sync.WaitGroup
	alive.Go(func() { s.live(ctx, cancel) })
	err := h.node.Events(ctx, filter, s.event)
	gone := ctx.Err() != nil
	cancel()
	alive.Wait()
	s.end(err, gone)
}

// filter reads the parameters of the stream.
func (x *exchange) filter() (f EventFilter, bad *problem) {
	if x.query.Has("kind") {
		f.Kinds = strings.Split(x.query.Get("kind"), ",")
	}
	for _, kind := range f.Kinds {
		if !slices.Contains(eventKinds, kind) {
			return f, invalidParameter("kind", fmt.Sprintf("kind has %q in it: want %s, with commas between", clip([]byte(kind)), strings.Join(eventKinds, ", ")))
		}
	}
	if x.query.Has("device") {
		if f.Device = x.query.Get("device"); !printable(f.Device) {
			return f, invalidParameter("device", "device "+nameRule)
		}
	}
	return f, nil
}

// live begins the answer if the node does not, and writes a comment line now and
// then.
func (s *stream) live(ctx context.Context, cancel context.CancelFunc) {
	timer := time.NewTimer(eventHeadAfter)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if s.lifeSign() != nil {
			cancel()
			return
		}
		timer.Reset(lifeSignEvery)
	}
}

// lifeSign writes a comment line, which readers ignore.
func (s *stream) lifeSign() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write([]byte(":\n\n"))
}

// event writes one event; nil says that the node listens now.
func (s *stream) event(e *Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e == nil {
		return s.write([]byte(":\n\n"))
	}
	data := eventData{Kind: e.Kind, Device: e.Device, At: e.At, Code: e.Code, Topic: e.Topic, Missed: e.Missed,
		Node: e.Node, Fence: e.Fence, Reason: e.Reason, Devices: e.Devices, Back: e.Back, Lost: e.Lost, Singles: e.Singles}
	if e.Raw || !json.Valid(e.Payload) {
		data.Bytes = e.Payload
	} else {
		data.Payload = e.Payload
	}
	return s.send(e.Kind, data)
}

// send writes an event with its data.
func (s *stream) send(kind string, data any) error {
	text, err := json.Marshal(data) // has no line breaks, which would end the event
	if err != nil {
		return fmt.Errorf("an event cannot be written: %w", err)
	}
	s.n++
	s.buf = append(append(s.buf[:0], "event: "...), kind...)
	s.buf = strconv.AppendUint(append(s.buf, "\nid: "...), s.n, 10)
	s.buf = append(append(s.buf, "\ndata: "...), text...)
	return s.write(append(s.buf, "\n\n"...))
}

// begin sends the head of the answer.
func (s *stream) begin() {
	s.open = true
	s.x.Header().Set("Content-Type", "text/event-stream")
	s.x.Header().Set("Cache-Control", "no-store")
	s.x.Header().Set("X-Accel-Buffering", "no") // nginx would wait for 4 KiB
	s.x.WriteHeader(http.StatusOK)
}

// write writes at once. A client that takes nothing for eventWriteWithin is given
// up.
func (s *stream) write(b []byte) error {
	if s.err != nil {
		return s.err
	}
	if !s.open {
		s.begin()
	}
	s.err = s.out.SetWriteDeadline(time.Now().Add(eventWriteWithin))
	if errors.Is(s.err, http.ErrNotSupported) {
		s.err = nil // a test's recorder
	}
	if s.err == nil {
		_, s.err = s.x.Write(b)
	}
	if s.err == nil {
		s.err = s.out.Flush()
	}
	return s.err
}

// end ends the stream: before its beginning with a problem, later with an event
// that says why, unless the client has gone.
func (s *stream) end(err error, gone bool) {
	why := &problem{Title: "Going down", Status: http.StatusServiceUnavailable, RetryAfter: 1,
		Detail: "the node is going down"}
	if err != nil {
		why = failure(err, "")
	}
	switch {
	case !s.open && gone:
		failure(context.Canceled, "").write(s.x)
	case !s.open:
		why.write(s.x)
	case !gone && s.err == nil:
		s.send(eventEnd, why)
	}
	if s.err == nil {
		s.out.SetWriteDeadline(time.Time{}) // the connection may serve further requests
	}
}
