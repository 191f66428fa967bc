package coord

import (
	"fmt"
	"time"

	"roost/loadgen/link"
	"roost/loadgen/result"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
	"roost/loadgen/validity"
	"roost/loadgen/workerpool"
)

// member is a worker as the run knows it.
//
//	joined -> ready -> (begun -> finished -> settled) per phase
//	any    -> lost
type member struct {
	*workerpool.Member
	clients int
	ready   bool
	lost    string // why; empty while it is there

	heard    int64 // when its last tick came, on the run's clock
	progress swarm.Progress
	fresh    bool // progress is younger than what was last told

	finished bool // of the phase under way
	settled  bool
	refused  []swarm.Refusal

	slot int64 // of its last tick, see series

	// What it says of its own use.
	self   link.Self // the last
	selfAt int64
	base   link.Self // at the last phase's end
	baseAt int64
	memory memory
	// Since the last phase's end: the worst of any tick.
	psi float64
	// Over the phases that count.
	sendLag, dialLag, hiccup, rxLag, gc, sched *tally.Hist
}

func (m *member) alive() bool { return m.lost == "" }

// noteSelf takes what the worker says of itself.
func (m *member) noteSelf(s *link.Self, at int64) {
	if s == nil {
		return
	}
	if m.selfAt == 0 {
		m.base, m.baseAt, m.psi = *s, at, validity.Unread
	}
	if s.RecvQ < 0 {
		s.RecvQ = m.self.RecvQ
	}
	m.self, m.selfAt = *s, at
	m.psi = max(m.psi, s.PSI)
	m.memory.note(m.progress.Connected, s.RSS)
}

// maxUnread bounds the notes about what could not be read.
const maxUnread = 20

// noteUnread notes what a worker cannot find out about itself and its machine,
// once for each machine.
func (r *run) noteUnread(m *member, s *link.Self) {
	if s == nil {
		return
	}
	for _, text := range s.Unread {
		key := m.Hello.Host + " " + text
		if r.unread[key] || len(r.unread) >= maxUnread {
			continue
		}
		if r.unread == nil {
			r.unread = map[string]bool{}
		}
		r.unread[key] = true
		r.note("workers on %s could not read %s", m.Hello.Host, text)
	}
}

// noteLags takes what a worker has counted of its own delays, in a phase that
// counts.
func (m *member) noteLags(t *link.Tick) {
	h := &t.Tally.Hists
	m.sendLag, m.dialLag = m.sendLag.Add(h[tally.SendLag]), m.dialLag.Add(h[tally.DialLag])
	m.hiccup, m.rxLag = m.hiccup.Add(h[tally.Hiccup]), m.rxLag.Add(h[tally.RxLag])
	if t.Self != nil {
		m.gc, m.sched = m.gc.Add(t.Self.GCPause), m.sched.Add(t.Self.Sched)
	}
}

// selfUse is what one worker used in a phase: sums over length, unless they
// could not be read (validity.Unread), and levels at its end.
type selfUse struct {
	worker int
	length time.Duration
	self   link.Self
	psi    float64 // the worst of any tick
}

// use returns what the worker used since the last phase's end.
func (m *member) use() selfUse {
	u := selfUse{worker: m.Index, length: time.Duration(m.selfAt - m.baseAt), self: m.self, psi: m.psi}
	for _, v := range []struct{ sum, base *time.Duration }{
		{&u.self.CPU, &m.base.CPU}, {&u.self.Threads, &m.base.Threads}, {&u.self.RunDelay, &m.base.RunDelay},
		{&u.self.Steal, &m.base.Steal}, {&u.self.Busy, &m.base.Busy},
	} {
		if *v.sum < 0 || *v.base < 0 { // once unread, the sum since is not known
			*v.sum = validity.Unread
		} else {
			*v.sum -= *v.base
		}
	}
	if u.self.Throttled < 0 || m.base.Throttled < 0 {
		u.self.Throttled = validity.Unread
	} else {
		u.self.Throttled -= m.base.Throttled
	}
	if m.self.Net != nil {
		u.self.Net = link.Net{}
		for name, n := range m.self.Net {
			u.self.Net[name] = n - m.base.Net[name]
		}
	}
	return u
}

// nextUse begins a new one.
func (m *member) nextUse() {
	m.base, m.baseAt = m.self, m.selfAt
	m.psi = validity.Unread
}

// result is the worker's line in the file.
func (m *member) result() result.Worker {
	return result.Worker{Index: m.Index, Host: m.Hello.Host, PID: m.Hello.PID, Clients: m.clients, Lost: m.lost,
		CPU: m.self.CPU.Seconds(), PeakRSS: m.self.PeakRSS, UserPerConn: m.memory.perConnection()}
}

// name is the worker for people.
func (m *member) name() string {
	return fmt.Sprintf("worker %d (%s on %s)", m.Index, m.Where, m.Hello.Host)
}

// shift returns what the worker has to add to its clock, and how wrong that may
// be: nothing where both read the same one.
func (r *run) shift(m *member) (shift int64, bound time.Duration) {
	if r.same(m) {
		return 0, 0
	}
	shift, bound, _ = m.Offset.Shift(r.clock.Now())
	return shift, bound
}
