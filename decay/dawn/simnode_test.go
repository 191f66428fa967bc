package dawn

import (
	"fmt"
	"strings"
	"time"
)

// simNode is a node: what the caller of Machine does, and what can happen to it.
type simNode struct {
	sim      *sim
	id       string
	life     uint64
	calendar *Calendar
	skew     time.Duration
	down     bool
	paused   time.Time // nothing happens in the node before
	machines map[Date]*Machine
}

// right is the node whose clock is right, and that knows it.
func (s *sim) right() *simNode {
	if len(s.nodes) == 0 {
		return nil
	}
	return s.nodes[0]
}

func (n *simNode) now() time.Time { return n.sim.now.Add(n.skew) }

// boot starts the node with nothing but the calendar.
func (n *simNode) boot() {
	n.life++
	n.calendar = n.sim.calendar
	n.down, n.machines = false, map[Date]*Machine{}
	n.sim.note("%s starts its life %d", n.id, n.life)
	n.look()
}

func (n *simNode) crash() {
	s := n.sim
	s.n.crashes++
	s.note("%s dies", n.id)
	n.down = true
	s.after(time.Duration(s.rng.Int64N(int64(time.Hour))), func() {
		if n.down {
			n.boot()
		}
	})
}

// run does something in this life of the node, after its pause if it is in one.
func (n *simNode) run(life uint64, do func()) {
	s := n.sim
	if n.down || n.life != life {
		return
	}
	if s.now.Before(n.paused) {
		s.after(n.paused.Sub(s.now), func() { n.run(life, do) })
		return
	}
	do()
}

// reload takes the calendar of now.
func (n *simNode) reload() {
	n.calendar = n.sim.calendar
	for d := n.sim.dateOf(-72 * time.Hour); d <= n.sim.dateOf(72*time.Hour); d++ { // in order, for the seed
		if m := n.machines[d]; m != nil {
			night, _ := n.calendar.Night(d)
			n.handle(m, Reloaded{n.now(), night})
		}
	}
	n.look()
}

func (s *sim) dateOf(d time.Duration) Date { return DateOf(s.now.Add(d), s.calendar.Zone) }

// look takes up the nights that are due, and sets the cron for the next one.
func (n *simNode) look() {
	s := n.sim
	fired := Fired{Now: n.now()}
	if s.skewed || n == s.right() {
		fired.Skew, fired.Known = n.skew, true
	}
	for _, night := range n.calendar.Due(n.now()) {
		if m := n.machines[night.Date]; m != nil {
			n.handle(m, fired)
			continue
		}
		m, err := NewMachine(Config{Node: n.id, Life: n.life, Environment: "production", Rules: DefaultRules, Limits: DefaultLimits}, night)
		if err != nil {
			s.fatal("%v", err)
		}
		n.machines[night.Date] = m
		n.handle(m, fired)
	}
	if next, ok := n.calendar.Next(n.now()); ok {
		life, skew, calendar := n.life, n.skew, n.calendar
		s.after(next.Fire().Sub(n.now()), func() {
			n.run(life, func() {
				if n.skew == skew && n.calendar == calendar { // else the timer was set anew
					n.look()
				}
			})
		})
	}
}

// handle gives a machine an event and does what it says.
func (n *simNode) handle(m *Machine, ev Event) {
	s := n.sim
	life := n.life
	action := m.Handle(ev)
	s.note("%s %v: %T -> %T", n.id, m, ev, action)
	switch a := action.(type) {
	case None:
	case Stop:
		s.n.refused += b2i(a.Refused)
		if r := s.store.records[m.night.Date]; !a.Refused && !r.rec.Done() {
			s.fatal("%s stops before night %v is done", n.id, m.night.Date)
		}
	case Wait:
		d := min(max(a.Until.Sub(n.now()), time.Millisecond), 10*time.Minute)
		state := m.seq
		s.after(d, func() {
			n.run(life, func() {
				if m.state == Asleep && m.seq == state { // a timer that was not set anew
					n.handle(m, Tick{n.now()})
				}
			})
		})
	default:
		n.request(m, a)
	}
}

// request sends a request: it may be lost, late, or doubled, and so may its
// answer; after 5 s there is none.
func (n *simNode) request(m *Machine, a Action) {
	s := n.sim
	life, seq := n.life, m.seq
	arrive := func() {
		ev := s.store.apply(m, a, seq)
		back := s.delay()
		if s.rng.Float64() < s.faulty/3 && s.now.Before(s.end) {
			s.n.lost++
			return
		}
		answer := func() { n.run(life, func() { n.handle(m, stamp(ev, n.now())) }) }
		s.after(back, answer)
		if s.rng.Float64() < s.faulty/3 {
			s.after(back+s.delay(), answer)
		}
	}
	s.after(5*time.Second, func() {
		n.run(life, func() { n.handle(m, Failed{n.now(), seq, fmt.Errorf("deadline")}) })
	})
	x := s.rng.Float64()
	if s.now.After(s.end) {
		x = 1
	}
	switch {
	case x < s.faulty/3:
		s.n.lost++
	case x < s.faulty*2/3:
		s.n.late++
		s.after(time.Duration(s.rng.Int64N(int64(20*time.Minute))), arrive)
	case x < s.faulty:
		s.n.doubled++
		s.after(s.delay(), arrive)
		s.after(s.delay(), arrive)
	default:
		s.after(s.delay(), arrive)
	}
}

func (s *sim) delay() time.Duration {
	return time.Millisecond + time.Duration(s.rng.ExpFloat64()*float64(20*time.Millisecond))
}

// simStore is the store: the lock on its lease, and the records.
type simStore struct {
	sim     *sim
	top     int64
	fence   int64
	value   string
	put     time.Time
	records map[Date]simRecord
}

type simRecord struct {
	rev int64
	rec Record
}

func (st *simStore) apply(m *Machine, a Action, seq uint64) Event {
	s := st.sim
	if st.fence != 0 && s.now.Sub(st.put) >= LockTTL {
		st.fence, st.value = 0, ""
	}
	date := m.night.Date
	switch a := a.(type) {
	case Read:
		return st.read(date, seq)
	case Lock:
		if a.Replace != st.fence {
			return LockResult{Seq: seq, Fence: st.fence, Value: st.value, Age: s.now.Sub(st.put)}
		}
		s.n.taken += b2i(a.Replace != 0)
		st.top++
		st.fence, st.value, st.put = st.top, a.Value, s.now
		return LockResult{Seq: seq, Taken: true, Fence: st.top}
	case Assess:
		return Assessed{Seq: seq, Loads: loadsOf(len(s.nodes), !s.calm && s.rng.IntN(3) == 0)}
	case Release:
		if st.fence == a.Fence {
			st.fence, st.value = 0, ""
		}
		return Released{Seq: seq}
	case Commit:
		return st.commit(date, a, seq)
	}
	s.fatal("the store cannot do %T", a)
	return nil
}

// read returns the record as it comes out of the store.
func (st *simStore) read(date Date, seq uint64) Event {
	r := st.records[date]
	return RecordRead{Seq: seq, Rev: r.rev, Record: r.rec}
}

// kept is a record as it comes out of the store.
func (st *simStore) kept(r Record) Record {
	b, err := r.Encode()
	if err == nil {
		r, err = DecodeRecord(b)
	}
	if err != nil {
		st.sim.fatal("%v", err)
	}
	return r
}

func (st *simStore) commit(date Date, a Commit, seq uint64) Event {
	s := st.sim
	old := st.records[date]
	switch {
	case a.IfFence != st.fence:
		return CommitResult{Seq: seq, Refusal: LockMoved}
	case a.IfRevision != old.rev:
		return CommitResult{Seq: seq, Refusal: RecordMoved}
	}
	if a.Record.Step != old.rec.Step+1 || a.Key != DoneKey(date) {
		s.fatal("step %d after %d of %s", a.Record.Step, old.rec.Step, a.Key)
	}
	a.Record = st.kept(a.Record)
	if err := checkStep(&old.rec, &a.Record); err != nil {
		s.fatal("%v", err)
	}
	for i := range a.Record.Entries {
		e := &a.Record.Entries[i]
		fresh := i >= len(old.rec.Entries)
		s.n.added += b2i(fresh && i > 0 && old.rev > 0)
		if e.Stage == Skipped && (fresh || old.rec.Entries[i].Stage != Skipped) && strings.HasPrefix(e.Reason, "too late") && s.now.Add(DefaultRules.MaxSkew).Before(e.Last()) {
			s.fatal("at %v %s skips an opening as too late: %+v", s.now, a.Record.Holder, e)
		}
	}
	s.n.steps++
	s.note("step %d of %v by %s", a.Record.Step, date, a.Record.Holder)
	st.top++
	st.records[date] = simRecord{st.top, a.Record}
	return CommitResult{Seq: seq, Rev: st.top}
}

// loadsOf is a cluster with or without room.
func loadsOf(nodes int, scarce bool) []Load {
	var all []Load
	for i := range nodes + 6 {
		l := Load{Node: Node{ID: fmt.Sprint("n", i)}, Used: 10, Capacity: 100}
		if scarce {
			l.Used = 90
		}
		all = append(all, l)
	}
	return all
}
