package coord

import (
	"time"

	"roost/loadgen/link"
	"roost/loadgen/merge"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

// series makes points of ticks. Workers tick at multiples of the interval, so a
// point is complete when all have passed its end.
type series struct {
	interval int64
	open     map[int64]*tally.Tally // by the end of the interval
	last     int64                  // the end of the last point
	points   []result.Point
	cpu      time.Duration // of all workers at the last point
}

// maxPoints bounds the series: a week of seconds. Beyond it there are no more.
const maxPoints = 7 * 24 * 3600

// tick takes what a worker has counted. onTime says that it is of an interval's
// end, and not of a phase's.
func (r *run) tick(m *member, t *link.Tick, onTime bool) {
	m.noteSelf(t.Self, t.At)
	r.noteUnread(m, t.Self)
	if t.Phase < 0 || t.Phase >= len(r.phases) || r.phases[t.Phase].at == 0 {
		return // before the first phase nothing is counted
	}
	if len(t.Tally.Groups) > len(r.s.Groups) {
		r.lose(m, "it counts groups that there are not")
		return
	}
	p := r.phases[t.Phase]
	for _, round := range t.Tally.Rounds {
		p.rounds.Add(round)
	}
	t.Tally.Rounds = nil
	if !p.spec.Warmup {
		m.noteLags(t)
	}
	p.tally.Add(t.Tally)
	p.dials.add(r.series.end(t.At), dials(t.Tally))
	r.series.add(t)
	if onTime {
		m.slot = t.At
	}
	r.points()
}

// end is the end of the interval that an instant is in.
func (s *series) end(at int64) int64 {
	return max((at+s.interval-1)/s.interval*s.interval, s.last+s.interval)
}

// add takes a tick into the interval that it ends in.
func (s *series) add(t *link.Tick) {
	end := s.end(t.At)
	sum := s.open[end]
	if sum == nil {
		sum = &tally.Tally{}
		s.open[end] = sum
	}
	sum.Add(slim(t.Tally))
}

// slim is what a point is made of.
func slim(t *tally.Tally) *tally.Tally {
	s := &tally.Tally{Groups: make([]tally.Group, len(t.Groups)), Errors: t.Errors}
	for i := range t.Groups {
		s.Groups[i].Counts = t.Groups[i].Counts
		s.Groups[i].Hists[tally.Delivery] = t.Groups[i].Hists[tally.Delivery]
	}
	s.Hists[tally.SendLag] = t.Hists[tally.SendLag]
	return s
}

// points makes the points that are complete.
func (r *run) points() {
	passed := int64(0)
	for _, m := range r.members {
		if m.alive() && (passed == 0 || m.slot < passed) {
			passed = m.slot
		}
	}
	if r.started == 0 || passed <= r.series.last || passed <= r.started {
		return
	}
	r.point(passed)
}

// point makes a point of everything up to the instant at.
func (r *run) point(at int64) {
	s := &r.series
	sum := &tally.Tally{Groups: make([]tally.Group, len(r.s.Groups))}
	for end, t := range s.open {
		if end <= at {
			sum.Add(t)
			delete(s.open, end)
		}
	}
	from := max(s.last, r.started)
	length := time.Duration(at - from)
	s.last = at
	if len(s.points) >= maxPoints || length <= 0 {
		return
	}
	pt := merge.Point(sum, length, r.reads)
	pt.At, pt.Phase, pt.Connected = time.Duration(at-r.started), r.phaseAt(at-int64(length)/2), r.levels().Connected
	cpu := time.Duration(0)
	for _, m := range r.members {
		cpu += m.self.CPU
	}
	if s.cpu > 0 {
		pt.WorkerCPU = max((cpu-s.cpu).Seconds()/length.Seconds(), 0)
	}
	s.cpu = cpu
	if r.o.Probe != nil {
		pt.ServerCPU, pt.ServerRSS = r.o.Probe.Glance()
	}
	s.points = append(s.points, pt)
}

// lastPoint makes a point of what is left.
func (r *run) lastPoint() {
	if len(r.series.open) == 0 || r.started == 0 {
		return
	}
	last := r.series.last
	for _, m := range r.members {
		last = max(last, m.selfAt, m.slot)
	}
	for end := range r.series.open { // of intervals that are not over
		if end > last {
			r.series.open[last] = mergeTallies(r.series.open[last], r.series.open[end])
			delete(r.series.open, end)
		}
	}
	r.point(last)
}

func mergeTallies(a, b *tally.Tally) *tally.Tally {
	if a == nil {
		return b
	}
	a.Add(b)
	return a
}

// peak is the most of anything that was counted in one interval. Counts of one
// interval come one after the other, and mixed with those of the next.
type peak struct {
	open map[int64]uint64 // by the end of the interval
	most uint64
}

// openPeaks is how many intervals may still get something: workers are lost
// when they are so far behind.
const openPeaks = 16

func (p *peak) add(end int64, n uint64) {
	if p.open == nil {
		p.open = map[int64]uint64{}
	}
	p.open[end] += n
	p.most = max(p.most, p.open[end])
	for k := range p.open {
		if len(p.open) > openPeaks && k < end {
			delete(p.open, k)
		}
	}
}

func dials(t *tally.Tally) (n uint64) {
	for i := range t.Groups {
		n += t.Groups[i].Counts.Dials
	}
	return n
}

// phaseAt returns the phase that was under way at an instant.
func (r *run) phaseAt(at int64) int {
	i := 0
	for k, p := range r.phases {
		if p.at != 0 && p.at <= at {
			i = k
		}
	}
	return i
}

// reads reports whether a group reads at once and answers.
func (r *run) reads(g int) bool { return g < len(r.s.Groups) && Reads(r.s.Groups[g]) }

// Reads reports whether a group reads at once and answers pings, so that what
// it misses is not its own doing.
func Reads(g scenario.Group) bool { return g.Read.Mode == scenario.ReadDrain && g.AnswerPing }
