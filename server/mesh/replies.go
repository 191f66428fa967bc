package mesh

import (
	"sync"
	"sync/atomic"

	"roost/server/fanout"
)

// replies are answers on their way to the nodes that asked. To each node one envelope of results is
// under way at a time; what comes until the bus has it waits, and goes with the next one. So answers go at
// once where few come, and hundreds in an envelope where many do.
type replies struct {
	// Static after init.
	m *Mesh

	mu   sync.Mutex // covers the following
	held bool       // the handler of the node's inbox is in the middle of a batch
	by   map[string]*asker
	owed []*asker // those who get answers at its end
}

// asker is a node that is owed answers. Guarded by replies.mu.
type asker struct {
	node    string
	results []byte // fanout.AppendResult
	spare   []byte
	away    bool // some are under way
	listed  bool // in owed
}

const (
	// maxAskers bounds the nodes that are remembered; more are forgotten when they are owed nothing.
	maxAskers = 1024
	// maxResults bounds the bytes that wait for one node, below fanout.MaxPayload: 25,000 to 70,000
	// answers. More say that the bus has stood still for longer than anybody waits.
	maxResults = 512 << 10
	// keepResults is how large a buffer is used again.
	keepResults = 64 << 10
)

func (r *replies) init(m *Mesh) { r.m, r.by = m, map[string]*asker{} }

// to returns what answers an envelope.
func (r *replies) to(e *fanout.Envelope) func(Status) {
	if e.ID == 0 {
		return func(Status) {}
	}
	a, id, part := r.asker(e.Origin), e.ID, e.Part
	return func(s Status) {
		if s == StatusNone {
			s = StatusQueued // an answer says something
		}
		r.answer(a, fanout.Result{ID: id, Part: part, Status: uint8(s)})
	}
}

// counts is to for a message to many.
func (r *replies) counts(e *fanout.Envelope) func(Counts) {
	a, id, part := r.asker(e.Origin), e.ID, e.Part
	return func(c Counts) {
		r.answer(a, fanout.Result{ID: id, Part: part, Status: uint8(StatusWritten), Seq: pack(c)})
	}
}

func (r *replies) asker(origin []byte) *asker {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.by[string(origin)]; a != nil {
		return a
	}
	if len(r.by) >= maxAskers {
		clear(r.by) // who holds one still answers by it
	}
	a := &asker{node: string(origin)}
	r.by[a.node] = a
	return a
}

// answer gives a result to its asker.
func (r *replies) answer(a *asker, res fanout.Result) {
	r.mu.Lock()
	if len(a.results) >= maxResults {
		r.mu.Unlock()
		r.m.n.unheard.Add(1)
		return
	}
	a.results = fanout.AppendResult(a.results, res)
	if r.held && !a.listed {
		a.listed = true
		r.owed = append(r.owed, a)
	}
	r.mu.Unlock()
	r.pump(a)
}

// hold has answers wait for release.
func (r *replies) hold() {
	r.mu.Lock()
	r.held = true
	r.mu.Unlock()
}

// release lets them go.
func (r *replies) release() {
	r.mu.Lock()
	r.held = false
	owed := r.owed
	r.owed = nil
	for _, a := range owed {
		a.listed = false
	}
	r.mu.Unlock()
	for _, a := range owed {
		r.pump(a)
	}
}

// pump sends what waits for a node, unless some is under way: who ends that goes on. It is a
// loop where the bus is done before Post returns, so that nothing grows with what comes meanwhile.
func (r *replies) pump(a *asker) {
	for {
		b := r.next(a)
		if b == nil {
			return
		}
		var first atomic.Bool // of Post's return and the bus's answer, the second goes on
		l := write(fanout.KindResult)
		l.e.Payload = b
		r.m.post(fanout.ToNode(a.node), &l.e, func(n int, err error) {
			if r.m.taken(n, err); err != nil || n == 0 {
				r.m.n.unheard.Add(1)
			}
			if r.arrived(a); first.Swap(true) {
				r.pump(a)
			}
		})
		l.done()
		r.keep(a, b)
		if !first.Swap(true) {
			return // the bus goes on
		}
	}
}

// next takes what is to be sent; nil is nothing.
func (r *replies) next(a *asker) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held || a.away || len(a.results) == 0 {
		return nil
	}
	a.away = true
	b := a.results
	a.results, a.spare = a.spare[:0], nil
	return b
}

// arrived says that nothing is under way.
func (r *replies) arrived(a *asker) {
	r.mu.Lock()
	a.away = false
	r.mu.Unlock()
}

// keep has a buffer used again, unless a burst has made it large.
func (r *replies) keep(a *asker, b []byte) {
	if cap(b) > keepResults {
		return
	}
	r.mu.Lock()
	if a.spare == nil {
		a.spare = b
	}
	r.mu.Unlock()
}
