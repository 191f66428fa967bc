package member

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"roost/server/admission"
	"roost/server/cluster"
)

// weightLoop publishes the node's weight.
type weightLoop struct {
	// Static after newWeightLoop.
	n         *Node
	j         *Join
	publisher *cluster.Publisher
	began     time.Time
	wake      chan struct{}

	budget atomic.Uint64 // bits of connects a second

	mu       sync.Mutex // covers the following, and is held over a publish
	w        *weigher
	b        admission.Budget
	records  records
	last     Load
	lastAt   time.Time
	cpu      float64 // percent, over the last interval; NaN before
	revision int64   // of own samples
	learning learning
}

func newWeightLoop(n *Node, j *Join) (*weightLoop, error) {
	w, err := newWeigher(n.o.ID, j.Weights, j.Control)
	if err != nil {
		return nil, err
	}
	l := &weightLoop{n: n, j: j, publisher: n.client.Publisher(n.o.ID), began: time.Now(), wake: make(chan struct{}, 1), w: w, cpu: math.NaN()}
	l.budget.Store(math.Float64bits(l.most(admission.UsualBudget)))
	return l, nil
}

// most is a budget within what the node was told to take.
func (l *weightLoop) most(budget float64) float64 {
	if l.j.MostConnects > 0 {
		return min(budget, l.j.MostConnects)
	}
	return budget
}

// accept returns how many connects a second this node can take.
func (l *weightLoop) accept() float64 { return math.Float64frombits(l.budget.Load()) }

// run publishes each second, and when it is kicked.
func (l *weightLoop) run() {
	tick := time.NewTicker(weighEvery)
	defer tick.Stop()
	for {
		l.tell(l.n.ctx)
		select {
		case <-l.n.ctx.Done():
			return
		case <-tick.C:
		case <-l.wake:
		}
	}
}

// kick has the weight published soon.
func (l *weightLoop) kick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// tell publishes the weight as it is now. What fails is tried again by the next one. While
// another process has the id it says nothing: that one's devices would be sent away.
func (l *weightLoop) tell(ctx context.Context) {
	if !l.n.hasID() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recall(ctx)
	w, err := l.make(time.Now())
	if err == nil {
		// A lease of WeightTTL does not outlive a longer wait.
		ctx, cancel := context.WithTimeout(ctx, cluster.WeightTTL-weighEvery)
		err = l.publisher.Publish(ctx, w)
		cancel()
	}
	if err == nil {
		err = l.learn(ctx, time.Now())
	}
	if err != nil && l.n.ctx.Err() == nil && l.n.notes.due("weight", time.Now()) {
		l.n.o.Log.Warn("the weight is not published", "err", err)
	}
}

// make makes the weight of now.
func (l *weightLoop) make(now time.Time) (cluster.Weight, error) {
	v, load := l.n.watcher.View(), l.j.Hooks.Load()
	l.measure(load, now)
	capacity := l.j.Member.Capacity
	if capacity == 0 {
		capacity = l.j.Plan.Unit
	}
	in := l.inputs(load)
	own := standing{id: l.n.o.ID, start: l.n.start, capacity: capacity, revision: l.revision, sample: sampleOf(&in), sampled: true}
	own.sample.At = now.Sub(l.began)
	at := func(seen time.Time) time.Duration { return seen.Sub(l.began) }
	live, err := l.w.step(now.Sub(l.began), append(others(v, &l.n.peers, l.n.o.ID, l.j.Plan.Unit, at), own), awaited(v, l.n.router.Load(), l.n.o.ID, l.j.Plan))
	if err != nil {
		return cluster.Weight{}, err
	}
	l.learning.now = cluster.Learned{Relative: math.Round(live/capacity*1e4) / 1e4, Capacity: capacity, Cores: l.j.Cores}
	factor := l.factor(v, now)
	value, why := weightOf(live, factor), ""
	if s := l.n.drainer.now.Load(); s != nil {
		value, why = 0, s.Why
	}
	in.Explanation = l.w.explain(live, factor, why)
	w := cluster.Weight{Value: value, Trial: l.j.Hooks.Trial(), At: now, Mark: mark(&in)}
	w.Inputs, err = in.Encode()
	return w, err
}

// weightOf is the weight that is published: whole devices, and hundredths of the factor, for
// each other value is an event at every node. What is not 0 does not become it.
func weightOf(live, factor float64) float64 {
	if live <= 0 || factor <= 0 {
		return 0
	}
	return max(math.Round(live*math.Round(factor*100)/100), 1)
}

// mark names what cannot wait until the inputs are published anyway.
func mark(in *cluster.Inputs) string {
	m := ""
	if r := in.Ring; r != nil {
		m = fmt.Sprint(r.Activation, r.Hash, r.CanaryHash)
	}
	if in.Redis != nil {
		m += fmt.Sprint(" ", *in.Redis)
	}
	if d := in.Drain; d != nil {
		m += fmt.Sprint(" ", d.Left, d.Since, d.OverMS)
	}
	return m
}

// measure takes what the process has used since the last time.
func (l *weightLoop) measure(load Load, now time.Time) {
	dt := now.Sub(l.lastAt)
	if !l.lastAt.IsZero() && dt < weighEvery/2 {
		return // kicked: too short to say anything
	}
	if cpu := load.CPU - l.last.CPU; !l.lastAt.IsZero() && cpu >= 0 {
		l.cpu = min(100*cpu.Seconds()/dt.Seconds()/float64(l.j.Cores), 100)
		l.b.Observe(dt, cpu, load.Accepted-l.last.Accepted)
		l.budget.Store(math.Float64bits(l.most(l.b.PerSecond(l.j.Cores))))
	}
	l.last, l.lastAt = load, now
	l.revision++
}

// inputs is what others than people read.
func (l *weightLoop) inputs(load Load) cluster.Inputs {
	devices := load.Devices
	in := cluster.Inputs{
		Ring: l.n.router.Load().Held(), Connections: &devices, Accept: math.Round(l.accept()), Drain: l.n.drainer.progress(devices),
		Load: &cluster.Load{CPU: measured(l.cpu), Latency: measured(load.Latency), Backlog: measured(load.Backlog), LoopLag: measured(load.LoopLag)},
	}
	if l.j.Hooks.Redis != nil {
		reached := l.j.Hooks.Redis()
		in.Redis = &reached
	}
	return in
}

// measured is nil for what was not.
func measured(x float64) *float64 {
	if !(x >= 0) || math.IsInf(x, 0) {
		return nil
	}
	x = math.Round(x*1000) / 1000
	return &x
}

// factor is what maintenance nights leave of the weight. Their times are instants, so they count by
// the clock of the cluster, as far as it is known, not by this node's.
func (l *weightLoop) factor(v *cluster.View, now time.Time) float64 {
	if ahead, known := l.n.peers.skew(l.n.o.ID, now); known {
		now = now.Add(-ahead)
	}
	nights, err := l.records.of(v)
	if err != nil && l.n.notes.due("records", now) {
		l.n.o.Log.Warn("records of nights cannot be read: they do not count", "err", err)
	}
	return factorOf(nights, now, l.n.o.ID, l.j.Member.Zone)
}
