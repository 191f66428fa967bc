package redisinbox

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"roost/server/inbox"
)

// ack is what a device has acknowledged and Redis does not know yet.
type ack struct {
	id    string
	ref   inbox.Ref
	fence uint32
	epoch inbox.Epoch
	seq   uint64
	known history // what the node has seen of the stream
}

// flushMost is how many acknowledgements go in one pipeline.
const flushMost = 2048

// acks are what waits to be written, the newest of each device. There are as many at
// most as devices have been connected since Redis was last reached.
type acks struct {
	wake chan struct{} // the first one has come
	full chan struct{} // as many as are written at once

	flushing sync.Mutex // held by who writes

	// mu covers the following. It is taken alone.
	mu      sync.Mutex
	pending map[string]*ack
	out     map[string]bool // under way
	settled chan struct{}   // closed when what is under way has ended
	notes   []outcome       // outcomes of messages with an id
	noted   map[string]bool // what the notes are of
	others  map[string]int  // acknowledgements of other nodes' messages to many, by name: counted.go
}

// outcome is one that Redis does not know yet.
type outcome struct {
	of string // noteOf
	k  call
}

// noteOf names a message by its device and id, neither of which has a zero byte.
func noteOf(device string, id []byte) string { return device + "\x00" + string(id) }

func (a *acks) init() {
	a.wake, a.full = make(chan struct{}, 1), make(chan struct{}, 1)
	a.pending, a.noted, a.others = map[string]*ack{}, map[string]bool{}, map[string]int{}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// add takes an acknowledgement in; an older one of the same session is in it.
func (a *acks) add(v *ack, most int) {
	a.mu.Lock()
	if old := a.pending[v.id]; old == nil || newer(v, old) {
		a.pending[v.id] = v
	}
	n := len(a.pending)
	a.mu.Unlock()
	if n == 1 {
		signal(a.wake)
	}
	if n >= most {
		signal(a.full)
	}
}

func newer(v, old *ack) bool {
	return v.fence == old.fence && v.seq > old.seq || int32(v.fence-old.fence) > 0
}

// take returns what waits for a device, and takes it out; what is under way for it has
// ended then.
func (a *acks) take(id string) *ack {
	a.mu.Lock()
	for a.out[id] {
		settled := a.settled
		a.mu.Unlock()
		<-settled // the deadline of a pipeline
		a.mu.Lock()
	}
	v := a.pending[id]
	delete(a.pending, id)
	a.mu.Unlock()
	return v
}

// poll is take without waiting: what is under way for the device is on its way to Redis
// before whatever is sent now.
func (a *acks) poll(id string) *ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.pending[id]
	if v != nil {
		delete(a.pending, id)
	}
	return v
}

// putBack has acknowledgements written again.
func (a *acks) putBack(vs []*ack) {
	a.mu.Lock()
	for _, v := range vs {
		if old := a.pending[v.id]; old == nil || newer(v, old) {
			a.pending[v.id] = v
		}
	}
	a.mu.Unlock()
	signal(a.wake)
}

// begin takes out what is to be written next.
func (a *acks) begin() (vs []*ack, notes []outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.out, a.settled = map[string]bool{}, make(chan struct{})
	for id, v := range a.pending {
		if len(vs) == flushMost {
			break
		}
		vs = append(vs, v)
		a.out[id] = true
		delete(a.pending, id)
	}
	return vs, a.notesLocked()
}

// end says that nothing is under way any more.
func (a *acks) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.out = nil
	close(a.settled)
}

func (a *acks) empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.pending) == 0 && len(a.notes) == 0 && len(a.others) == 0
}

// runAcks writes acknowledgements, until the store is closed.
func (s *Store) runAcks() {
	wait := time.Duration(0) // before the next attempt, after one that failed
	for {
		select {
		case <-s.acks.wake:
		case <-s.stop:
			return
		}
		if wait == 0 {
			select {
			case <-s.acks.full:
			case <-time.After(s.opt.FlushEvery):
			case <-s.stop:
				return
			}
		}
		if err := s.Flush(); err == nil {
			wait = 0
			continue
		}
		wait = min(max(2*wait, 100*time.Millisecond), 2*time.Second)
		select {
		case <-time.After(wait/2 + rand.N(wait/2)):
		case <-s.stop:
			return
		}
		signal(s.acks.wake)
	}
}

// Flush writes all acknowledgements that wait, now. The error says why some still do.
func (s *Store) Flush() error {
	s.acks.flushing.Lock()
	defer s.acks.flushing.Unlock()
	for !s.acks.empty() {
		if err := s.flush(); err != nil {
			return err
		}
	}
	return nil
}

// flush writes one pipeline of acknowledgements and outcomes.
func (s *Store) flush() (err error) {
	vs, notes := s.acks.begin()
	groups := slices.Collect(slices.Chunk(vs, s.perCall()))
	calls := make([]call, 0, len(groups)+len(notes))
	for _, group := range groups {
		calls = append(calls, s.ackCall(group...))
	}
	for _, v := range notes {
		calls = append(calls, v.k)
	}
	calls = append(calls, s.countCalls(s.acks.takeCounts())...)
	replies := s.redis.do(calls, false)
	var failed []*ack
	for i, group := range groups {
		if bad, why := s.acked(group, &replies[i]); len(bad) > 0 {
			failed, err = append(failed, bad...), why
		}
	}
	s.acks.end()
	if len(failed) > 0 {
		s.acks.putBack(failed)
	}
	return err // what became of notes is no matter: a duplicate is told less
}

// ackCall is the call of the script ack.
func (s *Store) ackCall(vs ...*ack) call {
	k := call{script: ackScript, apart: len(vs) > 1, keys: make([]string, 0, 2*len(vs)), args: make([]string, 2, 2+5*len(vs))}
	k.args[0], k.args[1] = utoa(s.seconds()), inbox.RandomEpoch().String()
	for _, v := range vs {
		n := s.names(v.id)
		last, tag := v.known.asks()
		k.keys = append(k.keys, n.list(), n.head())
		k.args = append(k.args, utoa(v.fence), epochText(v.epoch), strconv.FormatUint(v.seq, 10),
			last, tag)
	}
	return k
}

// acked takes what came of a call. It returns those that have to be written again, and why; what Redis makes no
// sense of has not.
func (s *Store) acked(vs []*ack, r *reply) (again []*ack, err error) {
	if r.err != nil {
		return vs, r.err
	}
	list, _ := r.v.([]any)
	for i, v := range vs {
		a := ackReply{state: stateStale}
		if i < len(list) {
			var why error
			if a, why = parseAck(list[i]); errors.Is(why, errRefused) {
				again, err = append(again, v), why
				continue
			} else if why != nil {
				a.state = stateStale
			}
		}
		s.mu.Lock()
		s.n.Acknowledged += a.acked
		s.n.Expired += a.gone
		s.mu.Unlock()
		s.dropped(v.ref, a.bodies)
		s.ended(v.ref, v.fence, a.state)
	}
	return again, err
}

// ended ends a session that Redis has another opinion of; of one that is over already
// nothing is said.
func (s *Store) ended(ref inbox.Ref, fence uint32, st state) {
	if st != stateStale && st != stateLost {
		return
	}
	s.mu.Lock()
	d := s.m.current(ref, fence)
	if d != nil {
		d.stale = true
	}
	s.mu.Unlock()
	switch {
	case d == nil:
	case st == stateLost:
		s.opt.End(ref, fence, ErrHistory)
	default:
		s.opt.End(ref, fence, ErrOvertaken)
	}
}

// Remember implements inbox.Store: outcomes follow behind the next commit, before it if it has
// one of the messages again, or with the acknowledgements.
func (s *Store) Remember(c *inbox.Commit) {
	var notes []outcome
	now := s.seconds()
	for _, op := range c.Ops {
		p, ok := op.(*inbox.Put)
		if !ok || p.Verdict != inbox.Stored || len(p.Message.ID) == 0 || p.Outcome == 0 || p.Outcome == s.opt.Presence.likely(p.Owner) {
			continue
		}
		notes = append(notes, s.outcomeOf(p, p.Outcome, now))
	}
	s.acks.addNotes(notes)
}

// maxNotes bounds the outcomes that wait. A duplicate whose first has no outcome in
// Redis is told none.
const maxNotes = 64 << 10

// waits reports whether the outcome of a message waits.
func (a *acks) waits(of string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.noted[of]
}

// takeNotes takes the outcomes that wait, flushMost at most.
func (a *acks) takeNotes() []outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.notesLocked()
}

func (a *acks) notesLocked() []outcome {
	n := min(len(a.notes), flushMost)
	notes := a.notes[:n:n]
	for _, v := range notes {
		delete(a.noted, v.of)
	}
	if a.notes = a.notes[n:]; len(a.notes) == 0 {
		a.notes = nil
	}
	return notes
}
