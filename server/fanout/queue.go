package fanout

import (
	"sync"
	"sync/atomic"
)

// maxBatch bounds how many envelopes a handler is given at once.
const maxBatch = 128

// keepBytes is how much room a queue keeps for the next messages; what a burst needed
// beyond it is given back.
const keepBytes = 1 << 20

// queue holds messages, as bytes, between the goroutine that reads them and the handler. The
// reader copies and goes on; it never waits.
type queue struct {
	// Static after newQueue.
	kind      Queue
	handle    func([]Envelope)
	dropped   func(Queue, int)
	maxLength int
	maxBytes  int
	wake      chan struct{} // 1: there is something, or it is over
	ended     chan struct{} // closed when run has returned

	received atomic.Uint64
	lost     atomic.Uint64
	invalid  *atomic.Uint64 // shared by the queues of a bus
	unknown  *atomic.Uint64

	mu      sync.Mutex // covers the following
	waiting pile
	missing int // dropped, not yet told
	closed  bool

	// Owned by run.
	taken pile
	batch [maxBatch]Envelope
}

// pile is messages one behind the other.
type pile struct {
	bytes []byte
	ends  []int
}

func (p *pile) empty() {
	p.bytes, p.ends = p.bytes[:0], p.ends[:0]
	if cap(p.bytes) > keepBytes {
		p.bytes = nil
	}
	if cap(p.ends) > maxBatch*64 {
		p.ends = nil
	}
}

func newQueue(kind Queue, handle func([]Envelope), o *Options, invalid, unknown *atomic.Uint64) *queue {
	q := &queue{
		kind: kind, handle: handle, dropped: o.Hooks.Dropped, maxLength: o.QueueLength, maxBytes: o.QueueBytes,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), invalid: invalid, unknown: unknown,
	}
	go q.run()
	return q
}

// put queues a copy of one message, or counts it as dropped.
func (q *queue) put(m string) { q.join(m, nil, "", nil) }

// join is put of a message in four parts.
func (q *queue) join(m string, middle []byte, rest string, end []byte) {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return
	case len(q.waiting.ends) >= q.maxLength || len(q.waiting.bytes)+len(m)+len(middle)+len(rest)+len(end) > q.maxBytes:
		q.missing++
		q.lost.Add(1)
		q.mu.Unlock()
		return // run is awake, or in the handler
	}
	q.waiting.bytes = append(append(append(append(q.waiting.bytes, m...), middle...), rest...), end...)
	q.waiting.ends = append(q.waiting.ends, len(q.waiting.bytes))
	first := len(q.waiting.ends) == 1
	q.mu.Unlock()
	q.received.Add(1)
	if first {
		q.signal()
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close lets run finish what it has begun, and drops the rest.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	<-q.ended
}

func (q *queue) run() {
	defer close(q.ended)
	for range q.wake {
		for {
			q.taken.empty()
			q.mu.Lock()
			if q.closed {
				q.mu.Unlock()
				return
			}
			q.taken, q.waiting = q.waiting, q.taken
			missing := q.missing
			q.missing = 0
			q.mu.Unlock()
			if missing > 0 && q.dropped != nil {
				q.dropped(q.kind, missing)
			}
			if len(q.taken.ends) == 0 {
				break
			}
			q.deliver()
		}
	}
}

// deliver hands on what was taken.
func (q *queue) deliver() {
	begin, n := 0, 0
	for _, end := range q.taken.ends {
		e := &q.batch[n]
		m := q.taken.bytes[begin:end:end]
		begin = end
		if err := e.Decode(m); err != nil {
			q.invalid.Add(1)
			continue
		}
		if !e.Kind.Known() {
			q.unknown.Add(1)
			continue
		}
		if n++; n == maxBatch {
			q.flush(n)
			n = 0
		}
	}
	if n > 0 {
		q.flush(n)
	}
}

func (q *queue) flush(n int) {
	if q.handle != nil {
		q.handle(q.batch[:n])
	}
	clear(q.batch[:n]) // refers to bytes that may be given back
}
