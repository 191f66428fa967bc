package loadgen

import (
	"bytes"
	"time"

	"roost/loadgen/plan"
	"roost/poller"
	device "roost/server/client"
	"roost/server/wire"
	"roost/server/ws"
)

// keeper is the kept role of one loop: its devices take kept messages, check
// them against what was published, acknowledge together what comes within 190
// ms, and come back when they lose their connection.
type keeper struct {
	c *client
	k *keptLoad

	devices poller.Slab[keptDevice]
	first   uint32 // number from which on latency is recorded
	fromDue *recorder
	ackFrom *recorder // all: from due to the acknowledgement of each
	arrived []plan.Round
	acked   []plan.Round // all: acknowledgements of each broadcast

	owing  []debt // in order of due
	absent []uint32

	duplicate, disorder, wrong uint64
}

// keptDevice is what kept mode knows of a device beside its session.
type keptDevice struct {
	window plan.Window // all: broadcasts that have come
	next   uint32      // the next number may not be below
	acked  uint32      // all: broadcasts below are acknowledged
	listed bool        // in absent
}

// debt is an acknowledgement that waits for others.
type debt struct {
	due  int64
	conn poller.Handle
}

// keptPace is how often a loop looks what is due. Acknowledgements wait for
// ackWait, so that they are never later than the protocol's 200 ms.
const (
	keptPace = 5 * time.Millisecond
	ackWait  = 200*time.Millisecond - 2*keptPace
)

func newKeeper(c *client, k *keptLoad) *keeper {
	r := &keeper{c: c, k: k, first: maxNumbers, fromDue: newRecorder(), ackFrom: newRecorder()}
	c.keeper = r
	return r
}

func (r *keeper) ready(poller.Conn, *connState)                   {}
func (r *keeper) message(poller.Conn, *connState, *ws.Event) bool { return false }

// deliver checks a message that is new to its device.
func (r *keeper) deliver(st *connState, m *wire.Message) bool {
	now := r.c.now()
	n, ok := r.k.number(m)
	e := r.k.ledger.at(n)
	if !ok || e == nil || m.Seq == 0 || !r.k.all && r.k.addressee(n) != st.id {
		r.wrong++
		return true
	}
	d := r.devices.At(r.c.local(st.id))
	if again := r.k.all && d.window.Mark(n) != plan.Fresh || !r.k.all && e.state.Load()&stateArrived != 0; again {
		r.duplicate++
		return true
	}
	e.state.Or(stateArrived)
	if n < d.next {
		r.disorder++
	}
	d.next = max(d.next, n+1)
	if n >= r.first {
		r.fromDue.record(now - e.due.Load())
	}
	if r.k.all {
		count(&r.arrived, n, now)
	}
	r.c.n.delivered.Add(1)
	return true
}

// count counts one of round n.
func count(rounds *[]plan.Round, n uint32, now int64) {
	for int(n) >= len(*rounds) {
		*rounds = append(*rounds, plan.Round{})
	}
	(*rounds)[n].Deliver(now)
}

// number reads which message of the run m is; ok is false if it is none, or has
// been changed on the way.
func (k *keptLoad) number(m *wire.Message) (n uint32, ok bool) {
	p := m.Payload
	if len(p) != len(k.payload) || p[0] != '"' {
		return 0, false
	}
	n, ok = parseHex(p[1:])
	id, okID := uint32(0), len(m.ID) == 2*roundSize && bytes.Equal(m.ID[:roundSize], k.id[:roundSize])
	if okID {
		id, okID = parseHex(m.ID[roundSize:])
	}
	return n, ok && okID && id == n && bytes.Equal(p[1+roundSize:], k.payload[1+roundSize:])
}

// later puts an acknowledgement off.
func (r *keeper) later(pc poller.Conn, now time.Duration) {
	r.owing = append(r.owing, debt{int64(now + ackWait), pc.Handle()})
}

// said takes note that a device has acknowledged all that it has.
func (r *keeper) said(st *connState) {
	if !r.k.all {
		return
	}
	d := r.devices.At(r.c.local(st.id))
	for now := r.c.now(); d.acked < d.next; d.acked++ {
		count(&r.acked, d.acked, now)
		if e := r.k.ledger.at(d.acked); d.acked >= r.first {
			r.ackFrom.record(now - e.due.Load())
		}
	}
}

// comeBack has a device dial when its session wants to.
func (r *keeper) comeBack(local uint32) {
	if d := r.devices.At(local); !d.listed {
		d.listed = true
		r.absent = append(r.absent, local)
	}
}

// turn acknowledges and dials what is due.
func (r *keeper) turn() {
	now := r.c.since()
	done := 0
	for _, o := range r.owing {
		if o.due > int64(now) {
			break
		}
		done++
		pc := r.c.l.Conn(o.conn)
		if st := r.c.conns.At(o.conn.Slot()); pc.Alive() && st.owes {
			r.c.speak(pc, st, now)
		}
	}
	if r.owing = r.owing[done:]; len(r.owing) == 0 {
		r.owing = nil // so that the next append begins anew, and not behind what is done
	}
	r.dial(now)
	r.c.s.poke()
}

// dial takes those back whose session says so. They stay in the list until they
// are through.
func (r *keeper) dial(now time.Duration) {
	left := r.absent[:0]
	for _, local := range r.absent {
		s := r.c.sessions.At(local)
		if s.Current() != 0 {
			r.devices.At(local).listed = false
			continue
		}
		left = append(left, local)
		if s.NextDeadline() > now {
			continue
		}
		if _, next := s.OnTime(now, nil); next.Do == device.Reconnect {
			r.c.redial(local)
		}
	}
	r.absent = left
}

// redial dials for a device that was there before.
func (c *client) redial(local uint32) {
	// One that cannot be dialed is tried again: its session knows.
	_ = c.begin(local*uint32(len(c.s.clients))+uint32(c.l.Index()), true)
}
