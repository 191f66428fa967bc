package delivery

import (
	"sync"
	"sync/atomic"
	"time"

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

	told  func(acked bool) // of Await: instead of done
	timer *time.Timer      // of Await
}

// Done returns a channel that is closed when the device has acknowledged, or
// never will because the message has expired.
func (w *Waiter) Done() <-chan struct{} { return w.done }

// Acked reports, after Done, whether the device has acknowledged.
func (w *Waiter) Acked() bool { return w.acked }

// Wait starts to wait for the acknowledgement of a message that is stored.
// Whoever does has to call Forget at the end.
func (h *Hub) Wait(p *inbox.Put) *Waiter {
	w := &Waiter{put: inbox.Put{Ref: p.Ref, Life: p.Life, Seq: p.Seq}, done: make(chan struct{})}
	h.waiters.mu.Lock()
	h.waiters.add(w)
	h.waiters.mu.Unlock()
	h.look(w)
	return w
}

// Await has told called once, from any goroutine: with true when the device has
// acknowledged the message, with false when it never will because the message has
// expired, or when within is over. It must not block. Of p Ref, Life and Seq count.
func (h *Hub) Await(p *inbox.Put, within time.Duration, told func(acked bool)) {
	w := &Waiter{put: inbox.Put{Ref: p.Ref, Life: p.Life, Seq: p.Seq}, told: told}
	h.waiters.mu.Lock()
	h.waiters.add(w)
	w.timer = time.AfterFunc(within, func() {
		if h.waiters.remove(w) {
			told(false)
		}
	})
	h.waiters.mu.Unlock()
	h.look(w)
}

// Awaiting returns how many wait.
func (h *Hub) Awaiting() int { return int(h.waiters.n.Load()) }

// look tells a new waiter if the message was acknowledged before it was there.
func (h *Hub) look(w *Waiter) {
	if h.store.Acked(&w.put) {
		h.acked(w.put.Ref, w.put.Seq)
	}
}

// Forget ends a wait.
func (h *Hub) Forget(w *Waiter) { h.waiters.remove(w) }

// acked tells those who wait that a device has acknowledged up to seq. Who waits
// for one that was removed, and whose number this device has got, is not told.
func (h *Hub) acked(ref inbox.Ref, seq uint64) {
	if h.waiters.n.Load() == 0 {
		return
	}
	var over []*Waiter
	h.waiters.mu.Lock()
	h.waiters.filter(ref, func(w *Waiter) bool {
		if w.put.Seq > seq || !h.store.Acked(&w.put) {
			return true
		}
		w.acked = true
		over = append(over, w)
		return false
	})
	h.waiters.mu.Unlock()
	end(over)
}

// skipped tells those who wait for one of the numbers behind sent, up to to, that
// nobody will acknowledge it. A connection that is over may have been told of
// another device's numbers.
func (h *Hub) skipped(p *Peer, sent, to uint64) {
	if h.waiters.n.Load() == 0 || !h.store.Current(p.Ref, p.Fence) {
		return
	}
	var over []*Waiter
	h.waiters.mu.Lock()
	h.waiters.filter(p.Ref, func(w *Waiter) bool {
		gone := w.put.Seq > sent && w.put.Seq <= to
		if gone {
			over = append(over, w)
		}
		return !gone
	})
	h.waiters.mu.Unlock()
	end(over)
}

// end tells those whose wait is over, and who are not among the waiters any more. No
// lock is held.
func end(over []*Waiter) {
	for _, w := range over {
		if w.told == nil {
			close(w.done)
			continue
		}
		w.timer.Stop()
		w.told(w.acked)
	}
}

// add notes a waiter. mu is held.
func (ws *waiters) add(w *Waiter) {
	if ws.byRef == nil {
		ws.byRef = map[inbox.Ref][]*Waiter{}
	}
	ws.byRef[w.put.Ref] = append(ws.byRef[w.put.Ref], w)
	ws.n.Add(1)
}

// remove forgets a waiter; it reports whether it was there.
func (ws *waiters) remove(w *Waiter) (was bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.filter(w.put.Ref, func(o *Waiter) bool {
		was = was || o == w
		return o != w
	})
	return was
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
