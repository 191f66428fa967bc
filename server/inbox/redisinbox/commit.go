package redisinbox

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"roost/server/inbox"
)

const (
	// maxQueued bounds the commits that wait for Redis, maxQueuedBytes what is in them.
	maxQueued      = 16 << 10
	maxQueuedBytes = 256 << 20

	// batchOps and batchBytes are about how much goes into one pipeline. What takes
	// Redis longer than a few tens of milliseconds keeps others waiting.
	batchOps   = 2048
	batchBytes = 4 << 20
)

// queued is a commit that waits.
type queued struct {
	c     *inbox.Commit
	size  int
	since time.Time
}

// queue is commits that wait for one goroutine.
type queue struct {
	wake *sync.Cond

	// wake.L covers the following. It is taken alone.
	list   []queued
	bytes  int
	closed bool
}

func (q *queue) init() { q.wake = sync.NewCond(new(sync.Mutex)) }

// put returns why the commit cannot wait.
func (q *queue) put(c *inbox.Commit) error {
	size := sizeOf(c)
	q.wake.L.Lock()
	defer q.wake.L.Unlock()
	switch {
	case q.closed:
		return fmt.Errorf("%w: it is closed", inbox.ErrFailed)
	case len(q.list) >= maxQueued || q.bytes+size > maxQueuedBytes && q.bytes > 0:
		return inbox.ErrBusy
	}
	q.list = append(q.list, queued{c, size, time.Now()})
	q.bytes += size
	q.wake.Signal()
	return nil
}

// take waits for the commits of the next pipeline; there are none after close.
func (q *queue) take() (batch []queued) {
	q.wake.L.Lock()
	defer q.wake.L.Unlock()
	for len(q.list) == 0 && !q.closed {
		q.wake.Wait()
	}
	n, ops, size := 0, 0, 0
	for n < len(q.list) && ops < batchOps && size < batchBytes {
		ops += len(q.list[n].c.Ops)
		size += q.list[n].size
		n++
	}
	batch = append(batch, q.list[:n]...)
	clear(q.list[:n])
	if q.list = q.list[n:]; len(q.list) == 0 {
		q.list = nil
	}
	q.bytes -= size
	return batch
}

func (q *queue) close() {
	q.wake.L.Lock()
	q.closed = true
	q.wake.L.Unlock()
	q.wake.Broadcast()
}

// sizeOf returns about how many bytes a commit's messages have.
func sizeOf(c *inbox.Commit) (n int) {
	for _, op := range c.Ops {
		n += 128
		switch op := op.(type) {
		case *inbox.Put:
			n += len(op.Message.Payload) // each device has its own in Redis
		case *inbox.Spread:
			n += len(op.Message.Payload)
		case *inbox.Latest:
			if op.Message != nil {
				n += len(op.Message.Payload)
			}
		}
	}
	return n
}

// Commit implements inbox.Store. A commit with a message to many is overtaken by others;
// all others are carried out, and their Done is called, in their order.
//
// When Err is set nothing of the commit counts. Where Redis has not answered, something
// of it may be there nevertheless: its devices get it, and who publishes it again with
// the same ids is told of duplicates.
func (s *Store) Commit(c *inbox.Commit) {
	q := &s.queue
	for _, op := range c.Ops {
		if _, ok := op.(*inbox.Spread); ok {
			q = &s.spread
		}
	}
	if err := q.put(c); err != nil {
		c.Err = err
		s.countFailed(1)
		c.Done(c)
	}
}

func (s *Store) countFailed(n uint64) {
	s.mu.Lock()
	s.n.Failed += n
	s.mu.Unlock()
}

// runCommits is the committing goroutine.
func (s *Store) runCommits() {
	for {
		batch := s.queue.take()
		if len(batch) == 0 {
			return
		}
		s.carryOut(batch)
	}
}

// errWaited says that a commit has waited for longer than the deadline.
var errWaited = errors.New("it has waited too long")

// carryOut does the commits in one pipeline, with more before and behind it where an index has to be written
// or cleaned.
func (s *Store) carryOut(batch []queued) {
	p := s.newPipeline()
	p.commits = make([]progress, len(batch))
	for i, q := range batch {
		g := &p.commits[i]
		g.c, g.puts = q.c, true
		if time.Since(q.since) > 2*s.opt.Deadline {
			// Redis was away: whoever publishes has given up, and may have come again.
			q.c.Err = fmt.Errorf("%w: %w", inbox.ErrFailed, errWaited)
			continue
		}
		for _, op := range q.c.Ops {
			p.plan(g, op)
		}
	}
	p.run()
	for ; p.next < len(p.commits); p.next++ {
		s.finish(&p.commits[p.next])
	}
	s.tellOutcomes()
}

// tellOutcomes writes the outcomes that wait, while nobody does: in a pipeline with puts they
// would be half of what publishers wait for, and all of a second at once would hold up others.
func (s *Store) tellOutcomes() {
	notes := s.acks.takeNotes()
	if len(notes) == 0 {
		return
	}
	calls := make([]call, len(notes))
	for i, v := range notes {
		calls[i] = v.k
	}
	s.redis.do(calls, false) // what becomes of them is no matter: a duplicate is told less
}

// progress is how far a commit is.
type progress struct {
	c    *inbox.Commit
	puts bool // it has nothing else
	done int  // of its Ops, all of them puts, from the first on
	told int  // by Commit.Some
}

// finish counts a commit and says that it is done.
func (s *Store) finish(g *progress) {
	c := g.c
	s.mu.Lock()
	if c.Err == nil {
		s.n.Commits++
	} else {
		s.n.Failed++
	}
	s.mu.Unlock()
	if c.Err != nil {
		s.abandoned(c.Ops[g.told:])
		for _, op := range c.Ops[g.told:] {
			undo(op)
		}
	}
	c.Done(c)
}

// undo takes back what an operation says of itself.
func undo(op inbox.Op) {
	switch op := op.(type) {
	case *inbox.Put:
		op.Verdict, op.Seq = inbox.Pending, 0 // Tag stays: with it, it was stored
	case *inbox.Spread:
		op.Verdict, op.Receivers, op.Refused = inbox.Pending, 0, 0
	case *inbox.Latest:
		op.Err = nil
	case *inbox.Subscription:
		op.Err = nil
	case *inbox.Removal:
		op.Err = nil
	}
}

// step is one call of a pipeline, and who gets the reply.
type step struct {
	puts   []putOp       // the call is of these, and the following fields are not used
	c      *inbox.Commit // fails with the step; nil: nobody does
	k      call
	take   func(v any) error // nil: the reply says nothing
	failed func(err error)   // nil: nobody wants to know
}

// pipeline is what is done together: first, then main, then last.
type pipeline struct {
	s                 *Store
	now               uint32
	first, main, last []step
	settle            []indexed // after last: index.go
	apart             bool      // it is a Redis Cluster: indexes lie on other servers than devices
	commits           []progress
	next              int // of commits: those before have finished
	perCall           int
	puts              putGroup // not yet in main
	pieceSize         int      // puts, 0: not known yet
	repeats           bool     // one of the puts has the device and id of an outcome that waits

	// The item of the message before: messages to a list of devices are the same.
	message *inbox.Message
	item    string
	size    int
	tag     uint32
}

func (s *Store) newPipeline() pipeline {
	return pipeline{s: s, now: s.seconds(), perCall: s.perCall(), apart: s.redis.cluster()}
}

// run carries the steps out.
func (p *pipeline) run() {
	p.puts.flush(p)
	p.part(p.first, true)
	if p.repeats {
		// Before the puts that repeat what they are about; else tellOutcomes.
		notes := p.s.acks.takeNotes()
		steps := make([]step, 0, len(notes)+len(p.main))
		for _, v := range notes {
			steps = append(steps, step{k: v.k})
		}
		p.main = append(steps, p.main...)
	}
	for steps := p.main; len(steps) > 0; {
		n := p.piece(steps)
		p.part(steps[:n], true)
		steps = steps[n:]
		p.tell()
	}
	p.part(p.last, false)
	_ = p.s.settle(p.settle) // else the sweep does
}

// What waits is sent in a few pieces, each when the one before has been answered: who gets the first message of a request of 50
// has it while the last ones are stored. Redis answers, and sends notices, only when it has done all
// that has come, up to 16 KiB, so one pipeline would be one piece.
const (
	pieces     = 4
	pieceLeast = putMost // puts
)

// piece returns how many steps go into the next piece.
func (p *pipeline) piece(steps []step) int {
	if p.s.opt.Replicas > 0 {
		return len(steps) // one wait for all
	}
	if p.pieceSize == 0 {
		for i := range steps {
			p.pieceSize += len(steps[i].puts)
		}
		p.pieceSize = max(p.pieceSize/pieces, pieceLeast)
	}
	puts := 0
	for i := range steps {
		if puts += len(steps[i].puts); puts >= p.pieceSize {
			return i + 1
		}
	}
	return len(steps)
}

// tell says of commits that have nothing but puts how far they are, and that they are done: in their order, so not
// behind one that has more to do.
func (p *pipeline) tell() {
	for ; p.next < len(p.commits); p.next++ {
		g := &p.commits[p.next]
		switch all := g.done == len(g.c.Ops); {
		case !g.puts || len(p.last)+len(p.settle) > 0:
			return
		case g.c.Err == nil && !all:
			if g.done > g.told && g.c.Some != nil {
				g.told = g.done
				g.c.Some(g.c, g.done)
			}
			return
		}
		p.s.finish(g)
	}
}

// part carries out some steps; those of commits that have failed are left out.
func (p *pipeline) part(steps []step, wait bool) {
	calls := make([]call, 0, len(steps))
	sent := make([]*step, 0, len(steps))
	for i := range steps {
		st := &steps[i]
		if st.puts != nil {
			if st.puts = living(st.puts); len(st.puts) == 0 {
				continue
			}
			st.k = p.s.putsCall("", p.now, st.puts)
		} else if st.c != nil && st.c.Err != nil {
			continue
		}
		calls = append(calls, st.k)
		sent = append(sent, st)
	}
	for i, r := range p.s.redis.do(calls, wait) {
		p.answer(sent[i], &r)
		for _, o := range sent[i].puts {
			o.at.done++
		}
	}
}

// living returns those whose commit has not failed yet.
func living(list []putOp) []putOp {
	return slices.DeleteFunc(list, func(o putOp) bool { return o.at.c.Err != nil })
}

// answer takes the reply to a step.
func (p *pipeline) answer(st *step, r *reply) {
	err := r.err
	if err == nil && st.puts != nil {
		err = p.takePuts(st.puts, r.v)
	} else if err == nil && st.take != nil {
		err = st.take(r.v)
	}
	if err != nil && r.err == nil {
		err = fmt.Errorf("%w: %w", inbox.ErrFailed, err)
	}
	switch {
	case err == nil:
	case st.puts != nil:
		p.failPuts(st.puts, err)
	default:
		if st.c != nil && st.c.Err == nil {
			st.c.Err = err
		}
		if st.failed != nil {
			st.failed(err)
		}
	}
}
