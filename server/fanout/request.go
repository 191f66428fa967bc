package fanout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Errors of Requests.
var (
	// ErrRequests: as many requests or parts are open as may be.
	ErrRequests = errors.New("fanout: too many requests are open")
	// ErrEnded: the table was ended.
	ErrEnded = errors.New("fanout: no more requests")
)

// Bounds of Requests.
const (
	// MaxParts is how many answers a request may want.
	MaxParts = 10_000
	// maxOpen bounds the parts of all requests that are open.
	maxOpen = 1 << 20
	// AwaitTimeout is how long Await waits where its context has no deadline.
	AwaitTimeout = 5 * time.Second
)

// An id is a number of this process, drawn at random, and a counter below it. So an answer to
// a process that ended is not taken for one to its successor with the same node id.
const counterBits = 40

// Requests matches answers to what was asked. The asker opens a request, sends its id
// in each envelope, with the part that the envelope is, and awaits or is told; the handler for
// Replies gives it what comes in. Its methods may be called from any goroutine.
type Requests struct {
	// Static after NewRequests.
	process uint64 // in the upper bits of ids

	mu    sync.Mutex // covers the following
	next  uint64
	open  map[uint64]*Request
	parts int // of all that are open
	ended bool
	stats RequestStats
}

// RequestStats counts answers, since the start.
type RequestStats struct {
	Open     int    // requests, now
	Answered uint64 // parts
	Late     uint64 // answers to requests that were closed by then
	Repeated uint64 // answers to parts that had one
	Unknown  uint64 // answers to nothing that this process ever asked
	Invalid  uint64 // payloads that cannot be read
}

// NewRequests makes an empty table.
func NewRequests() *Requests {
	return &Requests{process: rand.Uint64N(1<<(64-counterBits)) << counterBits, open: map[uint64]*Request{}}
}

// Request is what was asked, until Await or Close, or until its asker is told.
type Request struct {
	// Static after Open or Ask.
	table *Requests
	id    uint64
	done  chan struct{} // closed when all parts have an answer; nil if tell is set
	tell  func(answers []Result, all bool)
	timer *time.Timer // of a request with tell

	// Guarded by table.mu while it is open.
	answers []Result // by part; Status 0 is none yet
	left    int
}

// Open begins a request with so many parts, 1 to MaxParts, numbered from 0. It fails with ErrRequests when too
// much is open, and whoever opens must Await or Close.
func (t *Requests) Open(parts int) (*Request, error) {
	if parts < 1 || parts > MaxParts {
		return nil, fmt.Errorf("fanout: a request of %d parts, 1 to %d may be", parts, MaxParts)
	}
	q := &Request{table: t, done: make(chan struct{}), answers: make([]Result, parts), left: parts}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.enter(q); err != nil {
		return nil, err
	}
	return q, nil
}

// Ask is Open for who does not wait: tell is called once, with what Await would return, when every
// part has an answer, within is over, or the table is ended. It is called from Take, Answer, End or a timer, with nothing
// locked, and must not block. The request needs neither Await nor Close.
func (t *Requests) Ask(parts int, within time.Duration, tell func(answers []Result, all bool)) (*Request, error) {
	if parts < 1 || parts > MaxParts {
		return nil, fmt.Errorf("fanout: a request of %d parts, 1 to %d may be", parts, MaxParts)
	}
	q := &Request{table: t, tell: tell, answers: make([]Result, parts), left: parts}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.enter(q); err != nil {
		return nil, err
	}
	q.timer = time.AfterFunc(within, q.over)
	return q, nil
}

// ID draws an id that no request has, for an envelope that is told apart by it and not answered.
func (t *Requests) ID() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.draw()
}

// draw makes the next id. t.mu must be held.
func (t *Requests) draw() uint64 {
	t.next++
	return t.process | t.next&(1<<counterBits-1)
}

// enter opens a request. t.mu must be held.
func (t *Requests) enter(q *Request) error {
	switch {
	case t.ended:
		return ErrEnded
	case t.parts+len(q.answers) > maxOpen:
		return fmt.Errorf("%w: %d with %d parts", ErrRequests, len(t.open), t.parts)
	}
	q.id = t.draw()
	t.open[q.id] = q
	t.parts += len(q.answers)
	return nil
}

// End has every request that was made by Ask told what there is, and refuses further ones with
// ErrEnded. Those of Open end as they do.
func (t *Requests) End() {
	t.mu.Lock()
	t.ended = true
	var told []*Request
	for _, q := range t.open {
		if q.tell != nil {
			q.leave()
			told = append(told, q)
		}
	}
	t.mu.Unlock()
	for _, q := range told {
		q.timer.Stop()
		q.tell(q.answers, q.left == 0)
	}
}

// over is the end of a request's time.
func (q *Request) over() {
	q.table.mu.Lock()
	was := q.leave()
	q.table.mu.Unlock()
	if was {
		q.tell(q.answers, q.left == 0)
	}
}

// leave closes a request; it reports whether it was open. The table's mu must be held.
func (q *Request) leave() bool {
	t := q.table
	if t.open[q.id] != q {
		return false
	}
	delete(t.open, q.id)
	t.parts -= len(q.answers)
	return true
}

// ID is what Envelope.ID has to be.
func (q *Request) ID() uint64 { return q.id }

// Done is closed when every part has an answer. It is nil for a request made by Ask.
func (q *Request) Done() <-chan struct{} { return q.done }

// Answer gives one part its answer here, for a message that could not be sent or that nobody
// took. Status must not be 0; ID is filled in. A part that has an answer keeps it.
func (q *Request) Answer(r Result) {
	r.ID = q.id
	q.table.mu.Lock()
	whole := q.table.take(r)
	q.table.mu.Unlock()
	whole.told()
}

// Await waits until every part has an answer or ctx is done, at most AwaitTimeout if that has
// no deadline, and closes the request. The answers are in order of part, and as many; those with
// Status 0 did not come. all says that there are none of those.
func (q *Request) Await(ctx context.Context) (answers []Result, all bool) {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, AwaitTimeout)
		defer cancel()
	}
	select {
	case <-q.done:
	case <-ctx.Done():
	}
	q.Close()
	return q.answers, q.left == 0
}

// Close ends a request that is not awaited: answers that come are late. A second time it does
// nothing.
func (q *Request) Close() {
	q.table.mu.Lock()
	defer q.table.mu.Unlock()
	q.leave()
}

// Take is a handler for Replies: it gives every result in a batch to its request.
// Envelopes of other kinds are left alone.
func (t *Requests) Take(batch []Envelope) {
	var room [16]*Request
	whole := room[:0]
	t.mu.Lock()
	for i := range batch {
		if batch[i].Kind != KindResult {
			continue
		}
		for b := batch[i].Payload; len(b) > 0; {
			var r Result
			var err error
			if r, b, err = NextResult(b); err != nil {
				t.stats.Invalid++
				break
			}
			if q := t.take(r); q != nil {
				whole = append(whole, q)
			}
		}
	}
	t.mu.Unlock()
	for _, q := range whole {
		q.told()
	}
}

// told tells who asked; nil is nobody. Nothing may be locked.
func (q *Request) told() {
	if q != nil {
		q.timer.Stop()
		q.tell(q.answers, true)
	}
}

// take gives a result to its request, and returns it if its asker has to be told now. t.mu must
// be held.
func (t *Requests) take(r Result) *Request {
	q := t.open[r.ID]
	switch {
	case q == nil && r.ID&^(1<<counterBits-1) == t.process && r.ID-t.process-1 < t.next:
		t.stats.Late++
	case q == nil:
		t.stats.Unknown++
	case int(r.Part) >= len(q.answers) || r.Status == 0:
		t.stats.Invalid++
	case q.answers[r.Part].Status != 0:
		t.stats.Repeated++
	default:
		t.stats.Answered++
		q.answers[r.Part] = r
		if q.left--; q.left > 0 {
			break
		}
		if q.tell != nil {
			q.leave()
			return q
		}
		close(q.done)
	}
	return nil
}

// Stats returns the counts.
func (t *Requests) Stats() RequestStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Open = len(t.open)
	return s
}
