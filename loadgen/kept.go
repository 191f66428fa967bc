package loadgen

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"roost/loadgen/plan"
)

// keptLoad is kept messages on their way: by publishers through the API into
// the node, and from there to the keepers of the loops.
type keptLoad struct {
	// Static after construction.
	opt     *Options
	s       *swarm // set before anything is published
	all     bool
	id      []byte // 8 hex digits that name the run; each message's are behind
	payload []byte // JSON string with room for the number

	ledger     ledger
	accepted   atomic.Uint64
	publishers []*keptPublisher
	published  time.Duration // how long that took the last time
}

// newKeptLoad makes the publishers; seed names the run.
func newKeptLoad(opt *Options, seed uint64) (*keptLoad, error) {
	k := &keptLoad{opt: opt, all: opt.All, id: make([]byte, roundSize)}
	putHex(k.id, uint32(seed))
	k.payload = append(append([]byte{'"'}, filler(opt.Size-2)...), '"')
	timeout := 30 * time.Second
	if k.all {
		timeout += maxAPIWait
	}
	for no := range opt.Publishers {
		conn, err := newAPIConn(opt.API, "/v1/publish", timeout)
		if err != nil {
			return nil, &UsageError{err}
		}
		k.publishers = append(k.publishers, &keptPublisher{k: k, no: no, conn: conn, keptTally: newTally()})
	}
	return k, nil
}

// publish has all publishers publish for so long, and waits until everything
// that was accepted has come and is acknowledged.
func (k *keptLoad) publish(ctx context.Context, hold time.Duration) error {
	start := k.s.clock.now() + int64(time.Millisecond)
	var wg sync.WaitGroup
	for _, p := range k.publishers {
		wg.Go(func() { p.run(ctx, start, start+int64(hold)) })
	}
	wg.Wait()
	k.published = time.Duration(k.s.clock.now() - start)
	err := k.s.await(context.WithoutCancel(ctx), k.opt.Patience, func() uint64 { return k.s.sum(deliveredOf) + k.s.sum(paidOf) }, k.settled)
	if errors.Is(err, errPatience) {
		return nil // what is missing is counted
	}
	return err
}

func paidOf(n *counters) uint64 { return n.paid.Load() }

// settled reports whether all that was accepted has come, and nothing is owed.
// What is owed is read last: it grows before what is paid.
func (k *keptLoad) settled() bool {
	want := k.accepted.Load()
	if k.all {
		want *= k.s.sum(readersOf)
	}
	return k.s.sum(deliveredOf) >= want && k.missing() == 0 &&
		k.s.sum(paidOf) == k.s.sum(func(n *counters) uint64 { return n.owed.Load() })
}

// missing returns how many accepted messages have not come; to all, how many
// have come to nobody.
func (k *keptLoad) missing() (n int) {
	k.ledger.each(func(_ uint32, e *entry) {
		if e.state.Load()&(stateAccepted|stateArrived) == stateAccepted {
			n++
		}
	})
	return n
}

// kept publishes kept messages and measures.
func (s *swarm) kept(ctx context.Context, k *keptLoad) (*Kept, []string, error) {
	k.s = s
	defer func() {
		for _, p := range k.publishers {
			p.conn.close()
		}
	}()
	stop := s.pace(true, keptPace, func(c *client) { c.keeper.turn() })
	defer stop()
	opt := s.opt
	if err := k.publish(ctx, opt.Warmup); err != nil {
		return nil, nil, err
	}
	first := uint32(0)
	warm := newTally()
	for _, p := range k.publishers {
		first = max(first, uint32(p.next*opt.Publishers))
		warm.add(&p.keptTally)
		p.keptTally = newTally()
	}
	for _, p := range k.publishers { // some have got further than others
		p.next = int(first) / opt.Publishers
	}
	s.each(func(c *client) { c.keeper.first = first })
	r := &Kept{Open: opt.Rate > 0, Rate: opt.Rate, Publishers: opt.Publishers, Batch: opt.Batch, All: k.all, Size: opt.Size,
		Devices: int(s.sum(readersOf)), Warmup: warm.accepted}
	acks := s.sum(acksOf)
	before := s.read()
	err := k.publish(ctx, opt.Hold)
	r.Work = s.read().since(before)
	r.Acks = s.sum(acksOf) - acks
	if err != nil {
		return nil, nil, err
	}
	bound := s.finishKept(r, k, first)
	return r, bound, ctx.Err()
}

func acksOf(n *counters) uint64 { return n.acks.Load() }

// add adds what another publisher has counted.
func (t *keptTally) add(o *keptTally) {
	t.accepted += o.accepted
	t.unknown += o.unknown
	for why, n := range o.refused {
		t.refused[why] += n
	}
	t.repeats += o.repeats
	t.known += o.known
	t.requests += o.requests
	t.inTime += o.inTime
	t.tooLate += o.tooLate
	t.unacked += o.unacked
	t.receivers = max(t.receivers, o.receivers)
	t.api.merge(o.api)
	t.late.merge(o.late)
	t.answered.merge(o.answered)
}

// finishKept joins what publishers and loops have counted and derives the rest.
func (s *swarm) finishKept(r *Kept, k *keptLoad, first uint32) (bound []string) {
	t := newTally()
	for _, p := range k.publishers {
		t.add(&p.keptTally)
	}
	r.Requests, r.Accepted, r.Unknown, r.Repeats, r.Known = t.requests, t.accepted, t.unknown, t.repeats, t.known
	r.Refused, r.Receivers, r.Unacknowledged = maps.Clone(t.refused), t.receivers, t.unacked
	r.API, r.Answered, r.Late = t.api.latency(), t.answered.latency(), t.late.latency()
	k.collect(r, first)
	effort := plan.Effort{Loops: len(s.clients) + 1, // publishers are beside them
		Cores: float64(r.Work.ClientCPU) / float64(max(r.Work.Wall, 1)), Sent: t.inTime, TooLate: t.tooLate}
	if r.Open {
		effort.Planned = plan.Schedule{Rate: r.Rate / float64(r.Batch)}.Count(s.opt.Hold)
		r.Planned = effort.Planned * r.Batch
	}
	r.PerSecond = perSecond(float64(r.Accepted), k.published) // what came behind is not publishing
	n := float64(r.Delivered)
	r.ServerMicros, r.ServerSumMicros = per(r.Work.ServerCPU, n), per(r.Work.serverSum(), n)
	r.UserMicros = r.ServerMicros * r.Work.UserShare()
	r.SystemMicros = r.ServerMicros - r.UserMicros
	r.ClientMicros = per(r.Work.ClientCPU, n)
	return effort.ClientBound()
}

// collect reads the loops' books, from number first on where that can be told.
func (k *keptLoad) collect(r *Kept, first uint32) {
	fromDue, ackFrom := newRecorder(), newRecorder()
	var arrived, acked []plan.Round
	var collecting sync.Mutex
	k.s.each(func(c *client) {
		v := c.keeper
		collecting.Lock()
		defer collecting.Unlock()
		fromDue.merge(v.fromDue)
		ackFrom.merge(v.ackFrom)
		r.Duplicate += v.duplicate
		r.Disorder += v.disorder
		r.Wrong += v.wrong
		join(&arrived, v.arrived)
		join(&acked, v.acked)
	})
	r.FromDue = fromDue.latency()
	r.Skipped = k.s.sum(func(n *counters) uint64 { return n.skipped.Load() })
	r.AgainSent = k.s.sum(func(n *counters) uint64 { return n.repeats.Load() })
	r.Returned = k.s.sum(func(n *counters) uint64 { return n.returned.Load() })
	k.ledger.each(func(n uint32, e *entry) {
		switch v := e.state.Load(); {
		case v&(stateRefused|stateArrived) == stateRefused|stateArrived:
			r.Stray++
		case k.all:
		case v&(stateAccepted|stateArrived) == stateAccepted:
			r.Missing++ // also of the warm-up
		case v&stateArrived != 0 && n >= first:
			r.Delivered++
		}
	})
	r.Expected = r.Accepted
	if k.all {
		r.FromDueToAck = ackFrom.latency()
		k.collectAll(r, first, arrived, acked)
	}
}

// collectAll accounts for broadcasts.
func (k *keptLoad) collectAll(r *Kept, first uint32, arrived, acked []plan.Round) {
	r.Expected *= r.Devices
	last, lastAck := newRecorder(), newRecorder()
	k.ledger.each(func(n uint32, e *entry) {
		if e.state.Load()&stateAccepted == 0 {
			return
		}
		var a, b plan.Round
		if int(n) < len(arrived) {
			a = arrived[n]
		}
		if int(n) < len(acked) {
			b = acked[n]
		}
		r.Missing += max(r.Devices-a.Count, 0)
		if n < first {
			return
		}
		r.Delivered += a.Count
		if a.Count == r.Devices {
			last.record(a.Last - e.due.Load())
		}
		if b.Count == r.Devices {
			lastAck.record(b.Last - e.due.Load())
		}
	})
	r.Last, r.LastAck = last.latency(), lastAck.latency()
}

// join adds what one loop has seen of broadcasts.
func join(sum *[]plan.Round, more []plan.Round) {
	for i, v := range more {
		if i == len(*sum) {
			*sum = append(*sum, plan.Round{})
		}
		(*sum)[i].Add(v)
	}
}

// judge says what the node did wrong.
func (k *Kept) judge(fail func(format string, a ...any)) {
	if k.Missing > 0 {
		fail("%d of %d accepted messages are missing", k.Missing, k.Expected)
	}
	if k.Duplicate > 0 {
		fail("%d messages came twice to a device that remembers", k.Duplicate)
	}
	if k.Disorder > 0 {
		fail("%d messages came in another order than they were published", k.Disorder)
	}
	if k.Wrong > 0 {
		fail("%d messages are not what was published, or not for that device", k.Wrong)
	}
	if k.Stray > 0 {
		fail("%d messages came that the node had refused", k.Stray)
	}
	if k.Skipped > 0 {
		fail("%d times the node said that messages are gone", k.Skipped)
	}
	for why, n := range k.Refused {
		fail("%d messages were refused: %s", n, why)
	}
	if k.Unacknowledged > 0 {
		fail("%d broadcasts were not acknowledged by all in time, says the node", k.Unacknowledged)
	}
}

// report prints it.
func (k *Kept) report(p printf) {
	what := fmt.Sprintf("to %d devices, %d a request", k.Devices, k.Batch)
	if k.All {
		what = fmt.Sprintf("to all, %d devices each", k.Devices)
	}
	kind := fmt.Sprintf("closed loop of %d publishers", k.Publishers)
	if k.Open {
		kind = fmt.Sprintf("open loop of %d publishers, %g/s planned", k.Publishers, k.Rate)
	}
	p("kept           %.0f accepted/s of %d bytes %s (%s)", k.PerSecond, k.Size, what, kind)
	p("  counted      %d of %d delivered, %d missing, %d twice, %d out of order, %d wrong, %d stray; %d acknowledgements", k.Delivered,
		k.Expected, k.Missing, k.Duplicate, k.Disorder, k.Wrong, k.Stray, k.Acks)
	p("  repaired     %d requests sent again, %d messages sent again, %d devices came back", k.Repeats, k.AgainSent, k.Returned)
	p("  from due     %s", k.FromDue.text())
	if k.All {
		p("  last one     has it: %s", k.Last.text())
		p("  last ack     sent: %s; known to the publisher: p50 %.3f ms", k.LastAck.text(), float64(k.Answered.P50)/1e6)
	}
	p("  api          %s", k.API.text())
	if k.Open {
		p("  sent late    %s", k.Late.text())
	}
	k.Work.report(p, "delivery", k.ServerMicros, k.ServerSumMicros)
	p("               %.2f us user, %.2f us system; generator %.2f us", k.UserMicros, k.SystemMicros, k.ClientMicros)
}
