package swarm

import (
	"bytes"
	"errors"

	"roost/loadgen/stamp"
	"roost/loadgen/tally"
)

// lastMessage is the message that was delivered last, read and compared byte for
// byte. A message to many comes many times in a row, and is read once.
type lastMessage struct {
	bytes  []byte // as delivered; empty: none
	size   int    // of the payload in them
	stamp  stamp.Stamp
	stream *stream // nil: of another phase than the current one
	past   *past   // then: of that one, nil if it is not remembered
	id     uint32  // of the stream
}

// deliver accounts for a message that a client has got at time now. One that
// comes after its deadline is Missing, unless it was kept for a client that was
// away.
func (w *Worker) deliver(i uint32, now int64, b []byte) {
	c := &w.clients[i]
	n := w.rec.counts(c.group)
	m := &w.cache
	// An empty message is equal to an empty cache, and is none that is known.
	if (len(b) == 0 || !bytes.Equal(b, m.bytes)) && !w.recognise(b, n) {
		return
	}
	s := m.stream
	if s == nil && m.past == nil && w.keepEarly(i, now) {
		return
	}
	n.BytesIn += uint64(m.size)
	if s == nil {
		w.deliverLate(i, m, n)
		return
	}
	a := w.account(s, i, m.id)
	if a == nil || w.isRefused(s, m.stamp.Number) {
		n.Stray++
		return
	}
	if m.stamp.Seq >= s.plannedOf(a, m.id) {
		w.advance(now)
		if int64(m.stamp.Seq) >= int64(s.plannedOf(a, m.id))+w.ahead() {
			n.Stray++
			return
		}
	}
	l := w.ledgerOf(i)
	switch a.take(m.stamp.Seq, subject{place{s.index, c.group, m.id}, i}, l) {
	case duplicate:
		n.Duplicate++
		return
	case joining:
		n.Joining++
		return
	case behind:
		n.Reordered++
	}
	if now < m.stamp.Sent {
		n.ClockErrs++
	}
	if now-m.stamp.Due > int64(w.deadline()) {
		n.Late++
		switch {
		case s.kept && a.parted: // it waited for its client
		case l == &w.unjudged:
			return
		default:
			w.lose(c.group, missing, 1)
			return
		}
	}
	n.Expected++
	n.Delivered++
	if l != &w.unjudged { // slow on purpose: its times say nothing of the server
		w.clocked(s, c.group, now)
	}
}

// clocked notes the times of a delivery of the message in the cache.
func (w *Worker) clocked(s *stream, group uint8, now int64) {
	m := &w.cache.stamp
	record(w.rec.groupHist(group, tally.Delivery), now-m.Due)
	record(w.rec.groupHist(group, tally.DeliverySent), now-m.Sent)
	if at := w.rec.arrival; at != 0 {
		w.rec.hist(histRxLag, now-at)
		record(w.rec.groupHist(group, tally.DeliveryKernel), at-m.Due)
	}
	if s.readers != nil && w.groups.healthy(group) {
		s.rounds.deliver(m.Number, s.stride, now)
	}
}

// ahead is how many messages of a stream a worker with a clock before ours may
// have sent. When the plan has ended there are no more.
func (w *Worker) ahead() int64 {
	if w.phase.finishing {
		return 0
	}
	return 1 << 16
}

// recognise reads a message into the cache. It reports false for one that is no
// phase's, or not ours, or damaged.
func (w *Worker) recognise(b []byte, n *tally.Counts) bool {
	m := &w.cache
	m.forget()
	payload := stamp.Find(b)
	if payload == nil {
		n.Foreign++
		return false
	}
	var err error
	m.stamp, err = stamp.Parse(payload, w.cfg.Run)
	switch {
	case errors.Is(err, stamp.ErrOtherRun):
		n.Stray++
		return false
	case err != nil:
		n.Wrong++
		n.BytesIn += uint64(len(payload))
		return false
	}
	var streams []*stream
	now := w.phase != nil && int(m.stamp.Phase) == w.phase.index
	if now {
		streams = w.phase.streams
	} else if m.past = w.pastOf(int(m.stamp.Phase)); m.past != nil {
		streams = m.past.streams
	}
	known := int(m.stamp.Publish) < len(streams)
	switch {
	case !known && (now || m.past != nil):
		m.forget()
		n.Stray++
		return false
	case known:
		s := streams[m.stamp.Publish]
		if m.id = s.of(m.stamp.Number); now {
			m.stream = s
		}
	}
	m.bytes, m.size = append(m.bytes, b...), len(payload)
	return true
}

// forget empties the cache when a phase begins or ends.
func (m *lastMessage) forget() { m.bytes, m.stream, m.past = m.bytes[:0], nil, nil }
