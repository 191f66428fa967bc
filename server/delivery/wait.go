package delivery

import (
	"sync"
	"sync/atomic"

	"roost/server/inbox"
)

// counter counts down from several goroutines.
type counter struct{ n atomic.Int32 }

func (c *counter) add(n int32) int32 { return c.n.Add(n) }

// waiters are publishers that wait for acknowledgements.
type waiters struct {
	n atomic.Int32 // of them: looked at without the lock on every acknowledgement

	mu    sync.Mutex // covers the following
	byRef map[inbox.Ref][]*Waiter
}

// Waiter waits until a device has acknowledged up to a number.
type Waiter struct {
	put   inbox.Put // ref, life and number
	done  chan struct{}
	acked bool // set before done is closed
}

// Done returns a channel that is closed when the device has acknowledged, or
// never will because the message has expired.
func (w *Waiter) Done() <-chan struct{} { return w.done }

// Acked reports, after Done, whether the device has acknowledged.
func (w *Waiter) Acked() bool { return w.acked }

// Wait starts to wait for the acknowledgement of a message that is stored.
// Whoever does has to call Forget at the end.
func (h *Hub) Wait(p *inbox.Put) *Waiter {
	ref := p.Ref
	w := &Waiter{put: inbox.Put{Ref: ref, Life: p.Life, Seq: p.Seq}, done: make(chan struct{})}
	h.waiters.mu.Lock()
	if h.waiters.byRef == nil {
		h.waiters.byRef = map[inbox.Ref][]*Waiter{}
	}
	h.waiters.byRef[ref] = append(h.waiters.byRef[ref], w)
	h.waiters.n.Add(1)
	h.waiters.mu.Unlock()
	// It may have been acknowledged before we were there.
	if h.store.Acked(&w.put) {
		h.acked(ref, p.Seq)
	}
	return w
}

// Forget ends a wait.
func (h *Hub) Forget(w *Waiter) {
	h.waiters.mu.Lock()
	defer h.waiters.mu.Unlock()
	h.waiters.filter(w.put.Ref, func(o *Waiter) bool { return o != w })
}

// acked tells those who wait that a device has acknowledged up to seq. Who waits
// for one that was removed, and whose number this device has got, is not told.
func (h *Hub) acked(ref inbox.Ref, seq uint64) {
	if h.waiters.n.Load() == 0 {
		return
	}
	h.waiters.mu.Lock()
	defer h.waiters.mu.Unlock()
	h.waiters.filter(ref, func(w *Waiter) bool {
		if w.put.Seq > seq || !h.store.Acked(&w.put) {
			return true
		}
		w.acked = true
		close(w.done)
		return false
	})
}

// skipped tells those who wait for one of the numbers behind sent, up to to, that
// nobody will acknowledge it. A connection that is over may have been told of
// another device's numbers.
func (h *Hub) skipped(p *Peer, sent, to uint64) {
	if h.waiters.n.Load() == 0 || !h.store.Current(p.Ref, p.Fence) {
		return
	}
	h.waiters.mu.Lock()
	defer h.waiters.mu.Unlock()
	h.waiters.filter(p.Ref, func(w *Waiter) bool {
		gone := w.put.Seq > sent && w.put.Seq <= to
		if gone {
			close(w.done)
		}
		return !gone
	})
}

// filter keeps those of a device's waiters that keep says yes to. mu is held.
func (ws *waiters) filter(ref inbox.Ref, keep func(*Waiter) bool) {
	list := ws.byRef[ref]
	kept := list[:0]
	for _, w := range list {
		if keep(w) {
			kept = append(kept, w)
		}
	}
	clear(list[len(kept):])
	ws.n.Add(int32(len(kept) - len(list)))
	if len(kept) == 0 {
		delete(ws.byRef, ref)
	} else {
		ws.byRef[ref] = kept
	}
}
