package server

import (
	"sync"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/wire"
	"roost/server/ws"
)

// lanes reaches the loops for package delivery.
type lanes struct{ s *Server }

// Of implements delivery.Lanes.
func (ls lanes) Of(c delivery.Conn) int { return poller.Handle(c).Loop() }

// Len implements delivery.Lanes.
func (ls lanes) Len() int { return len(ls.s.handlers) }

// Post implements delivery.Lanes.
func (ls lanes) Post(lane int, f func(*delivery.Lane)) bool {
	h := ls.s.handlers[lane]
	if h.l.Post(poller.TaskFunc(func(*poller.Loop) { f(h.lane) })) {
		return true
	}
	h.missed.Store(true)
	return false
}

// Peer implements delivery.Sender.
func (h *handler) Peer(c delivery.Conn) *delivery.Peer {
	pc := h.l.Conn(poller.Handle(c))
	if !pc.Alive() {
		return nil
	}
	if st := h.conns.At(pc.Slot()); st.kind == kindDevice {
		return &st.peer
	}
	return nil
}

// Message implements delivery.Sender.
func (h *handler) Message(c delivery.Conn, seq uint64, m *inbox.Message) delivery.Result {
	pc := h.l.Conn(poller.Handle(c))
	h.frameFor(h.conns.At(pc.Slot()), &wire.Message{Seq: seq, TTL: uint64(m.TTL),
		ID: m.ID, Channel: m.Channel, Payload: m.Payload, Raw: m.Raw})
	return sent(&h.n.keptSent, pc.Write(h.frame, poller.Reliable))
}

// sent counts what the socket or its queue has taken.
func sent(n *atomic.Uint64, r poller.Result) delivery.Result {
	if r == poller.Written || r == poller.Queued {
		n.Add(1)
	}
	return delivery.Result(r)
}

// Skip implements delivery.Sender.
func (h *handler) Skip(c delivery.Conn, to uint64, why string) delivery.Result {
	pc := h.l.Conn(poller.Handle(c))
	f, _ := splitVariant(h.conns.At(pc.Slot()).variant)
	h.text = wire.AppendSkip(h.text[:0], f, to, why)
	h.frame = ws.AppendFrame(h.frame[:0], opcodes[f], h.text)
	return sent(&h.n.skips, pc.Write(h.frame, poller.Reliable))
}

// Fetch implements delivery.Sender: a store in memory answers at once, one that
// may read a disk is asked by a goroutine that may wait.
func (h *handler) Fetch(j *delivery.Job) {
	if h.s.fetches == nil {
		h.s.store.Fetch(&j.Fetch)
		h.lane.Fetched(j)
		return
	}
	h.s.fetches.put(fetch{h, j})
}

// fetchers is how many goroutines ask a store on disk. What they read is nearly
// always in the page cache; two keep one slow read from holding up all others.
// sharedFetchers is how many ask one that nodes share: each waits for a round trip, and
// Redis takes what comes at the same time in one.
const (
	fetchers       = 2
	sharedFetchers = 32
)

// fetch is a question for a store, and who asks.
type fetch struct {
	h *handler
	j *delivery.Job
}

// fetchQueue holds questions until a fetcher is free: at most one for each
// connection.
type fetchQueue struct {
	wake *sync.Cond

	// wake.L covers the following.
	queue  []fetch
	closed bool
}

func newFetchQueue() *fetchQueue { return &fetchQueue{wake: sync.NewCond(new(sync.Mutex))} }

func (q *fetchQueue) put(f fetch) {
	q.wake.L.Lock()
	q.queue = append(q.queue, f)
	q.wake.L.Unlock()
	q.wake.Signal()
}

// take waits for the next one; ok is false after close.
func (q *fetchQueue) take() (f fetch, ok bool) {
	q.wake.L.Lock()
	defer q.wake.L.Unlock()
	for len(q.queue) == 0 && !q.closed {
		q.wake.Wait()
	}
	if q.closed {
		return f, false
	}
	f = q.queue[0]
	q.queue[0] = fetch{}
	q.queue = q.queue[1:]
	return f, true
}

func (q *fetchQueue) close() {
	q.wake.L.Lock()
	q.closed = true
	q.wake.L.Unlock()
	q.wake.Broadcast()
}

// runFetcher answers questions until the queue is closed.
func (s *Server) runFetcher() {
	for {
		f, ok := s.fetches.take()
		if !ok {
			return
		}
		s.store.Fetch(&f.j.Fetch)
		answer := poller.TaskFunc(func(*poller.Loop) { f.h.lane.Fetched(f.j) })
		for !f.h.l.Post(answer) && !s.closing.Load() {
			time.Sleep(time.Millisecond) // its loop has 65,536 tasks to do first
		}
	}
}

// tick does what is due every second until the node ends.
func (s *Server) tick(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-s.stopTick:
			return
		case <-t.C:
		}
		s.store.Tick()
		for _, h := range s.handlers {
			h.l.Post(poller.TaskFunc(func(*poller.Loop) { h.tick() }))
		}
	}
}

// tick looks after deliveries that nobody else will: where the store could not
// be read, and where a task could not be posted.
func (h *handler) tick() {
	h.lane.Tick()
	h.n.flows.Store(int64(h.lane.Flows()))
	if h.missed.Swap(false) {
		h.topics.settle()
		h.startWalk("", 0, h.catchUp, func() {})
	}
}
