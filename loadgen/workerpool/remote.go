package workerpool

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"roost/loadgen/link"
)

// joinTimeout is how long remote workers have to join if nobody says otherwise.
const joinTimeout = time.Minute

// maxPending bounds the connections that have not said hello yet.
const maxPending = 32

// firstPings is how many pings tell how clocks compare before there is a plan.
const firstPings = 8

// acceptRemotes listens until all remote workers have joined. Who does not know the token is
// sent away with a reason, and changes nothing.
func acceptRemotes(ctx context.Context, o Options, log *log) (remotes []*Member, err error) {
	if o.Token == "" {
		return nil, errors.New("workers of other machines need a token to prove themselves by")
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for workers: %w", err)
	}
	wait := o.Wait
	if wait == 0 {
		wait = joinTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	log.line("waiting for %d workers at %s: loadgen worker --join %[2]s --token ...", o.Expect, listener.Addr())

	joined := make(chan *Member)
	var handshakes sync.WaitGroup
	defer handshakes.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	defer listener.Close()
	handshakes.Go(func() { accept(ctx, listener, o, log, &handshakes, joined) })
	for len(remotes) < o.Expect {
		select {
		case m := <-joined:
			remotes = append(remotes, m)
			log.line("worker %d of %d has joined: %s, process %d on %s", len(remotes), o.Expect, m.Where, m.Hello.PID, m.Hello.Host)
		case <-ctx.Done():
			return remotes, fmt.Errorf("%d of %d workers have joined at %s within %v (--wait): %w", len(remotes), o.Expect, listener.Addr(), wait, context.Cause(ctx))
		}
	}
	return remotes, nil
}

// accept takes connections until the listener is closed.
func accept(ctx context.Context, listener net.Listener, o Options, log *log, handshakes *sync.WaitGroup, joined chan<- *Member) {
	room := make(chan struct{}, maxPending)
	for {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		select {
		case room <- struct{}{}:
		default:
			_ = c.Close() // too many pending handshakes
			continue
		}
		handshakes.Go(func() {
			defer func() { <-room }()
			m, err := handshake(ctx, c, o)
			if err != nil {
				log.line("sent away %s: %v", c.RemoteAddr(), err)
				return
			}
			select {
			case joined <- m:
			case <-ctx.Done():
				m.Kill()
			}
		})
	}
}

// handshake checks who connects, and how its clock goes.
func handshake(ctx context.Context, c net.Conn, o Options) (*Member, error) {
	l := link.NewConn(c)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	m, err := greet(l, o)
	if err != nil {
		// The reason is for whoever started the worker; it may be gone.
		_ = l.Send(&link.Message{Fail: &link.Fail{Error: err.Error()}})
		_ = l.Close()
		return nil, err
	}
	m.Where = c.RemoteAddr().String()
	return m, nil
}

func greet(l *link.Conn, o Options) (*Member, error) {
	if err := l.Patience(helloTimeout); err != nil {
		return nil, err
	}
	msg, err := l.Receive()
	switch {
	case err != nil:
		return nil, err
	case msg.Hello.Version != link.Version:
		return nil, versionError(msg.Hello.Version)
	case subtle.ConstantTimeCompare([]byte(msg.Hello.Token), []byte(o.Token)) != 1:
		return nil, errors.New("wrong token: give the coordinator's --token to the worker")
	}
	l.Trust()
	m := &Member{Hello: msg.Hello, link: l, Remote: true}
	for range firstPings {
		sent := o.Clock.Now()
		if err := l.Send(&link.Message{Ping: &link.Ping{At: sent}}); err != nil {
			return nil, err
		}
		pong, err := l.Receive()
		if err != nil {
			return nil, err
		}
		if pong.Pong == nil {
			return nil, errors.New("it does not answer a ping")
		}
		m.Offset.Add(sent, o.Clock.Now(), pong.Pong.Own)
	}
	return m, l.Patience(0)
}
