package loadgen

import (
	"context"
	"runtime/debug"
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/usage"
)

// sample reads memory at the present number of connections: at once, and when
// the server has collected its garbage and settled.
func (s *swarm) sample(ctx context.Context, b backend) (Sample, error) {
	m := Sample{Connections: int(s.sum(func(n *counters) uint64 { return n.ready.Load() - n.lost.Load() })),
		Settle: s.opt.Settle}
	var err error
	if s.server != 0 {
		if m.Raw, err = s.server.Memory(); err != nil {
			return m, err
		}
		if err = b.collect(ctx); err != nil {
			return m, err
		}
		if err = s.clock.sleepUntil(ctx, s.clock.now()+int64(s.opt.Settle)); err != nil {
			return m, err
		}
		if m.Settled, err = s.server.Memory(); err != nil {
			return m, err
		}
		m.Files, _ = s.server.Files()
		m.Goroutines = b.goroutines(ctx)
	}
	debug.FreeOSMemory() // what the handshakes have left is not what a connection costs
	if m.Client, err = usage.Process(0).Memory(); err != nil {
		return m, err
	}
	m.Slab, err = usage.ReadSlab()
	return m, err
}

// idle connects step by step, measures memory at each, and holds.
func (s *swarm) idle(ctx context.Context, b backend, connect func(total int) error) (*Idle, error) {
	r := &Idle{}
	var err error
	if r.Base, err = s.sample(ctx, b); err != nil {
		return nil, err
	}
	steps := s.opt.Steps
	if len(steps) == 0 {
		steps = []int{s.opt.Connections}
	}
	for _, n := range steps {
		if err = connect(n); err != nil {
			return nil, err
		}
		m, err := s.sample(ctx, b)
		if err != nil {
			return nil, err
		}
		r.Steps = append(r.Steps, m)
	}
	before := s.read()
	err = s.clock.sleepUntil(ctx, s.clock.now()+int64(s.opt.Hold))
	r.Hold = s.read().since(before)
	r.Heartbeats = s.sum(func(n *counters) uint64 { return n.heartbeats.Load() })
	r.derive()
	return r, err
}

// derive computes bytes per connection from the samples.
func (r *Idle) derive() {
	last := r.Steps[len(r.Steps)-1]
	n := float64(last.Connections - r.Base.Connections)
	if n <= 0 {
		return
	}
	r.Raw = float64(last.Raw.RSS-r.Base.Raw.RSS) / n
	r.Settled = float64(last.Settled.RSS-r.Base.Settled.RSS) / n
	r.Client = float64(last.Client.RSS-r.Base.Client.RSS) / n
	r.KernelPair = float64(last.Slab.Total-r.Base.Slab.Total) / n
	points := r.Steps
	if len(points) == 1 {
		points = []Sample{r.Base, last}
	}
	var x, y []float64
	for _, m := range points {
		x, y = append(x, float64(m.Connections)), append(y, float64(m.Settled.RSS))
	}
	r.SlopeSettled, _, _ = plan.Fit(x, y)
}

// perSecond is a rate over a stretch of time.
func perSecond(n float64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return n / d.Seconds()
}
