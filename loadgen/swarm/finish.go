package swarm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

// What Finish fails with, beside the end of its time.
var (
	// ErrNoPhase says that no phase has begun, or that it is settled.
	ErrNoPhase = errors.New("swarm: no phase is under way")
	// ErrOverflow says that more messages were not accepted than are kept: losses
	// of the phase cannot be told from refusals.
	ErrOverflow = fmt.Errorf("swarm: more than %d messages were not accepted: losses of this phase cannot be told from refusals", maxRefusals)
)

// maxRefusals bounds the list of messages that were not accepted. With more, the
// phase cannot be accounted for.
const maxRefusals = 1 << 20

// Finish ends the plan at the instant at, which should lie a little ahead: what
// another worker has sent later is a stray. It waits until everything is sent
// and answered, or ctx is done: what is unsent then is refused, what is
// unanswered unknown, and owed all the same. The error wraps that of ctx if it
// was done first, and ErrOverflow.
func (w *Worker) Finish(ctx context.Context, at int64) ([]Refusal, error) {
	finished := make(chan struct{})
	err := ErrNoPhase
	w.do(func() {
		p := w.phase
		if p == nil || p.finishing {
			return
		}
		err = nil
		p.end = min(p.end, at)
		w.dials.end = min(w.dials.end, at)
		p.finishing, p.finished = true, finished
		w.turn()
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-finished:
	case <-ctx.Done():
		err = fmt.Errorf("swarm: phase %q: not all was sent and answered: %w", w.s.Phases[w.Progress().Phase].Name, ctx.Err())
	}
	var list []Refusal
	w.do(func() {
		p := w.phase
		p.finished = nil
		w.advance(w.now())
		w.concede(p)
		for k, noes := range p.refusals {
			if noes >= p.streams[k.publish].apis {
				list = append(list, Refusal{Publish: k.publish, Number: k.number})
			}
		}
		if p.overflow {
			err = errors.Join(err, ErrOverflow)
		}
	})
	slices.SortFunc(list, func(a, b Refusal) int {
		if a.Publish != b.Publish {
			return int(a.Publish) - int(b.Publish)
		}
		return int(int64(a.Number) - int64(b.Number))
	})
	return list, err
}

// concede gives up what is not sent, and what is not answered.
func (w *Worker) concede(p *phase) {
	p.conceded = true
	for _, s := range p.streams {
		for {
			if _, ok := s.send.next(p.begin, p.end); !ok {
				break
			}
			w.unsent(p, s)
			s.pass()
		}
	}
	for i := range w.posts.list {
		w.giveUpPost(&w.posts.list[i], plan.ErrTimeout)
	}
	for _, s := range p.streams {
		w.concedeAgain(s)
	}
}

// neverSent stands for the no of all APIs.
const neverSent = math.MaxUint8

// refuse notes that so many APIs have said no to a message, or that nobody has
// answered, and reports whether that is news. Nobody has to expect what all APIs
// have refused that it was for; of the rest nobody knows.
func (p *phase) refuse(publish uint16, n uint32, noes uint8) bool {
	k := messageKey{publish, n}
	have, known := p.refusals[k]
	if !known && len(p.refusals) >= maxRefusals {
		p.overflow = p.overflow || noes > 0
		return true
	}
	if p.refusals == nil {
		p.refusals = map[messageKey]uint8{}
	}
	p.refusals[k] = have + min(noes, neverSent-have)
	return !known
}

// isRefused reports whether nobody has to expect a message of ours.
func (w *Worker) isRefused(s *stream, n uint32) bool {
	if len(w.phase.refusals) == 0 {
		return false
	}
	noes, known := w.phase.refusals[messageKey{s.index, n}]
	return known && noes >= s.apis
}

// Settle closes the accounts of the phase.
func (w *Worker) Settle(list []Refusal) {
	var streams []*stream
	w.do(func() {
		if w.phase != nil {
			streams = w.phase.streams
		}
	})
	r := locate(streams, list)
	w.do(func() {
		if w.phase != nil {
			w.settle(r)
		}
	})
}

// locate finds the streams of messages that nobody has to expect. It reads what
// is static in a stream only.
func locate(streams []*stream, list []Refusal) *refused {
	r := &refused{}
	topics := map[uint16][]uint32{}
	for _, x := range list {
		if int(x.Publish) >= len(streams) {
			continue
		}
		switch s := streams[x.Publish]; s.spec.To {
		case scenario.ToSelf: // what was not sent was never due
		case scenario.ToTopic:
			topics[x.Publish] = append(topics[x.Publish], x.Number)
		default:
			r.add(x.Publish, s.of(x.Number), s.seq(x.Number))
		}
	}
	for publish, numbers := range topics {
		locateTopics(streams[publish], numbers, r)
	}
	r.sort()
	return r
}

// locateTopics walks the topics of a publish, as the number of a message in its
// topic follows from those before.
func locateTopics(s *stream, numbers []uint32, r *refused) {
	slices.Sort(numbers)
	seqs := make([]uint32, len(s.planned))
	n := uint32(0)
	for _, want := range slices.Compact(numbers) {
		for ; n < want; n++ {
			seqs[s.of(n)]++
		}
		id := s.of(want)
		r.add(s.index, id, seqs[id])
	}
}

// settle resolves every account, and counts what was lost.
func (w *Worker) settle(r *refused) {
	p := w.phase
	if !p.finishing {
		p.end = min(p.end, w.now())
	}
	w.advance(p.end)
	w.holdDials()
	for i := range w.clients {
		w.settleClient(uint32(i))
	}
	for _, s := range p.streams {
		w.concedeAgain(s)
		s.rounds.emit(math.MaxInt64, &w.rec)
	}
	w.ledger.settle(r, w.lose)
	w.remember(p, r)
	w.ledger, w.unjudged = ledger{}, ledger{}
	p.settled = true
	for i := range w.clients {
		w.leave(uint32(i), &w.clients[i])
	}
	w.phase = nil
	w.cache.forget()
}

// settleClient resolves what was due to a client.
func (w *Worker) settleClient(i uint32) {
	l := w.ledgerOf(i)
	w.eachAccount(i, func(s *stream, a *account, planned uint32, at subject) {
		kind := missing
		if a.parted {
			kind = gap
		}
		a.resolve(planned, at, kind, l)
	})
}

// lose counts n deliveries that did not happen.
func (w *Worker) lose(group uint8, k lossKind, n uint64) {
	c := w.rec.counts(group)
	c.Expected += n
	if k == gap {
		c.Gap += n
	} else {
		c.Missing += n
	}
	h := w.rec.groupHist(group, tally.Delivery)
	if *h == nil {
		*h = tally.NewHist()
	}
	(*h).Miss(n)
}
