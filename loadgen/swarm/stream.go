package swarm

import (
	"time"

	"roost/loadgen/dialect"
	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

// stream is one publish of a phase, with the accounts of its subscribers.
//
// What is planned is walked twice, each time in the order of due times: once at
// those times, to know what is due to whom (due), and once as fast as messages
// can be sent (send). The plan follows from seeds, so the second walk is all
// that has to be kept of messages that are late.
type stream struct {
	// Static.
	spec   *scenario.Publish
	index  uint16
	kept   bool
	way    dialect.Way
	phase  uint16
	zipf   plan.Zipf        // topics
	order  plan.Permutation // device, self
	nodes  uint32           // node
	per    int              // topic: accounts of a client
	sizes  plan.Sizes
	stride uint32          // every how manieth message has a round
	batch  uint32          // messages of a request; they share a due time
	most   int             // requests under way; 0: as many as connections
	apis   uint8           // that a message goes to
	asks   dialect.Batcher // of several messages, or for acknowledgements; nil: neither

	due      cursor
	planned  []uint32 // by stream: behind the newest that is due; nil for device and self, where accounts know
	accounts []account
	readers  []uint32 // by stream: subscribers that are connected and read
	rounds   rounds

	send    cursor
	sending []uint32 // topic: by stream, where send is
	part    int      // of send's message: at how many APIs it was published
	flying  int      // requests under way, and those that are to be made again
	again   []again  // those, in order
	// pause is until when nothing is sent: nobody answers.
	pause int64
	turn  uint32  // by socket: whose turn it is to publish
	tried *cursor // behind what could not be sent when it was due; nil: everything could
	full  int     // 1 + the API that had as many requests as it may when send was tried last; 0: none
}

// cursor is a place in a plan.
type cursor struct {
	it *plan.Arrivals
	n  uint32 // number of the message that is due next
}

// next returns when that is, if it is before end.
func (c *cursor) next(begin, end int64) (at int64, ok bool) {
	due, ok := c.it.Peek()
	at = begin + int64(due)
	return at, ok && at < end
}

func (c *cursor) pass() {
	c.it.Next()
	c.n++
}

// arrivalOf writes a scenario's arrival as plan knows it.
func arrivalOf(a *scenario.Arrival) plan.Arrival {
	return plan.Arrival{Kind: string(a.Kind), Rate: a.Rate, To: a.To, Steps: a.Steps, At: a.At, For: a.For, Times: a.Times, Loop: a.Loop, Burst: a.Burst}
}

// walk begins a walk over the arrivals of a phase.
func walk(a plan.Arrival, p *scenario.Phase, seed uint64) *plan.Arrivals {
	length := p.For
	if p.Until.Kind != scenario.UntilTime {
		length = 0
	}
	return plan.NewArrivals(a, length, seed)
}

// roundsPerSecond bounds the courses of messages that are sent to the
// coordinator, of one publish: more is every second, every third one ...
const roundsPerSecond = 1000

// newStream makes a stream; nobody has an account open.
func (w *Worker) newStream(phase, index int, level uint32) *stream {
	p := &w.s.Phases[phase]
	spec := &p.Publish[index]
	seed := func(purpose uint64) uint64 {
		return plan.Seed(w.s.Seed, uint64(phase), uint64(index), purpose)
	}
	s := &stream{spec: spec, index: uint16(index), kept: spec.Class == "kept", way: w.d.Publishing(string(spec.To)), phase: uint16(phase), per: 1}
	s.batch, s.most = uint32(max(spec.Batch, 1)), spec.InFlight
	if s.way == dialect.ByHTTP && (s.batch > 1 || spec.Wait > 0) {
		s.asks = w.d.(dialect.Batcher) // checkPublishing has seen to it
	}
	s.apis = 1
	if s.way == dialect.ByHTTP && (spec.To == scenario.ToAll || spec.To == scenario.ToTopic) {
		s.apis = uint8(len(w.apis))
	}
	arrival := arrivalOf(&spec.Arrival)
	s.due.it = walk(arrival, p, seed(seedArrivals))
	s.send.it = walk(arrival, p, seed(seedArrivals))
	s.sizes = plan.NewSizes(spec.Size.P50, spec.Size.P99, spec.Size.Max, seed(seedSizes))
	s.stride = uint32(max(s.due.it.Peak()/roundsPerSecond, 1))
	streams := 0
	switch spec.To {
	case scenario.ToTopic:
		s.zipf, s.per, streams = w.topics.zipf, w.topics.per, w.s.Topics.Count
		s.sending = make([]uint32, streams)
	case scenario.ToNode:
		s.nodes = uint32(len(w.targets.urls))
		streams = int(s.nodes)
	case scenario.ToAll:
		streams = 1
	default:
		n := level
		if spec.Among > 0 && spec.To == scenario.ToDevice {
			n = min(n, uint32(spec.Among))
		}
		s.order = plan.NewPermutation(int(n), seed(seedDevices))
	}
	if streams > 0 {
		s.planned, s.readers = make([]uint32, streams), make([]uint32, streams)
	}
	s.accounts = make([]account, int(w.count)*s.per)
	return s
}

// of returns which stream message n belongs to: a topic, a node, a client of
// all workers.
func (s *stream) of(n uint32) uint32 {
	switch s.spec.To {
	case scenario.ToTopic:
		return s.zipf.Topic(uint64(n))
	case scenario.ToNode:
		return n % s.nodes
	case scenario.ToDevice, scenario.ToSelf:
		return s.order.At(uint64(n))
	}
	return 0
}

// seq returns the number of message n in its stream, which is not that of a
// topic or of an echo: those depend on what was before.
func (s *stream) seq(n uint32) uint32 {
	switch s.spec.To {
	case scenario.ToNode:
		return n / s.nodes
	case scenario.ToDevice:
		return n / uint32(max(s.order.Len(), 1))
	}
	return n
}

// account returns the account of a client in a stream, nil if it is not
// subscribed.
func (w *Worker) account(s *stream, i, id uint32) *account {
	switch s.spec.To {
	case scenario.ToTopic:
		for k, t := range w.topicsOf(i) {
			if t == id {
				return &s.accounts[int(i)*s.per+k]
			}
		}
		return nil
	case scenario.ToNode:
		if w.global(i)%s.nodes != id {
			return nil
		}
	case scenario.ToDevice, scenario.ToSelf:
		if w.global(i) != id {
			return nil
		}
	}
	return &s.accounts[i]
}

// streamOf returns the stream of a client's account k.
func (w *Worker) streamOf(s *stream, i uint32, k int) uint32 {
	switch s.spec.To {
	case scenario.ToTopic:
		return w.topicsOf(i)[k]
	case scenario.ToNode:
		return w.global(i) % s.nodes
	case scenario.ToDevice, scenario.ToSelf:
		return w.global(i)
	}
	return 0
}

// plannedOf returns behind which number of a stream nothing is due yet.
func (s *stream) plannedOf(a *account, id uint32) uint32 {
	if s.planned == nil {
		return a.due
	}
	return s.planned[id]
}

// eachAccount calls f for every account of a client in the phase.
func (w *Worker) eachAccount(i uint32, f func(s *stream, a *account, planned uint32, at subject)) {
	if w.phase == nil {
		return
	}
	g := w.clients[i].group
	for _, s := range w.phase.streams {
		for k := range s.per {
			a := &s.accounts[int(i)*s.per+k]
			id := w.streamOf(s, i, k)
			f(s, a, s.plannedOf(a, id), subject{place{s.index, g, id}, i})
		}
	}
}

// openAccounts makes what is planned from now on due to a client.
func (w *Worker) openAccounts(i uint32) {
	w.eachAccount(i, func(_ *stream, a *account, planned uint32, at subject) {
		a.open(planned, at, w.ledgerOf(i))
	})
}

// partAccounts resolves what was due to a client whose connection has ended.
// What the server did not bring on a connection that it ended is missing; what
// did not come on one that a storm cut is lost in the gap, with what follows. A
// client that leaves for good, or for another one, has lost nothing; but kept
// messages wait for whoever comes by its name.
func (w *Worker) partAccounts(i uint32, by intent, returns bool) {
	counted := by != byServer && w.groups.healthy(w.clients[i].group) && !w.lenient(i)
	w.eachAccount(i, func(s *stream, a *account, planned uint32, at subject) {
		if counted && s.readers != nil && !(s.kept && returns) {
			s.rounds.leave(a, at, &w.ledger)
		}
		kind := missing
		if by == byStorm {
			kind = gap
		}
		switch {
		case s.kept && returns:
			a.parted = true
		case by == byChurn || by == byDrain || !returns && (by == byStorm || w.lenient(i)):
			a.drop()
		case w.lenient(i):
			a.drop()
			a.from, a.next, a.state = planned, planned, accountAway
		case returns:
			a.part(planned, at, kind, &w.ledger)
		default:
			a.resolve(planned, at, kind, &w.ledger)
			a.drop()
		}
	})
}

// lenient says that nobody may expect that a client gets everything: it was made
// slow or silent for this phase.
func (w *Worker) lenient(i uint32) bool { return w.clients[i].flags&(slowed|silenced) != 0 }

// ledgerOf returns where the losses of a client are noted: those of lenient
// ones nowhere.
func (w *Worker) ledgerOf(i uint32) *ledger {
	if w.lenient(i) {
		return &w.unjudged
	}
	return &w.ledger
}

// subscribe counts a client among those that a message to many should reach at
// once, or no longer.
func (w *Worker) subscribe(i uint32, c *client, yes bool) {
	if w.phase == nil || !w.groups.healthy(c.group) || w.lenient(i) {
		return
	}
	for _, s := range w.phase.streams {
		if s.readers == nil {
			continue
		}
		for k := range s.per {
			if n := &s.readers[w.streamOf(s, i, k)]; yes {
				*n++
			} else {
				*n--
			}
		}
	}
}

// advance walks the plan to now: what is due, and to how many.
func (w *Worker) advance(now int64) {
	p := w.phase
	if p == nil || p.settled {
		return
	}
	for _, s := range p.streams {
		if s.spec.To == scenario.ToSelf { // due when it is sent
			continue
		}
		for {
			at, ok := s.due.next(p.begin, p.end)
			if !ok || at > now {
				break
			}
			w.dueNext(s, at)
		}
	}
}

// dueNext makes the next message of a stream due.
func (w *Worker) dueNext(s *stream, at int64) {
	n := s.due.n
	s.due.pass()
	if w.sends(s, n) {
		w.rec.counts(0).Planned++
	}
	id := s.of(n)
	if s.planned == nil {
		if i, own := w.local(id); own && i < w.count {
			s.accounts[i].due++
		}
		return
	}
	s.planned[id]++
	if n%s.stride == 0 {
		s.rounds.open(course{Round: tally.Round{Stream: s.index, Seq: n, Due: at, Want: s.readers[id]}, stream: id, seq: s.planned[id] - 1}, &w.rec)
	}
}

// emitRounds hands over the courses of messages that are complete or overdue.
func (w *Worker) emitRounds(now int64) {
	for _, s := range w.phase.streams {
		s.rounds.emit(now-int64(w.deadline()), &w.rec)
	}
}

// deadline is how long a message may take.
func (w *Worker) deadline() time.Duration { return w.s.Measure.Deadline }
