package swarm

import (
	"cmp"
	"slices"
	"sort"

	"roost/loadgen/tally"
)

// past is a phase that is settled: what was lost in it, to tell what comes late
// from what comes again.
type past struct {
	index   int
	streams []*stream // what is static of them
	ledger  ledger    // ranges in order
	refused *refused
	came    map[hole]struct{} // since
	excused []uint64          // a bit for each client that it made slow or silent; nil: none
}

// pasts is how many phases are remembered. What comes of an older one is late,
// also when it comes again.
const pasts = 4

// maxCame bounds what is remembered to have come of one.
const maxCame = 1 << 18

// remember keeps what was lost in a phase that is settled.
func (w *Worker) remember(p *phase, r *refused) {
	for _, s := range p.streams {
		s.accounts, s.planned, s.sending, s.readers, s.rounds = nil, nil, nil, nil, rounds{}
	}
	slices.SortFunc(w.ledger.ranges, func(a, b lossRange) int {
		return cmp.Or(a.subject.compare(b.subject), cmp.Compare(a.lo, b.lo))
	})
	w.past = append(w.past, &past{index: p.index, streams: p.streams, ledger: w.ledger, refused: r, excused: w.excused()})
	if len(w.past) > pasts {
		w.past = slices.Delete(w.past, 0, 1)
	}
}

// excused returns the clients of whom nothing is expected in the phase that ends.
func (w *Worker) excused() (bits []uint64) {
	for i := range w.clients {
		if !w.lenient(uint32(i)) {
			continue
		}
		if bits == nil {
			bits = make([]uint64, (len(w.clients)+63)/64)
		}
		bits[i/64] |= 1 << (i % 64)
	}
	return bits
}

// excuses reports whether the phase had made a client slow or silent.
func (p *past) excuses(client uint32) bool {
	return p.excused != nil && p.excused[client/64]&(1<<(client%64)) != 0
}

// compare orders subjects; which is first does not matter.
func (s subject) compare(o subject) int {
	return cmp.Or(cmp.Compare(s.client, o.client), cmp.Compare(s.publish, o.publish), cmp.Compare(s.stream, o.stream))
}

// pastOf finds a phase that is settled, nil if it is too old.
func (w *Worker) pastOf(index int) *past {
	for _, p := range w.past {
		if p.index == index {
			return p
		}
	}
	return nil
}

// deliverLate counts a message of a phase that is settled: it was Missing there.
func (w *Worker) deliverLate(i uint32, m *lastMessage, n *tally.Counts) {
	p := m.past
	if p == nil {
		n.Late++
		return
	}
	if p.excuses(i) { // it reads on, and has what waited for it
		return
	}
	s := p.streams[m.stamp.Publish]
	at := subject{place{s.index, w.clients[i].group, m.id}, i}
	key := hole{at, m.stamp.Seq}
	_, again := p.came[key]
	switch {
	case p.refused.count(s.index, m.id, m.stamp.Seq, m.stamp.Seq+1) > 0:
		n.Stray++
	case again || !p.ledger.lacks(at, m.stamp.Seq):
		n.Duplicate++
	default:
		n.Late++
		if p.came == nil {
			p.came = map[hole]struct{}{}
		}
		if len(p.came) < maxCame {
			p.came[key] = struct{}{}
		}
	}
}

// lacks reports whether a subscriber may have lacked a message when the phase was
// settled. Its ranges are in order.
func (l *ledger) lacks(s subject, seq uint32) bool {
	if _, is := l.holes[hole{s, seq}]; is || l.full[missing] != nil || l.full[gap] != nil {
		return true
	}
	if l.crowded && l.single[lossAt{s.place, missing, seq}] > 0 || l.single[lossAt{s.place, gap, seq}] > 0 {
		return true
	}
	k := sort.Search(len(l.ranges), func(k int) bool {
		r := &l.ranges[k]
		return cmp.Or(r.subject.compare(s), cmp.Compare(r.lo, seq)) > 0
	})
	return k > 0 && l.ranges[k-1].subject == s && seq < l.ranges[k-1].hi
}
