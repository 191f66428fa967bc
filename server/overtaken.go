package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/inbox"
	"roost/server/presence"
	"roost/server/ws"
)

// Texts of closes that other nodes bring about.
const (
	movedText     = "you are connected to another node"
	strangerText  = "another client connected as this device, to another node"
	overtakenMost = 1 << 16
)

// closeSession closes the connection of one session.
func (s *Server) closeSession(ref inbox.Ref, fence uint32, code ws.StatusCode, reason string) {
	s.withSession(ref, fence, func(h *handler, c poller.Conn, st *connState) {
		h.out, h.frames = h.out[:0], 0
		h.close(c, st, code, reason)
	})
}

// zombie is told by the keeper that somebody else has a device that is connected here.
func (k *clustered) zombie(z presence.Zombie) {
	code, text := CloseTakenOver, strangerText
	if z.SameSession {
		code, text = CloseMoved, movedText
	}
	k.countOvertaken(code)
	k.s.closeSession(k.store.Find([]byte(z.Device)), z.Fence, code, text)
}

// ended is told by the store that a session is over.
func (k *clustered) ended(ref inbox.Ref, fence uint32, why error) {
	if errors.Is(why, inbox.ErrHistory) {
		k.bereave(ref, fence)
		return
	}
	if !k.overtaken.put(overSession{ref, fence}) {
		k.s.closeSession(ref, fence, CloseMoved, movedText)
	}
}

// bereave takes note that the store has lost the stream of a session's device, or a part of it. The connection stays, for live messages,
// until its device is back for a session with another stream, in a slot (lookAtAlone): of all devices at once, where
// all streams are gone, closing them would leave each without a connection until its client dials, and with the third loss in a row
// by a backoff (8.8 s: bench/results/chaos-2026-11-28).
func (k *clustered) bereave(ref inbox.Ref, fence uint32) {
	k.s.withSession(ref, fence, func(_ *handler, _ poller.Conn, st *connState) {
		if !st.is(flagAlone) {
			st.set(flagAlone, true)
			k.alone.Add(1)
		}
	})
}

// overtaken are sessions that have a later one at another node. Whether it is the same
// client that has moved (4002), or another one (4303, after which a client stays away),
// presence knows. Where it does not answer, 4002 is said: one that was overtaken by another
// comes back and is told then.
type overtaken struct {
	wake chan struct{}

	same, others atomic.Uint64 // that were closed: by their own client, by another

	mu     sync.Mutex // covers the following
	queue  []overSession
	closed bool
}

// overSession is a session that is over.
type overSession struct {
	ref   inbox.Ref
	fence uint32
}

func (o *overtaken) init() { o.wake = make(chan struct{}, 1) }

// put adds a session; it reports false when too many wait.
func (o *overtaken) put(v overSession) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.queue) >= overtakenMost {
		return false
	}
	o.queue = append(o.queue, v)
	o.signal()
	return true
}

func (o *overtaken) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *overtaken) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.signal()
}

// take returns the next ones; ok is false after close.
func (o *overtaken) take() (batch []overSession, ok bool) {
	<-o.wake
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(o.queue), presence.MaxBatch)
	batch = o.queue[:n:n]
	if o.queue = o.queue[n:]; len(o.queue) > 0 {
		o.signal()
	}
	if o.closed {
		o.signal()
	}
	return batch, !o.closed
}

// runOvertaken closes connections whose sessions were overtaken.
func (k *clustered) runOvertaken() {
	for {
		batch, ok := k.overtaken.take()
		if !ok {
			return
		}
		k.closeOvertaken(batch)
	}
}

// askWithin is how long presence may take to say who has a device now.
const askWithin = time.Second

func (k *clustered) closeOvertaken(batch []overSession) {
	if len(batch) == 0 {
		return
	}
	ids := make([]string, len(batch))
	for i, v := range batch {
		ids[i] = string(k.store.Name(nil, v.ref))
	}
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	// The store's: the keeper would answer that they are here.
	answers, _ := k.opt.Presence.Store.Get(ctx, ids)
	for i, v := range batch {
		code, text := CloseMoved, movedText
		if i < len(answers) && answers[i].OK && answers[i].Record.Hold == presence.Nobody {
			k.bereave(v.ref, v.fence) // the store has not its session, but nobody else's either
			continue
		}
		sid, connected := k.s.registry.Session(uint32(v.ref))
		if connected && i < len(answers) && answers[i].OK && byAnother(&answers[i].Record, sid, v.fence) {
			code, text = CloseTakenOver, strangerText
		}
		k.countOvertaken(code)
		k.s.closeSession(v.ref, v.fence, code, text)
	}
}

// byAnother reports whether a record is of a later session than that with a fence, and of another client. A record that
// is earlier says nothing: a failover has lost the later one.
func byAnother(r *presence.Record, sid uint64, fence uint32) bool {
	return r.Hold != presence.Nobody && int32(r.Fence-fence) > 0 && r.SID != sid
}

func (k *clustered) countOvertaken(code ws.StatusCode) {
	if code == CloseMoved {
		k.overtaken.same.Add(1)
	} else {
		k.overtaken.others.Add(1)
	}
}
