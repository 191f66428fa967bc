package couplings

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"roost/ring"
)

const (
	// freshness is how far apart snapshots are.
	freshness = time.Second
	// giveUp is when a push has failed.
	giveUp = 10 * time.Second
)

// push is one message on its way.
type push struct {
	began  time.Duration
	zone   int
	key    uint64
	failed []int
	tried  int
}

// event is something that happens in a simulation.
type event struct {
	at   time.Duration
	seq  int // of two at one time the first made comes first
	what func(at time.Duration)
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push and Pop are heap.Interface's.
func (e *events) Push(x any) { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// Outcome is what became of all pushes of a world under a policy.
type Outcome struct {
	Policy string `json:"policy"`
	Pushes int    `json:"pushes"`
	Lost   int    `json:"lost"` // without an answer within 10 s, or with every node tried
	// Milliseconds from the push to its answer.
	Mean float64 `json:"mean_ms"`
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	// FirstFailed is the part of pushes whose first choice failed, Tries the mean number of choices.
	FirstFailed float64 `json:"first_failed"`
	Tries       float64 `json:"tries"`
	Near        float64 `json:"near"`    // part that was served in its own zone
	Busiest     float64 `json:"busiest"` // largest utilisation of a node over the mean one
	// Blind is how long after a fault began the last first choice met it, 0 if none did; of
	// the longest of the outages, in seconds.
	Blind float64 `json:"blind_s"`
}

// simulation is a run under way.
type simulation struct {
	w      *world
	c      *chooser
	r      *rand.Rand
	events events
	seq    int
	free   [][]time.Duration // by node and place: when it is free
	busy   []time.Duration   // by node: time that its places have worked
	took   []float64         // ms
	out    Outcome
	near   int
	tries  int
	first  int
	blind  time.Duration
}

// Simulate runs a policy in a world.
func Simulate(ctx context.Context, w *world, p *policy, seed uint64) (Outcome, error) {
	s := &simulation{w: w, r: rand.New(rand.NewPCG(seed, 1)), busy: make([]time.Duration, len(w.Nodes))}
	c, err := newChooser(p, w, rand.New(rand.NewPCG(seed, 2)))
	if err != nil {
		return Outcome{}, err
	}
	s.c, s.out.Policy = c, p.Name
	for _, n := range w.Nodes {
		s.free = append(s.free, make([]time.Duration, n.Places))
	}
	s.arrive(0)
	for zone := range w.RTT {
		s.refresh(zone, time.Duration(zone)*freshness/time.Duration(len(w.RTT)))
	}
	for n := 0; len(s.events) > 0; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return Outcome{}, ctx.Err()
		}
		e := heap.Pop(&s.events).(event)
		e.what(e.at)
	}
	return s.finish(), nil
}

func (s *simulation) at(at time.Duration, what func(time.Duration)) {
	s.seq++
	heap.Push(&s.events, event{at, s.seq, what})
}

// arrive makes the pushes, one after the other.
func (s *simulation) arrive(at time.Duration) {
	at += time.Duration(s.r.ExpFloat64() / s.w.Rate * float64(time.Second))
	if at >= s.w.Length {
		return
	}
	s.at(at, func(at time.Duration) {
		p := &push{began: at, zone: s.out.Pushes % len(s.w.RTT), key: ring.Hash(strconv.FormatUint(s.r.Uint64(), 36))}
		s.out.Pushes++
		s.try(p, at)
		s.arrive(at)
	})
}

// refresh takes a snapshot of a zone each Freshness. It is in force when its answers
// are in: the slowest, or Timeout where a node hangs.
func (s *simulation) refresh(zone int, at time.Duration) {
	if at >= s.w.Length {
		return
	}
	s.at(at, func(at time.Duration) {
		known, after := s.c.look(zone, at), time.Duration(0)
		for i := range known {
			if f, _ := s.w.faultAt(i, at); f == hang {
				after = timeout
			}
			after = max(after, known[i].RTT)
		}
		s.at(at+after, func(time.Duration) { s.c.known[zone] = known })
		s.refresh(zone, at+freshness)
	})
}

// try chooses a node for a push and sends it there.
func (s *simulation) try(p *push, at time.Duration) {
	node, cost := s.c.choose(p, at)
	if node < 0 || at-p.began > giveUp {
		s.lose(p)
		return
	}
	s.at(at+cost, func(at time.Duration) { s.send(p, node, at) })
}

func (s *simulation) send(p *push, node int, at time.Duration) {
	p.tried++
	rtt := s.c.rtt(p.zone, node, at)
	f, _ := s.w.faultAt(node, at)
	if f == refuse || f == hang {
		if len(p.failed) == 0 {
			s.first++
			s.seen(node, at)
		}
		p.failed = append(p.failed, node)
		if f == hang {
			rtt = timeout
		}
		s.at(at+rtt, func(at time.Duration) { s.try(p, at) })
		return
	}
	s.at(at+rtt/2, func(at time.Duration) { s.serve(p, node, at, rtt/2) })
}

// seen notes that somebody ran into a fault.
func (s *simulation) seen(node int, at time.Duration) {
	for _, o := range s.w.Outages {
		if o.Node == node && at >= o.From && at < o.To {
			s.blind = max(s.blind, at-o.From)
		}
	}
}

// serve has a push wait for the first free place of a node, and answers it.
func (s *simulation) serve(p *push, node int, at, back time.Duration) {
	place := 0
	for i, t := range s.free[node] {
		if t < s.free[node][place] {
			place = i
		}
	}
	work := time.Duration(s.r.ExpFloat64() * float64(s.w.Service))
	end := max(at, s.free[node][place]) + work
	s.free[node][place] = end
	s.busy[node] += work
	s.tries += p.tried
	if s.w.Nodes[node].Zone == p.zone {
		s.near++
	}
	if took := end + back - p.began; took <= giveUp {
		s.took = append(s.took, float64(took)/1e6)
	} else {
		s.out.Lost++
	}
}

func (s *simulation) lose(p *push) {
	s.out.Lost++
	s.tries += p.tried
}

// finish makes the outcome.
func (s *simulation) finish() Outcome {
	o := s.out
	slices.Sort(s.took)
	o.P50, o.P99, o.P999 = quantile(s.took, 0.5), quantile(s.took, 0.99), quantile(s.took, 0.999)
	for _, t := range s.took {
		o.Mean += t / float64(len(s.took))
	}
	n := float64(max(o.Pushes, 1))
	o.FirstFailed, o.Tries, o.Near = float64(s.first)/n, float64(s.tries)/n, float64(s.near)/n
	var busiest, busy, all float64
	for i, b := range s.busy {
		places := float64(s.w.Nodes[i].Places)
		busiest = max(busiest, b.Seconds()/places)
		busy += b.Seconds()
		all += places
	}
	if busy > 0 {
		o.Busiest = busiest / (busy / all)
	}
	o.Blind = s.blind.Seconds()
	return o
}

// quantile returns that of sorted values, 0 of none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// number is the reverse of nodeID.
func number(id string) int {
	n, _ := strconv.Atoi(id[1:])
	return n
}
