package dawn

import (
	"fmt"
	"time"
)

// Handle takes an event and returns what to do next. It never blocks and keeps
// nothing of the event that may change.
func (m *Machine) Handle(ev Event) Action {
	switch e := ev.(type) {
	case Fired:
		return m.fired(e)
	case Tick:
		if m.state == Asleep {
			return m.tick(plain(e.Now))
		}
	case LeaseLost:
		if m.state == Releasing {
			return m.released()
		}
		if m.fence != 0 {
			m.fence = 0
			return m.check()
		}
	case RecordRead:
		if e.Seq == m.seq && (m.state == Checking || m.state == Rechecking) {
			return m.read(e)
		}
	case LockResult:
		if e.Seq == m.seq && m.state == Locking {
			return m.locked(e)
		}
	case Assessed:
		if e.Seq == m.seq && m.state == Assessing {
			return m.decide(plain(e.Now), e.Loads)
		}
	case CommitResult:
		if e.Seq == m.seq && m.state == Committing {
			return m.committed(e)
		}
	case Released:
		if e.Seq == m.seq && m.state == Releasing {
			return m.released()
		}
	case Reloaded:
		if e.Night.Date == m.night.Date && e.Night.Environment == m.night.Environment {
			m.night, m.full = e.Night, false
			return m.look()
		}
	case Abort:
		if m.state != Refused {
			m.abort = &e
			return m.look()
		}
	case Failed:
		if e.Seq == m.seq {
			return m.failed(plain(e.Now))
		}
	}
	return None{}
}

// plain takes the monotonic reading and the zone out of a clock reading.
func plain(t time.Time) time.Time { return t.Round(0).UTC() }

// fired is the first of the checks that need no store.
func (m *Machine) fired(e Fired) Action {
	skewed := e.Skew > m.config.Rules.MaxSkew || e.Skew < -m.config.Rules.MaxSkew
	knew := m.known
	m.known = e.Known && !skewed
	switch {
	case m.state == Idle || m.state == Refused && m.skewed && !skewed:
	case m.state == Asleep && skewed:
	case m.state == Asleep && m.known && !knew:
		return m.check() // what is too late can be skipped now
	default:
		return None{}
	}
	m.ending, m.skewed = false, false
	if m.night.Environment != m.config.Environment {
		return m.refuse(fmt.Sprintf("the calendar is for environment %q, this cluster is %q", m.night.Environment, m.config.Environment))
	}
	if skewed {
		m.skewed = true
		return m.refuse(fmt.Sprintf("the clock of this node is %v off the cluster's, more than %v", e.Skew, m.config.Rules.MaxSkew))
	}
	if m.abort != nil {
		return m.check()
	}
	m.until = m.night.Fire().Add(m.stagger)
	m.state = Asleep
	return m.tick(plain(e.Now))
}

// tick goes on if it is time.
func (m *Machine) tick(now time.Time) Action {
	if now.Before(m.until) {
		return Wait{m.until}
	}
	return m.check()
}

// look makes the machine read the record: now, or when it has given the lock
// back. In the other states it looks at all that is due anyway.
func (m *Machine) look() Action {
	switch m.state {
	case Asleep, Finished:
		m.ending = false
		return m.check()
	case Releasing:
		m.again = true
	}
	return None{}
}

// check is the first look at the record, without the lock: it spares the lock
// when there is nothing to do.
func (m *Machine) check() Action {
	m.state = Checking
	return m.askRecord()
}

// recheck is the second look, under the lock.
func (m *Machine) recheck() Action {
	m.state = Rechecking
	return m.askRecord()
}

func (m *Machine) askRecord() Action {
	m.seq++
	return Read{m.seq, DoneKey(m.night.Date)}
}

func (m *Machine) read(e RecordRead) Action {
	now := plain(e.Now)
	if e.Err != nil {
		return m.leave(Stop{true, e.Err.Error()})
	}
	m.record, m.rev = e.Record, e.Rev
	if m.rev == 0 {
		m.record = Record{}
	} else if m.record.Date != m.night.Date || m.record.Environment != m.config.Environment {
		return m.leave(Stop{true, fmt.Sprintf("the record is of night %v in environment %q, this is %v in %q",
			m.record.Date, m.record.Environment, m.night.Date, m.config.Environment)})
	}
	if m.state == Checking {
		if ready, act := m.ready(now); !ready {
			return act
		}
		return m.lock(now, 0)
	}
	return m.proceed(now)
}

// ready reports whether a step is due at now. If not, the action leaves: to sleep
// until one is, or for good.
func (m *Machine) ready(now time.Time) (bool, Action) {
	s, _, at := m.due(now)
	if s == noStep {
		reason := "the night is done"
		switch {
		case m.full:
			reason += ", but for openings for which its record has no room"
		case m.rev == 0 && len(m.night.Openings) == 0:
			reason = "no window opens in this night"
		case !m.known && !m.blocked(now).IsZero():
			reason += ", but for openings that are too late by a clock that may be wrong"
		}
		return false, m.leave(Stop{false, reason})
	}
	if now.Before(at) {
		// Who made the last step is there already; the others come behind it, so
		// that they find the step made.
		wait := time.Duration(0)
		if m.record.Holder != m.config.Node {
			wait = m.stagger
			if m.rev != 0 {
				wait += m.config.Rules.Spread / 4
			}
		}
		return false, m.sleep(at.Add(wait))
	}
	return true, nil
}

func (m *Machine) lock(now time.Time, replace int64) Action {
	m.state, m.held = Locking, now
	m.seq++
	return Lock{m.seq, LockKey, LockValue(m.night.Date, m.config.Node, m.config.Life), LockTTL, replace}
}

// locked goes on with the lock, or decides whether its holder is dead.
func (m *Machine) locked(e LockResult) Action {
	now := plain(e.Now)
	if e.Fence <= 0 { // the one that we would have replaced is gone, or a lock without a revision, which fences nothing
		return m.sleep(now.Add(m.config.Rules.Backoff))
	}
	if e.Taken {
		m.fence = e.Fence
		return m.recheck()
	}
	date, node, life, ok := ParseLockValue(e.Value)
	if ok && node == m.config.Node && (life < m.config.Life || life == m.config.Life && date == m.night.Date) {
		// A former life of this node, or an answer that we never got. A request of
		// it that is still under way is fenced off by the new lock.
		return m.lock(now, e.Fence)
	}
	if e.Age >= Alive {
		return m.lock(now, e.Fence)
	}
	return m.sleep(now.Add(min(Alive-max(e.Age, 0), m.config.Rules.Poll)))
}

// proceed makes the next step under the lock, or gives the lock back.
func (m *Machine) proceed(now time.Time) Action {
	if ready, act := m.ready(now); !ready {
		return act
	}
	// A clock that went back says nothing about how long the lock is held.
	if d := now.Sub(m.held); d > m.config.Rules.Hold || d < 0 {
		return m.sleep(now.Add(m.config.Rules.Backoff))
	}
	s, i, _ := m.due(now)
	switch s {
	case aborts:
		r, _ := m.record.abort(&m.night, m.abort, now)
		return m.commit(r)
	case adds:
		r, added := m.record.admit(&m.night, now, m.known)
		if added > 0 {
			return m.commit(r)
		}
		m.full = true
		return m.proceed(now)
	}
	e := &m.record.Entries[i]
	m.entry = i
	if e.Stage != Planned {
		return m.commit(m.record.advance(i))
	}
	if now.After(e.Last()) {
		return m.decide(now, nil)
	}
	m.state = Assessing
	m.seq++
	return Assess{m.seq, e.Opening}
}

// decide commits what becomes of the fall that is due.
func (m *Machine) decide(now time.Time, loads []Load) Action {
	i := m.entry
	e := &m.record.Entries[i]
	if at := e.due(); now.Before(at) {
		now = at // the clock was set back meanwhile
	}
	d := Headroom(&e.Opening, m.record.begun(i), e.Postponed, loads, now, m.config.Limits)
	if d.Late && !m.known { // so it says, by a clock that may be ahead
		return m.sleep(now.Add(m.config.Limits.Retry))
	}
	return m.commit(m.record.decide(i, now, &d))
}

func (m *Machine) commit(r Record) Action {
	r.Step = m.record.Step + 1
	r.Holder, r.Life, r.Fence = m.config.Node, m.config.Life, m.fence
	m.state, m.next = Committing, r
	m.seq++
	return Commit{m.seq, DoneKey(m.night.Date), r, m.rev, m.fence, m.config.Environment}
}

func (m *Machine) committed(e CommitResult) Action {
	now := plain(e.Now)
	next := m.next
	m.next = Record{}
	switch e.Refusal {
	case Accepted:
		m.record, m.rev = next, e.Rev
		return m.proceed(now)
	case RecordMoved:
		// Nobody else can write under our fence: an earlier commit of ours has
		// arrived after all.
		return m.recheck()
	case WrongEnvironment:
		return m.leave(Stop{true, fmt.Sprintf("the cluster is not environment %q", m.config.Environment)})
	}
	m.fence = 0
	return m.sleep(now.Add(m.config.Rules.Backoff))
}

func (m *Machine) failed(now time.Time) Action {
	switch m.state {
	case Assessing:
		return m.decide(now, nil) // not known: that postpones
	case Committing:
		m.next = Record{}
		return m.recheck() // only the record knows
	case Releasing:
		return m.released() // the lock will be too old, or is taken over
	case Checking, Locking, Rechecking:
		return m.sleep(now.Add(m.config.Rules.Backoff))
	}
	return None{}
}

// sleep gives the lock back, if there is one, and waits.
func (m *Machine) sleep(until time.Time) Action {
	m.until = until
	if m.fence != 0 {
		return m.release()
	}
	m.state = Asleep
	return Wait{until}
}

// leave gives the lock back, if there is one, and ends.
func (m *Machine) leave(s Stop) Action {
	m.stop, m.ending = s, true
	if m.fence != 0 {
		return m.release()
	}
	m.state = Finished
	if s.Refused {
		m.state = Refused
	}
	return s
}

func (m *Machine) refuse(reason string) Action { return m.leave(Stop{true, reason}) }

func (m *Machine) release() Action {
	m.state = Releasing
	m.seq++
	return Release{m.seq, LockKey, m.fence}
}

func (m *Machine) released() Action {
	m.fence = 0
	if m.again && !(m.ending && m.stop.Refused) {
		m.again, m.ending = false, false
		return m.check()
	}
	m.again = false
	if m.ending {
		return m.leave(m.stop)
	}
	return m.sleep(m.until)
}
