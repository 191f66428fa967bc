package faultserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"roost/poller"
)

// Server is a server under way. It ends with Close.
type Server struct {
	p     *poller.Poller
	h     *handler
	alarm *alarm
}

// Bounds of what a connection may make the server hold. They are wide: a fault
// that nobody asked for is the last thing that it may have.
const (
	maxQueue     = 1 << 16  // frames
	maxBytes     = 16 << 20 // their bytes
	maxPartial   = 1 << 20  // of a POST, with its head; of a frame
	maxUnwritten = time.Minute
)

// Start starts a server that listens on an address host:port; port 0 picks one.
func Start(listen string, b Faults) (*Server, error) {
	s := &Server{}
	p, err := poller.New(poller.Options{
		Listen: listen, Loops: 1, MaxPartial: maxPartial, WriteTimeout: maxUnwritten,
		Limits: []poller.Limits{{Messages: maxQueue, Bytes: maxBytes, Control: 64, ControlBytes: 16 << 10}},
		NewHandler: func(l *poller.Loop) poller.Handler {
			s.h = newHandler(l, b)
			s.alarm = s.h.agenda.alarm
			return s.h
		},
	})
	if err != nil {
		if s.alarm != nil {
			s.alarm.stop()
		}
		return nil, fmt.Errorf("server of known behaviour: listening on %s: %w", listen, err)
	}
	s.p = p
	return s, nil
}

// Addr is where it listens: host:port.
func (s *Server) Addr() string { return s.p.Addr().String() }

// Truth returns what was done so far.
func (s *Server) Truth() Truth {
	answer := make(chan Truth, 1)
	if !s.p.Loops()[0].Post(poller.TaskFunc(func(*poller.Loop) { answer <- s.h.report() })) {
		return s.h.report() // the loop has ended
	}
	return <-answer
}

// Close ends all connections and waits for the loop.
func (s *Server) Close() error {
	s.alarm.stop()
	return s.p.Close()
}

// Serve is the life of a process that is such a server: it says on out where it
// listens, one line, "listening host:port", and ends when in does or ctx is
// done.
func Serve(ctx context.Context, in io.Reader, out io.Writer, listen string, b Faults) error {
	s, err := Start(listen, b)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "listening %s\n", s.Addr()); err != nil {
		return errors.Join(err, s.Close())
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, in) // whatever ends it, whoever started this is gone
	}()
	select {
	case <-gone:
	case <-ctx.Done():
	}
	return s.Close()
}
