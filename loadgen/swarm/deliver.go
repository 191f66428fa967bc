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
	stamp  stamp.Stamp
	stream *stream // nil: of another phase than the current one
	id     uint32  // of the stream
}

// deliver accounts for a message that a client has got at time now.
func (w *Worker) deliver(st *conn, now int64, b []byte) {
	i := st.client
	c := &w.clients[i]
	n := w.rec.counts(c.group)
	n.BytesIn += uint64(len(b))
	m := &w.cache
	// An empty message is equal to an empty cache, and is none that is known.
	if (len(b) == 0 || !bytes.Equal(b, m.bytes)) && !w.recognise(b, n) {
		return
	}
	s := m.stream
	if s == nil {
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
	n.Expected++
	n.Delivered++
	if now-m.stamp.Due > int64(w.deadline()) {
		n.Late++
	}
	if now < m.stamp.Sent {
		n.ClockErrs++
	}
	if l == &w.scrap { // slow on purpose: its times say nothing of the server
		return
	}
	record(w.rec.groupHist(c.group, tally.Delivery), now-m.stamp.Due)
	record(w.rec.groupHist(c.group, tally.DeliverySent), now-m.stamp.Sent)
	if at := w.rec.arrival; at != 0 {
		w.rec.hist(histRxLag, now-at)
		record(w.rec.groupHist(c.group, tally.DeliveryKernel), at-m.stamp.Due)
	}
	if s.readers != nil && w.groups.healthy(c.group) {
		s.rounds.deliver(m.stamp.Number, s.stride, now)
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

// recognise reads a message into the cache. It reports false for one that is not
// this phase's, or not ours, or damaged.
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
		return false
	}
	m.bytes = append(m.bytes, b...)
	p := w.phase
	if p == nil || int(m.stamp.Phase) != p.index {
		return true // of a phase that is settled: it was missing there
	}
	if int(m.stamp.Publish) >= len(p.streams) {
		m.forget()
		n.Stray++
		return false
	}
	m.stream = p.streams[m.stamp.Publish]
	m.id = m.stream.of(m.stamp.Number)
	return true
}

// forget empties the cache when a phase begins or ends.
func (m *lastMessage) forget() { m.bytes, m.stream = m.bytes[:0], nil }
