package mesh

import (
	"sync/atomic"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/fanout"
)

// Side is which part of a trial a device is in.
type Side uint8

// The sides: those of cluster.Counts, and all devices whose owner both rings agree on, or that there is one ring for.
const (
	Neither Side = iota
	Share        // the canary says who owns the device
	Rest         // the stable ring does, and the canary would say another
	sides
)

// String returns the side's name, for metrics.
func (s Side) String() string { return [...]string{"neither", "share", "rest"}[min(s, Rest)] }

// sight is what the rings say of a device, at one moment.
type sight struct {
	owner   string // "": nobody
	side    Side
	trial   uint64 // 0: none is on
	settled bool   // the rings have been in force for long enough
}

func (m *Mesh) look(device string) sight { return m.lookAt(ring.Hash(device)) }

func (m *Mesh) lookAt(hash uint64) sight {
	a := m.o.Rings.Load()
	var s sight
	if n := ownerNode(a, hash); n != nil {
		s.owner = n.ID
	}
	if a.Pointer.Trial == 0 {
		return s
	}
	if moves, onCanary := cluster.Moving(a.Routes, hash); moves {
		if s.side = Rest; onCanary {
			s.side = Share
		}
	}
	s.trial, s.settled = a.Pointer.Trial, time.Since(a.At) >= m.o.Settle
	return s
}

func ownerNode(a *cluster.Active, hash uint64) *ring.Node {
	r, i := a.Routes.Owner(hash)
	return r.Node(i)
}

// event is what is counted of a device.
type event uint8

const (
	attempted event = iota
	missed
	failed
)

// trial is what this node has seen of one trial.
type trial struct {
	id    uint64
	sides [sides]seenSide // Neither is not used
}

type seenSide struct {
	attempts, failures, misses atomic.Uint64
	delays                     delays
	timed                      atomic.Int64 // when a notice was timed last, ns since 1970 by this clock
}

// of returns what is seen of a trial; a new one begins with nothing.
func (m *Mesh) of(id uint64) *trial {
	for {
		t := m.trial.Load()
		if t != nil && t.id == id {
			return t
		}
		fresh := &trial{id: id}
		if m.trial.CompareAndSwap(t, fresh) {
			return fresh
		}
	}
}

// count notes an attempt, and what it was beside.
func (m *Mesh) count(s *sight, e event) {
	if s.side == Neither {
		return
	}
	side := &m.of(s.trial).sides[s.side]
	side.attempts.Add(1)
	switch {
	case e == failed:
		side.failures.Add(1)
	case e == missed && s.settled:
		side.misses.Add(1)
	}
}

// hit notes a device that was where the ring says, and how long that took.
func (m *Mesh) hit(s *sight, took time.Duration) {
	m.n.hits[s.side].Add(1)
	m.count(s, attempted)
	m.delivered(s, took)
}

// miss notes one that was elsewhere.
func (m *Mesh) miss(s *sight) {
	if s.owner == "" {
		return
	}
	m.n.misses[s.side].Add(1)
	m.count(s, missed)
}

// delivered notes how long a delivery took.
func (m *Mesh) delivered(s *sight, took time.Duration) {
	if s.side != Neither {
		m.of(s.trial).sides[s.side].delays.add(took, time.Now())
	}
}

// seenAt compares what presence has said of a device with the ring.
func (m *Mesh) seenAt(device []byte, node string) sight {
	s := m.lookAt(ring.HashBytes(device))
	if s.owner != node {
		m.miss(&s)
		return s
	}
	m.n.hits[s.side].Add(1)
	m.count(&s, attempted)
	return s
}

// CountConnect notes that a device has connected to this node, or that it could not for a reason of
// ours, for the trial that is on.
func (m *Mesh) CountConnect(device []byte, ok bool) {
	s := m.lookAt(ring.HashBytes(device))
	if m.count(&s, attempted); !ok && s.side != Neither {
		m.of(s.trial).sides[s.side].failures.Add(1)
	}
}

// CountDelivery notes how long it took from publish to device, for the P99 of the trial that is on: what the node
// measures of its own devices.
func (m *Mesh) CountDelivery(device []byte, took time.Duration) {
	s := m.lookAt(ring.HashBytes(device))
	m.count(&s, attempted)
	m.delivered(&s, took)
}

// Kept messages for devices elsewhere are timed too, some of them: their notices ask for an answer, as if their publisher
// had a wait of a millisecond. Without that nobody would see that a node is slow to take what the others send it: what it times
// itself begins when it gets to it.
const (
	timedEvery  = 20 * time.Millisecond // at most, of each side
	timedAnswer = 3 * time.Second       // what is not answered by then counts as that slow
)

// timed returns the request that a notice about a device is to carry so that its answer is timed; nil if it
// is not.
func (m *Mesh) timed(view *sight) *fanout.Request {
	if view.side == Neither {
		return nil
	}
	last := &m.of(view.trial).sides[view.side].timed
	was, begin := last.Load(), time.Now()
	now := begin.UnixNano()
	// One that is ahead was there before the clock was set back.
	if since := now - was; since >= 0 && since < int64(timedEvery) || !last.CompareAndSwap(was, now) {
		return nil
	}
	s := *view
	q, err := m.requests.Ask(1, timedAnswer, func([]fanout.Result, bool) { m.delivered(&s, time.Since(begin)) })
	if err != nil {
		return nil // as many are under way as may be
	}
	return q
}

// Trial returns what this node has seen of the canary that is on, for cluster.Weight; nil if none is. Counts begin
// anew with each trial, and only grow.
func (m *Mesh) Trial() *cluster.Counts {
	id := m.o.Rings.Load().Pointer.Trial
	if id == 0 {
		return nil
	}
	t, now := m.of(id), time.Now()
	side := func(s *seenSide) cluster.Side {
		// Attempts last: a part of them must not be above the whole.
		f, n := s.failures.Load(), s.misses.Load()
		return cluster.Side{Attempts: s.attempts.Load(), Failures: f, Misses: n, P99: s.delays.p99(now), P50: s.delays.p50(now)}
	}
	return &cluster.Counts{Trial: id, Share: side(&t.sides[Share]), Rest: side(&t.sides[Rest])}
}
