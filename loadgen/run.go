package loadgen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/usage"
)

// Exit is what a run's end means to a shell.
type Exit int

// Ends of a run.
const (
	ExitOK          Exit = 0
	ExitError       Exit = 1
	ExitUsage       Exit = 2
	ExitClientBound Exit = 3 // the generator was the limit: not a result
	ExitFailures    Exit = 4 // messages were lost, doubled or wrong, or connections closed
	ExitInterrupted Exit = 130
)

// Exit returns what the result means to a shell.
func (r *Result) Exit() Exit {
	switch {
	case len(r.Failures) > 0:
		return ExitFailures
	case len(r.ClientBound) > 0:
		return ExitClientBound
	case r.Interrupted:
		return ExitInterrupted
	}
	return ExitOK
}

// Run does what opt says and returns what it found out. Progress, and what
// listen mode gets, goes to out; remarks go to errout. When ctx ends early the
// result holds what there is by then. In listen mode there is no result.
func Run(ctx context.Context, opt Options, out, errout io.Writer) (*Result, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, &UsageError{err}
	}
	if _, err := opt.checkFiles(); err != nil {
		return nil, err
	}
	t, err := opt.resolveTarget(ctx)
	if err != nil {
		return nil, &UsageError{err}
	}
	if opt.Mode == ModeListen {
		return nil, listen(ctx, &opt, t, out, errout)
	}
	r := &Result{Schema: Schema, Mode: opt.Mode, Client: "sleeping", Started: time.Now().UTC(),
		Command: opt.Command, Env: usage.ReadEnv()}
	if opt.Spin {
		r.Client = "spinning"
	}
	b := newBackend(&opt)
	defer b.close()
	err = (&run{opt: &opt, b: b, r: r, errout: errout}).do(ctx, t)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		r.Interrupted = true
		err = nil
	}
	return r, err
}

// UsageError is a mistake in the options.
type UsageError struct{ err error }

// Error says what was wrong.
func (e *UsageError) Error() string { return e.err.Error() }

// Unwrap returns the mistake.
func (e *UsageError) Unwrap() error { return e.err }

// run is one run under way.
type run struct {
	opt    *Options
	b      backend
	r      *Result
	s      *swarm
	kept   *keptLoad // in kept mode
	errout io.Writer
}

// do connects, loads and disconnects.
func (x *run) do(ctx context.Context, t target) (err error) {
	opt, r := x.opt, x.r
	hello := 0
	if !opt.Peer || opt.Control != "" {
		if r.Server, err = x.b.info(ctx); err != nil {
			return err
		}
		hello = r.Server.Hello
		if opt.Control != "" && opt.Mode == ModeEcho && !r.Server.Echo {
			return &UsageError{fmt.Errorf("%s does not echo", r.Server.Name)}
		}
	}
	if opt.Mode == ModeEcho && !opt.Peer {
		hello = 0
	}
	if opt.Mode == ModeKept {
		if x.kept, err = newKeptLoad(opt, rand.Uint64()); err != nil {
			return err
		}
	}
	if x.s, err = newSwarm(opt, t, hello, x.roles()); err != nil {
		return err
	}
	defer x.s.close()
	if opt.Mode != ModeIdle {
		if err = x.connect(ctx, opt.Connections); err != nil {
			return err
		}
	}
	switch opt.Mode {
	case ModeIdle:
		r.Idle, err = x.s.idle(ctx, x.b, func(n int) error { return x.connect(ctx, n) })
	case ModeEcho:
		r.Echo, r.ClientBound, err = x.s.echo(ctx)
	case ModeBroadcast:
		r.Broadcast, r.ClientBound, err = x.s.broadcast(ctx, x.b)
	case ModeKept:
		r.Kept, r.ClientBound, err = x.s.kept(ctx, x.kept)
	}
	r.SlowCut = int(x.s.sum(func(n *counters) uint64 { return n.cut.Load() }))
	r.Closed = x.s.gather(func(c *client) map[string]int { return c.lost })
	x.judge()
	return err
}

// roles returns what makes the loops' roles.
func (x *run) roles() func(c *client) role {
	d := new(dues)
	return func(c *client) role {
		switch x.opt.Mode {
		case ModeEcho:
			return newEchoer(c)
		case ModeBroadcast:
			return newReceiver(c, d)
		case ModeKept:
			return newKeeper(c, x.kept)
		}
		return resting{}
	}
}

// connect makes the connections up to total and describes how that went.
func (x *run) connect(ctx context.Context, total int) error {
	s := x.s
	if x.r.Connect == nil {
		x.r.Connect = &Connect{}
	}
	n := x.r.Connect
	work := n.Work
	before := s.read()
	err := s.connect(ctx, total)
	d := s.read().since(before)
	n.Work = work.plus(d)
	n.Asked = total
	n.Established = int(s.sum(func(n *counters) uint64 { return n.established.Load() }))
	n.Slow = int(s.sum(func(n *counters) uint64 { return n.ready.Load() - n.readers.Load() }))
	n.Failed = s.gather(func(c *client) map[string]int { return c.failed })
	n.Sources = (x.opt.Connections + plan.PerSource - 1) / plan.PerSource
	latency := newRecorder()
	for _, c := range s.clients {
		s.each(func(each *client) {
			if each == c {
				latency.merge(c.dial.latency)
			}
		})
	}
	n.Latency = latency.latency()
	n.PerSecond = perSecond(float64(n.Established), time.Duration(n.Work.Wall))
	n.ServerMicros = per(n.Work.ServerCPU, float64(n.Established))
	n.ServerSumMicros = per(n.Work.serverSum(), float64(n.Established))
	if err != nil {
		return err
	}
	if len(n.Failed) > 0 {
		for _, line := range explain(n.Failed) {
			fmt.Fprintln(x.errout, "connect:", line)
		}
		if ready := s.sum(func(n *counters) uint64 { return n.ready.Load() }); !x.opt.Partial || ready == 0 {
			return fmt.Errorf("connect: %d of %d connections are up (go on with those by --partial)", ready, total)
		}
	}
	return nil
}

// judge says what the server did wrong.
func (x *run) judge() {
	r := x.r
	fail := func(format string, a ...any) { r.Failures = append(r.Failures, fmt.Sprintf(format, a...)) }
	if e := r.Echo; e != nil {
		if e.Lost > 0 {
			fail("%d of %d messages did not come back", e.Lost, e.TotalSent)
		}
		if e.Wrong > 0 {
			fail("%d messages came back other than they were sent, or in another order", e.Wrong)
		}
	}
	if b := r.Broadcast; b != nil {
		if b.Missing > 0 {
			fail("%d of %d deliveries are missing", b.Missing, b.Expected)
		}
		if b.Duplicate > 0 {
			fail("%d deliveries came twice", b.Duplicate)
		}
		if b.Wrong > 0 {
			fail("%d deliveries are not what was published", b.Wrong)
		}
		if b.Refused > 0 {
			fail("%d of %d broadcasts were refused by the API", b.Refused, b.Refused+b.Rounds)
		}
	}
	if n := x.s.sum(func(n *counters) uint64 { return n.serverErrors.Load() }); n > 0 {
		fail("the server called %d of our messages wrong", n)
	}
	if n := x.s.sum(func(n *counters) uint64 { return n.unexpected.Load() }); n > 0 {
		fail("%d messages came that nobody sent", n)
	}
	if r.Kept != nil {
		r.Kept.judge(fail)
		return // connections may end: their devices come back
	}
	for _, line := range explain(r.Closed) {
		fail("connections lost: %s", line)
	}
}
