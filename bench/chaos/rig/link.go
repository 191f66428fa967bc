package rig

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"roost/server/engines"
)

// Link is the way of one node to one server, which can be cut.
//
//	       Cut                Refuse
//	held <───── whole ─────────────────> refused
//	  ╰────────> ^ <──────────────────────╯
//	            Mend
//
// Held is a network that loses everything: both ends think that they are connected,
// and what they said comes late, once it is mended, as TCP repeats it, also of a
// connection that has been given up meanwhile. New connections are taken and hear
// nothing. Refused is a network that answers for the server: all connections are
// closed and new ones refused.
//
// toxiproxy was tried on paper: its toxic that holds (latency) gives what it held 5 s a
// piece, under the lock of the whole proxy, where one end has hung up, and the one that
// does not (timeout) forgets what was said. The late word is what is to be tried here.
type Link struct {
	// Static after newLink.
	tb           engines.Owner
	name         string
	addr, server string // host:port of the way, and where it leads
	wg           sync.WaitGroup

	mu    sync.Mutex // covers the following
	ln    net.Listener
	whole chan struct{} // closed while the way is whole
	pairs map[*pair]bool
}

// pair is one connection, both ends of it.
type pair struct {
	near, far net.Conn // the node's, the server's
	gone      chan struct{}
	once      sync.Once
}

func (p *pair) close() {
	p.once.Do(func() {
		close(p.gone)
		p.near.Close()
		p.far.Close()
	})
}

// newLink makes a way to a server.
func newLink(tb engines.Owner, name, server string) *Link {
	tb.Helper()
	port, err := engines.FreePort()
	if err != nil {
		tb.Fatalf("link %s: %v", name, err)
	}
	l := &Link{tb: tb, name: name, addr: fmt.Sprintf("127.0.0.1:%d", port), server: server, pairs: map[*pair]bool{}, whole: make(chan struct{})}
	close(l.whole)
	l.Mend()
	tb.Cleanup(func() {
		l.Refuse()
		l.wg.Wait()
	})
	return l
}

// Addr returns the host:port that leads to the server.
func (l *Link) Addr() string { return l.addr }

// Cut holds everything up.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if isClosed(l.whole) {
		l.whole = make(chan struct{})
	}
}

// Refuse closes all connections and takes no new ones.
func (l *Link) Refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ln != nil {
		l.ln.Close()
		l.ln = nil
	}
	for p := range l.pairs {
		p.close()
	}
}

// Mend makes the way whole.
func (l *Link) Mend() {
	l.tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !isClosed(l.whole) {
		close(l.whole)
	}
	if l.ln != nil {
		return
	}
	ln, err := net.Listen("tcp", l.addr)
	if err != nil {
		l.tb.Fatalf("link %s: %v", l.name, err)
	}
	l.ln = ln
	l.wg.Go(func() { l.accept(ln) })
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// accept takes connections until the listener is closed.
func (l *Link) accept(ln net.Listener) {
	for {
		near, err := ln.Accept()
		if err != nil {
			return
		}
		far, err := net.DialTimeout("tcp", l.server, time.Second)
		if err != nil {
			near.Close()
			continue
		}
		p := &pair{near: near, far: far, gone: make(chan struct{})}
		l.mu.Lock()
		l.pairs[p] = true
		if l.ln != ln { // refused meanwhile
			p.close()
		}
		l.mu.Unlock()
		l.wg.Go(func() {
			var both sync.WaitGroup
			both.Go(func() { l.pump(p, p.far, p.near) })
			both.Go(func() { l.pump(p, p.near, p.far) })
			both.Wait()
			p.close()
			l.mu.Lock()
			delete(l.pairs, p)
			l.mu.Unlock()
		})
	}
}

// pump carries what one end says to the other until either is gone.
func (l *Link) pump(p *pair, to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.mu.Lock()
		whole := l.whole
		l.mu.Unlock()
		select {
		case <-whole:
		case <-p.gone:
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				p.close()
				return
			}
		}
		if err != nil {
			if half, ok := to.(*net.TCPConn); ok && !errors.Is(err, net.ErrClosed) {
				half.CloseWrite()
			}
			return
		}
	}
}
