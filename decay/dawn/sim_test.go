package dawn

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSimulation plays weeks of nights in virtual seconds: up to nine nodes with
// clocks that are wrong and are set, nodes that die and pause, a store that is
// slow, loses, doubles and delays. It checks every step that takes effect, and
// that every night is done.
//
//	ROOST_SIM_SEEDS=n  seeds
//	ROOST_SIM_SEED=n   this one only; if it fails, all its events are printed
func TestSimulation(t *testing.T) {
	first, seeds := uint64(1), uint64(60)
	if testing.Short() || raceEnabled {
		seeds = 6
	}
	if n, err := strconv.ParseUint(os.Getenv("ROOST_SIM_SEEDS"), 10, 64); err == nil {
		seeds = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ROOST_SIM_SEED"), 10, 64); err == nil {
		first, seeds = n, 1
	}
	var sum simCounts
	for seed := first; seed < first+seeds; seed++ {
		s := newSim(t, seed)
		s.play()
		sum.add(&s.n)
	}
	t.Logf("%d seeds: %v", seeds, &sum)
	if seeds >= 60 && sum.without() != "" {
		t.Errorf("no seed had %s: the simulation does not try it", sum.without())
	}
}

// simCounts is what has happened.
type simCounts struct {
	nights, steps, skipped, postponed, crashes, lost, late, doubled, pauses, taken, refused, edits, added, aborted int
}

func (n *simCounts) each() ([]string, []*int) {
	return []string{"nights", "steps", "skipped", "postponed", "crashes", "lost", "late", "doubled", "pauses", "taken over", "refused", "edits of the calendar", "added later", "aborted"},
		[]*int{&n.nights, &n.steps, &n.skipped, &n.postponed, &n.crashes, &n.lost, &n.late, &n.doubled, &n.pauses, &n.taken, &n.refused, &n.edits, &n.added, &n.aborted}
}

func (n *simCounts) add(o *simCounts) {
	_, a := n.each()
	_, b := o.each()
	for i := range a {
		*a[i] += *b[i]
	}
}

func (n *simCounts) without() string {
	names, v := n.each()
	for i := range v {
		if *v[i] == 0 {
			return names[i]
		}
	}
	return ""
}

func (n *simCounts) String() string {
	var b strings.Builder
	names, v := n.each()
	for i := range v {
		fmt.Fprintf(&b, "%s%d %s", []string{", ", ""}[b2i(i == 0)], *v[i], names[i])
	}
	return b.String()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// simEvent is something that happens at a time; order breaks ties.
type simEvent struct {
	at    time.Time
	order int
	do    func()
}

type simQueue []simEvent

func (q simQueue) Len() int { return len(q) }
func (q simQueue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].order < q[j].order
}
func (q simQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *simQueue) Push(e any)   { *q = append(*q, e.(simEvent)) }
func (q *simQueue) Pop() any {
	e := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return e
}

// sim is one scenario.
type sim struct {
	t        testing.TB
	seed     uint64
	rng      *rand.Rand
	calendar *Calendar // as it is now; each node has that of its last reload
	start    time.Time
	now      time.Time
	end      time.Time // of faults
	queue    simQueue
	order    int
	store    simStore
	nodes    []*simNode
	calm     bool    // the cluster has room at all times
	skewed   bool    // nodes know how far their clocks are off
	faulty   float64 // share of messages that something happens to
	n        simCounts
	notes    []string
}

func newSim(t testing.TB, seed uint64) *sim {
	s := &sim{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 12))}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	// Weeks with the change to summer time, the change back, and a leap day.
	s.start = []time.Time{
		time.Date(2026, 3, 26, 12, 0, 0, 0, berlin), time.Date(2026, 10, 22, 12, 0, 0, 0, berlin), time.Date(2028, 2, 26, 12, 0, 0, 0, berlin),
	}[s.rng.IntN(3)]
	s.now, s.end = s.start, s.start.AddDate(0, 0, 5)
	s.calendar = &Calendar{Environment: "production", Zone: berlin, Curve: DefaultCurve}
	for i, spec := range []string{"0 2 * * *", "30 2 * * *", "0 0 * * SUN", "45 23 * * *"}[:1+s.rng.IntN(4)] {
		cron, err := Parse(spec, berlin)
		if err != nil {
			t.Fatal(err)
		}
		s.calendar.Windows = append(s.calendar.Windows, Window{
			ID: fmt.Sprint("w", i), Cron: cron, Duration: time.Duration(1+s.rng.IntN(150)) * time.Minute,
			Nodes: Group{IDs: []string{fmt.Sprint("n", i)}},
		})
	}
	if err := s.calendar.Validate(); err != nil {
		t.Fatal(err)
	}
	s.faulty = []float64{0, 0.02, 0.1, 0.3}[s.rng.IntN(4)]
	s.skewed = s.rng.IntN(3) == 0
	s.store = simStore{sim: s, records: map[Date]simRecord{}}
	for i := range 2 + s.rng.IntN(8) {
		n := &simNode{sim: s, id: fmt.Sprint("n", i)}
		if i > 0 { // one clock is right
			n.skew = s.randomSkew()
		}
		s.nodes = append(s.nodes, n)
		n.boot()
	}
	return s
}

// randomSkew is how far a clock is off: mostly seconds, at times hours.
func (s *sim) randomSkew() time.Duration {
	most := []time.Duration{0, 2 * time.Second, time.Minute, time.Hour, 5 * time.Hour}[s.rng.IntN(5)]
	if most == 0 {
		return 0
	}
	return time.Duration(s.rng.Int64N(int64(2*most))) - most
}

func (s *sim) after(d time.Duration, do func()) {
	s.order++
	heap.Push(&s.queue, simEvent{s.now.Add(d), s.order, do})
}

func (s *sim) note(format string, args ...any) {
	if os.Getenv("ROOST_SIM_SEED") != "" {
		s.notes = append(s.notes, s.now.Format("01-02 15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

func (s *sim) fatal(format string, args ...any) {
	for _, n := range s.notes {
		s.t.Log(n)
	}
	s.t.Fatalf("%s\n  ROOST_SIM_SEED=%d go test -run 'TestSimulation$' ./decay/dawn", fmt.Sprintf(format, args...), s.seed)
}

// play runs five days with faults and one without, and looks at the nights.
func (s *sim) play() {
	s.after(time.Minute, s.fault)
	for stop := s.end.Add(24 * time.Hour); s.queue[0].at.Before(stop); {
		e := heap.Pop(&s.queue).(simEvent)
		s.now = e.at
		e.do()
	}
	for day := s.start.Add(12 * time.Hour); day.Before(s.end); day = day.Add(24 * time.Hour) {
		night, ok := s.calendar.Night(DateOf(day, s.calendar.Zone))
		if !ok {
			continue
		}
		r, ok := s.store.records[night.Date]
		if !ok || !r.rec.Done() {
			s.fatal("night %v is not done: %+v", night.Date, r.rec)
		}
		for i := range night.Openings {
			if !r.rec.has(&night.Openings[i]) {
				s.fatal("night %v lacks %+v", night.Date, night.Openings[i])
			}
		}
		s.n.nights++
		for i := range r.rec.Entries {
			s.n.skipped += b2i(r.rec.Entries[i].Stage == Skipped)
			s.n.aborted += b2i(r.rec.Entries[i].Aborted)
			s.n.postponed += b2i(r.rec.Entries[i].Postponed > 0)
		}
	}
}

// fault makes something go wrong, and comes again.
func (s *sim) fault() {
	if s.now.After(s.end) {
		for _, n := range s.nodes {
			if n.down {
				n.boot()
			}
		}
		return
	}
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	switch s.rng.IntN(6) {
	case 4:
		if s.now.Before(s.end.Add(-36 * time.Hour)) {
			s.edit()
		}
	case 5:
		if night, ok := n.calendar.Night(DateOf(s.now, n.calendar.Zone)); ok && !n.down && n.machines[night.Date] != nil && s.rng.IntN(4) == 0 {
			s.note("%s is told to end night %v", n.id, night.Date)
			n.handle(n.machines[night.Date], Abort{n.now(), []string{"", "w0"}[s.rng.IntN(2)], "by hand"})
		}
	case 0, 1:
		if !n.down {
			n.crash()
		}
	case 2:
		s.n.pauses++
		n.paused = s.now.Add(time.Duration(s.rng.Int64N(int64(20 * time.Minute))))
		s.note("%s pauses until %v", n.id, n.paused)
	case 3:
		if n != s.nodes[0] {
			n.skew = s.randomSkew()
			s.note("the clock of %s is now %v off", n.id, n.skew)
			if !n.down {
				n.look()
			}
		}
	}
	s.after(time.Duration(s.rng.Int64N(int64(40*time.Minute))), s.fault)
}

// edit adds a window of the next hours, or changes how long one lasts. The nodes
// read it within half an hour.
func (s *sim) edit() {
	c := *s.calendar
	c.Windows = slices.Clone(c.Windows)
	s.n.edits++
	if i := s.rng.IntN(len(c.Windows)); s.rng.IntN(3) == 0 {
		c.Windows[i].Duration = time.Duration(1+s.rng.IntN(150)) * time.Minute
	} else {
		c.Windows = append(c.Windows, Window{
			ID: fmt.Sprint("once", len(c.Windows)), Start: s.now.Add(time.Duration(s.rng.Int64N(int64(15 * time.Hour)))),
			Duration: time.Hour, Nodes: Group{IDs: []string{fmt.Sprint("n", i)}},
		})
	}
	if err := c.Validate(); err != nil {
		s.fatal("%v", err)
	}
	s.calendar = &c
	s.note("the calendar changes: %+v", c.Windows[len(c.Windows)-1])
	for _, n := range s.nodes {
		life := n.life
		s.after(time.Duration(s.rng.Int64N(int64(30*time.Minute))), func() { n.run(life, n.reload) })
	}
}

// TestNightOnTime: with nothing wrong, every weight is where the calendar says,
// at every minute, and the night is over within seconds of its end.
func TestNightOnTime(t *testing.T) {
	seeds := uint64(12)
	if raceEnabled {
		seeds = 3
	}
	for seed := range seeds {
		s := newSim(t, seed)
		s.faulty = 0
		s.calm = true
		for _, n := range s.nodes {
			n.skew = 0
			n.look()
		}
		node := &Node{ID: "n0"}
		for minute := s.start; minute.Before(s.end.Add(-12 * time.Hour)); minute = minute.Add(time.Minute) {
			for s.queue[0].at.Before(minute) {
				e := heap.Pop(&s.queue).(simEvent)
				s.now = e.at
				e.do()
			}
			got := 1.0
			for _, r := range s.store.records {
				got = min(got, r.rec.Factor(minute, node))
			}
			if want := s.calendar.Factor(minute, node); got != want {
				s.fatal("at %v the factor is %v, the calendar says %v", minute, got, want)
			}
		}
	}
}
