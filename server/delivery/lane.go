package delivery

import "roost/server/inbox"

// Conn names a connection; 0 is none.
type Conn uint64

// Result is what became of a send.
type Result uint8

// The results.
const (
	Written Result = iota // the kernel took all of it
	Queued                // it waits for the socket: Drained will be called
	Full                  // not taken: Drained will be called
	Gone                  // the connection is over
)

// Sender is what a lane needs of its loop. All its methods are called on the
// lane's goroutine.
type Sender interface {
	// Peer returns the state of a connection, nil if it is over or not a
	// device's.
	Peer(c Conn) *Peer
	// Message sends a kept message.
	Message(c Conn, seq uint64, m *inbox.Message) Result
	// Skip says that all numbers up to to are done with.
	Skip(c Conn, to uint64, why string) Result
	// Fetch has Store.Fetch called for j, here or elsewhere, and then
	// Lane.Fetched on the lane's goroutine.
	Fetch(j *Job)
}

// Peer is what a connection keeps for delivery.
type Peer struct {
	Ref   inbox.Ref
	Fence uint32
	flow  uint32 // number in Lane.flows, 0: idle
}

// Job is a question to the store on its way.
type Job struct {
	inbox.Fetch
	flow uint32
	conn Conn
}

// flow is what is under way on one connection.
type flow struct {
	conn  Conn
	acked uint64 // by the device
	base  uint64 // the window counts from here: acked, or a skip before which all was acked
	sent  uint64 // last number that the socket was given
	last  uint64 // last number known to be stored

	blocked  bool // the socket is full
	fetching bool // a Job is on its way
	retry    bool // the store could not be read
	stuck    bool // it was blocked at the last tick already
	free     uint32
}

// Lane delivers to the connections of one loop.
type Lane struct {
	// Static after construction.
	hub *Hub
	out Sender

	// Owned by the loop.
	flows []flow // 0 is not used
	free  uint32 // first free one
	live  int
	jobs  []*Job
}

// fetchBytes bounds what is read from the store at once for one connection.
const fetchBytes = 64 << 10

// NewLane returns the lane of one loop.
func (h *Hub) NewLane(out Sender) *Lane { return &Lane{hub: h, out: out, flows: make([]flow, 1)} }

// Flows returns how many connections have something under way.
func (l *Lane) Flows() int { return l.live }

// Begin starts delivery to a connection after its welcome.
func (l *Lane) Begin(c Conn, p *Peer) {
	if f := l.flowFor(c, p); f != nil {
		l.pump(p.flow)
	}
}

// flowFor returns the connection's flow; one that is idle gets it if something
// is stored for it beyond what it has acknowledged.
func (l *Lane) flowFor(c Conn, p *Peer) *flow {
	if p.flow != 0 {
		return &l.flows[p.flow]
	}
	last, acked := l.hub.store.Last(p.Ref, p.Fence)
	if last <= acked {
		return nil
	}
	if l.free == 0 {
		l.flows = append(l.flows, flow{})
		l.free = uint32(len(l.flows) - 1)
	}
	p.flow = l.free
	f := &l.flows[p.flow]
	l.free = f.free
	l.live++
	*f = flow{conn: c, acked: acked, base: acked, sent: acked, last: last}
	return f
}

// End forgets a connection.
func (l *Lane) End(p *Peer) {
	if p.flow != 0 {
		l.release(p)
	}
	*p = Peer{}
}

func (l *Lane) release(p *Peer) {
	l.flows[p.flow] = flow{free: l.free}
	l.free, p.flow = p.flow, 0
	l.live--
	if l.live == 0 && len(l.flows) > 1024 {
		l.flows, l.free = make([]flow, 1), 0 // after a burst
	}
}

// Offer sends a message that was just stored, if it is the next one; if it is
// not, it is sent from the store in its turn. What it returns is what became of
// this message: Written, Queued or Gone.
func (l *Lane) Offer(c Conn, put *inbox.Put) Result {
	p := l.out.Peer(c)
	if p == nil || p.Ref != put.Ref {
		return Gone
	}
	if p.Fence != put.Fence || put.Look {
		// The device has connected since, or was removed and this is the next one
		// with its number, or the store doubts that it is behind what it has: the store knows what it gets.
		l.Look(c, p)
		return Queued
	}
	seq := put.Seq
	f := l.flowFor(c, p)
	if f == nil && !l.hub.store.Current(p.Ref, p.Fence) {
		return Queued // another connection has taken over, and finds it
	}
	if f == nil {
		return Written // delivered from the store before we came, and acknowledged
	}
	f.last = max(f.last, seq)
	if seq > f.sent && (seq != f.sent+1 || !l.open(f)) {
		l.pump(p.flow)
		if p.flow == 0 {
			return Written
		}
		f = &l.flows[p.flow]
		if seq > f.sent {
			return Queued
		}
	}
	if seq <= f.sent {
		if f.blocked {
			return Queued // it may be what the socket has not taken yet
		}
		return Written
	}
	return l.sent(f, seq, l.out.Message(c, seq, put.Message))
}

// OfferBody is Offer for a spread message: the connection's next message is sent
// by send if it has this body. Gone means that the device does not wait for it.
func (l *Lane) OfferBody(c Conn, body inbox.Body, send func(c Conn, seq uint64) Result) Result {
	p := l.out.Peer(c)
	if p == nil {
		return Gone
	}
	f := l.flowFor(c, p)
	if f == nil {
		return Gone // it was not among the receivers, or has it already
	}
	seq := f.sent + 1
	if !l.open(f) || !l.hub.store.IsNext(p.Ref, p.Fence, seq, body) {
		waits := l.hub.store.Waits(p.Ref, p.Fence, body)
		l.Look(c, p)
		if waits {
			return Queued
		}
		return Gone
	}
	f.last = max(f.last, seq)
	return l.sent(f, seq, send(c, seq))
}

// open reports whether the flow may send a message now.
func (l *Lane) open(f *flow) bool {
	return !f.blocked && !f.fetching && f.sent-f.base < uint64(l.hub.window)
}

// sent notes what became of sending message seq = f.sent + 1.
func (l *Lane) sent(f *flow, seq uint64, r Result) Result {
	switch r {
	case Written:
		f.sent = seq
	case Queued:
		f.sent, f.blocked = seq, true
	case Full:
		f.blocked = true
		return Queued
	}
	return r
}

// pump asks the store for what may be sent.
func (l *Lane) pump(i uint32) {
	f := &l.flows[i]
	if f.sent >= f.last || !l.open(f) {
		return
	}
	p := l.out.Peer(f.conn)
	if p == nil {
		return
	}
	j := l.job()
	j.flow, j.conn = i, f.conn
	j.Ref, j.Fence, j.From = p.Ref, p.Fence, f.sent+1
	j.Max, j.Bytes = l.hub.window-int(f.sent-f.base), fetchBytes
	f.fetching, f.retry = true, false
	l.out.Fetch(j)
}

func (l *Lane) job() *Job {
	if n := len(l.jobs); n > 0 {
		j := l.jobs[n-1]
		l.jobs = l.jobs[:n-1]
		return j
	}
	return new(Job)
}

// keepJobs is how many jobs a lane keeps for further use.
const keepJobs = 64

// Fetched takes what the store has answered.
func (l *Lane) Fetched(j *Job) {
	defer func() {
		if len(l.jobs) < keepJobs {
			j.Trim()
			l.jobs = append(l.jobs, j)
		}
	}()
	p := l.out.Peer(j.conn)
	if p == nil || p.flow != j.flow || p.flow == 0 || l.flows[p.flow].conn != j.conn {
		return // the connection is over
	}
	f := &l.flows[p.flow]
	f.fetching = false
	if j.Gone {
		return // the connection will be closed
	}
	if j.Err != nil {
		f.retry = true
		return
	}
	f.last = max(f.last, j.Last)
	if j.Skip > f.sent {
		if !l.skip(f, j.Skip, j.Why) {
			return
		}
	}
	for i := range j.Items {
		it := &j.Items[i]
		if it.Seq != f.sent+1 || !l.open(f) {
			break
		}
		if l.sent(f, it.Seq, l.out.Message(f.conn, it.Seq, &it.Message)) == Gone {
			return
		}
	}
	if f.acked == f.last {
		l.release(p)
		return
	}
	l.pump(p.flow)
}

// skip closes a hole; it reports whether the flow may go on.
func (l *Lane) skip(f *flow, to uint64, why string) bool {
	r := l.out.Skip(f.conn, to, why)
	if r == Full {
		f.blocked = true
	}
	if r == Full || r == Gone {
		return false
	}
	if p := l.out.Peer(f.conn); p != nil {
		l.hub.skipped(p, f.sent, to)
	}
	if f.sent == f.base {
		f.base = to // holes take no room in the window
	}
	f.sent = to
	f.blocked = r == Queued
	return true
}

// Ack takes the device's word that all up to seq has arrived. It reports false
// when it was never sent: the device is out of its mind.
func (l *Lane) Ack(c Conn, p *Peer, seq uint64) bool {
	if p.flow == 0 {
		_, acked := l.hub.store.Last(p.Ref, p.Fence)
		return seq <= acked || !l.hub.store.Current(p.Ref, p.Fence) // late: it does not count
	}
	f := &l.flows[p.flow]
	if seq > f.sent {
		return false
	}
	if seq <= f.acked {
		return true
	}
	f.acked, f.base = seq, max(f.base, seq)
	if l.hub.store.Ack(p.Ref, p.Fence, seq) {
		l.hub.acked(p.Ref, seq)
	}
	if f.acked == f.last && !f.fetching {
		l.release(p)
		return true
	}
	l.pump(p.flow)
	return true
}

// Sent returns the last number sent on a connection.
func (l *Lane) Sent(p *Peer) uint64 {
	if p.flow != 0 {
		return l.flows[p.flow].sent
	}
	_, acked := l.hub.store.Last(p.Ref, p.Fence)
	return acked
}

// Drained says that the socket takes output again.
func (l *Lane) Drained(p *Peer) {
	if p.flow != 0 {
		l.flows[p.flow].blocked, l.flows[p.flow].stuck = false, false
		l.pump(p.flow)
	}
}

// Look has a connection looked after as if it were offered something: for what
// nobody could tell the lane about.
func (l *Lane) Look(c Conn, p *Peer) {
	f := l.flowFor(c, p)
	if f == nil {
		return
	}
	last, _ := l.hub.store.Last(p.Ref, p.Fence)
	f.last = max(f.last, last)
	l.pump(p.flow)
}

// Tick asks again where the store could not be read, and tries connections that
// have been blocked since the last tick: a queue that live messages keep from
// draining has room now and then, and kept ones must not starve behind them.
func (l *Lane) Tick() {
	for i := range l.flows {
		switch f := &l.flows[i]; {
		case f.blocked && !f.stuck:
			f.stuck = true
		case f.blocked:
			f.blocked, f.stuck = false, false
			l.pump(uint32(i))
		case f.retry:
			l.pump(uint32(i))
		}
	}
}
