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
	ref   inbox.Ref
	seq   uint64
	done  chan struct{}
	acked bool // set before done is closed
}

// Done returns a channel that is closed when the device has acknowledged, or
// never will because the message has expired.
func (w *Waiter) Done() <-chan struct{} { return w.done }

// Acked reports, after Done, whether the device has acknowledged.
func (w *Waiter) Acked() bool { return w.acked }

// Wait starts to wait for an acknowledgement of message seq of a device. Whoever
// does has to call Forget at the end.
func (h *Hub) Wait(ref inbox.Ref, seq uint64) *Waiter {
	w := &Waiter{ref: ref, seq: seq, done: make(chan struct{})}
	h.waiters.mu.Lock()
	if h.waiters.byRef == nil {
		h.waiters.byRef = map[inbox.Ref][]*Waiter{}
	}
	h.waiters.byRef[ref] = append(h.waiters.byRef[ref], w)
	h.waiters.n.Add(1)
	h.waiters.mu.Unlock()
	// It may have been acknowledged before we were there.
	if h.store.Acked(ref, seq) {
		h.acked(ref, seq)
	}
	return w
}

// Forget ends a wait.
func (h *Hub) Forget(w *Waiter) {
	h.waiters.mu.Lock()
	defer h.waiters.mu.Unlock()
	h.waiters.filter(w.ref, func(o *Waiter) bool { return o != w })
}

// acked tells those who wait that a device has acknowledged up to seq.
func (h *Hub) acked(ref inbox.Ref, seq uint64) {
	if h.waiters.n.Load() == 0 {
		return
	}
	h.waiters.mu.Lock()
	defer h.waiters.mu.Unlock()
	h.waiters.filter(ref, func(w *Waiter) bool {
		if w.seq <= seq {
			w.acked = true
			close(w.done)
		}
		return w.seq > seq
	})
}

// skipped tells those who wait for one of the numbers behind sent, up to to, that
// nobody will acknowledge it.
func (h *Hub) skipped(ref inbox.Ref, sent, to uint64) {
	if h.waiters.n.Load() == 0 {
		return
	}
	h.waiters.mu.Lock()
	defer h.waiters.mu.Unlock()
	h.waiters.filter(ref, func(w *Waiter) bool {
		gone := w.seq > sent && w.seq <= to
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
