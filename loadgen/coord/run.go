package coord

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/link"
	"roost/loadgen/probe"
	"roost/loadgen/redact"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
	"roost/loadgen/validity"
	"roost/loadgen/worker"
	"roost/loadgen/workerpool"
)

// run is one under way. Everything in it belongs to the goroutine of Run, but
// for what is said otherwise.
type run struct {
	// Static after the start.
	o     Options
	s     *scenario.Scenario
	clock *clock.Clock
	ctx   context.Context // ends when somebody wants the run to end
	began time.Time
	hello *link.Hello // of this process
	id    uint32
	env   environment
	plans scenario.Plan
	// shared says that a server may run on the processors of a worker.
	shared bool

	// Of the workers.
	pool       *workerpool.Pool
	members    []*member
	bound      time.Duration // no clock was ever further off
	shortfalls []string
	unread     map[string]bool // of machines, what was noted

	// Of the phases.
	started     int64 // the begin of the first; 0: not yet
	phases      []*phase
	series      series
	conditions  []condition
	broken      string // the threshold that has ended the run
	interrupted bool
	hookFailed  bool
	ceiling     *validity.Ceiling
	notes       []string

	// Of the servers.
	reading *probe.Sample
	before  []result.ServerUse
	// processes are their ids before the first phase; 0: not known.
	processes []int

	// Of waiting.
	seconds    *time.Ticker
	lastSecond int64
	posts      chan func() // from helpers
	helping    context.Context
	helpers    sync.WaitGroup
}

// ShortError is that a machine is not enough for the plan. Its lines say what
// is missing, and what mends it.
type ShortError struct{ Lines []string }

func (e *ShortError) Error() string {
	return "this machine is not enough for the plan:\n  " + strings.Join(e.Lines, "\n  ")
}

// readyTimeout is how long workers may take to make ready: to read the scenario
// and to open what they need.
const readyTimeout = 30 * time.Second

// Run runs a scenario. When ctx ends, the phase under way ends at once, its
// accounts are closed, and the result says that it was interrupted. A result is
// returned of everything that began; an error says why nothing did.
func Run(ctx context.Context, o Options) (*result.Result, error) {
	res, err := do(ctx, o)
	if o.View == nil {
		return res, err
	}
	if failed := o.View.Done(res); failed != nil && res != nil {
		res.Notes = append(res.Notes, fmt.Sprintf("the view of the run failed: %v", failed))
	}
	return res, err
}

// do is Run without the view's end.
func do(ctx context.Context, o Options) (*result.Result, error) {
	r := &run{o: o, s: o.Scenario, clock: o.Clock, ctx: ctx, began: time.Now(), hello: worker.Hello(""), posts: make(chan func(), 8)}
	if r.clock == nil {
		r.clock = clock.New()
	}
	if r.o.Probe != nil {
		defer r.o.Probe.Close()
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	helping, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.helping = helping
	defer r.helpers.Wait()
	defer stop()
	if err := r.gather(); err != nil {
		return nil, err
	}
	defer r.pool.Close()
	r.lastSecond = r.clock.Now()
	r.seconds = time.NewTicker(time.Second)
	defer r.seconds.Stop()
	if err := r.plan(); err != nil {
		return nil, err
	}
	r.drive()
	r.pool.Close()
	return r.result(true), nil
}

// prepare reads what the run depends on, before it changes anything.
func (r *run) prepare() error {
	var err error
	if r.conditions, err = readConditions(r.s); err != nil {
		return err
	}
	if r.o.Log == nil {
		r.o.Log = io.Discard
	}
	r.o.Log = &shared{w: r.o.Log}
	r.env = readEnvironment()
	r.plans = r.s.Plan()
	r.series = series{interval: int64(r.s.Measure.Interval), open: map[int64]*tally.Tally{}}
	if r.series.interval <= 0 {
		r.series.interval = int64(time.Second)
	}
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	r.id = binary.BigEndian.Uint32(id[:])
	if r.o.Ceiling != nil {
		if r.ceiling, err = r.o.Ceiling(r.ctx, r.s, r.o.Workers+r.o.Expect); err != nil {
			if r.ctx.Err() != nil {
				return r.ctx.Err()
			}
			r.note("what the generator can do at most could not be found out: %v", err)
		}
	}
	return nil
}

func (r *run) gather() error {
	parts := r.o.Worker
	parts.Clock = r.clock
	c, err := workerpool.Gather(r.ctx, workerpool.Options{Clock: r.clock, Local: r.o.Workers, Command: r.o.Command, Env: r.o.WorkerEnv, Parts: parts,
		Expect: r.o.Expect, Listen: r.o.Listen, Token: r.o.Token, Wait: r.o.Wait, Log: r.o.Log})
	if err != nil {
		return err
	}
	r.pool = c
	for _, m := range c.Members {
		r.members = append(r.members, &member{Member: m, progress: swarm.Progress{Phase: -1}})
	}
	r.shared = r.sharesProcessors()
	return nil
}

// crowdedDials is how many dials in a row one worker makes where some machine has
// more workers than processors. If they went round all, each would wake a worker
// and a server for itself: 54 of each managed 4,000 a second of two cores so, of
// the 8,000 that 6 of each do.
const crowdedDials = 64

// plan tells every worker its part, and waits until all are ready for it.
func (r *run) plan() error {
	text := string(r.s.Text())
	here, inARow := map[string]int{}, 1
	for _, m := range r.members {
		if here[m.Hello.Boot]++; here[m.Hello.Boot] > m.Hello.Cores {
			inARow = crowdedDials
		}
	}
	index := map[string]int{}
	for _, m := range r.members {
		shift, bound := r.shift(m)
		r.bound = max(r.bound, bound)
		n := here[m.Hello.Boot]
		err := m.Tell(&link.Message{Plan: &link.Plan{Scenario: text, Worker: m.Index, Workers: len(r.members), Run: r.id,
			Shift: shift, Check: m.Remote, Here: n, Index: index[m.Hello.Boot], InARow: inARow}})
		if err != nil {
			return fmt.Errorf("%s: %w", m.name(), err)
		}
		index[m.Hello.Boot]++
	}
	why := r.await(func() bool { return r.all(func(m *member) bool { return m.ready }) }, r.clock.Now()+int64(readyTimeout), true)
	if why == met {
		return nil
	}
	if why == interrupted {
		return r.ctx.Err()
	}
	if len(r.shortfalls) > 0 {
		return &ShortError{r.shortfalls}
	}
	var reasons []string
	for _, m := range r.members {
		switch {
		case m.lost != "":
			reasons = append(reasons, m.name()+": "+m.lost)
		case !m.ready:
			reasons = append(reasons, fmt.Sprintf("%s: it is not ready after %v", m.name(), readyTimeout))
		}
	}
	return errors.New(strings.Join(reasons, "\n"))
}

// same reports whether a worker reads the same clock as this process.
func (r *run) same(m *member) bool { return worker.SameClock(r.hello, m.Hello) }

// since is the time from the run's begin to an instant.
func (r *run) since(at int64) time.Duration {
	if r.started == 0 {
		return 0
	}
	return time.Duration(at - r.started)
}

// maxNotes bounds the notes.
const maxNotes = 100

// note keeps something that a reader of the result should know.
func (r *run) note(format string, args ...any) {
	if len(r.notes) < maxNotes {
		r.notes = append(r.notes, redact.Text(fmt.Sprintf(format, args...)))
	}
}

// log tells whoever watches.
func (r *run) log(format string, args ...any) { fmt.Fprintf(r.o.Log, format+"\n", args...) }
