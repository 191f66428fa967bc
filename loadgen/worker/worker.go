// Package worker is the process that puts load on: it joins a coordinator, does
// its part of the plan when it is told to, and reports what it counts. It
// decides nothing.
//
//	joining -> ready -> under way -> finished -> settled -> under way ... -> done
//
// # Goroutines
//
// Serve obeys, one command at a time; a reader answers pings at once and hands
// over the rest; a reporter sends progress and ticks. The load itself is on the
// swarm's own loop.
package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/link"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
)

// Parts are what a worker is made of.
type Parts struct {
	Token string       // what the coordinator asks for
	Clock *clock.Clock // of this machine
	// Read reads the text of a resolved scenario.
	Read func(text string) (*scenario.Scenario, error)
	// Check returns what this machine lacks, with what mends it, for that many
	// workers of the scenario on it. nil: it is not checked.
	Check func(s *scenario.Scenario, here, workers int) ([]string, error)
	// New makes the swarm.
	New func(swarm.Config) (swarm.Swarm, error)
	// Watch begins to watch this process, one of so many workers on this machine;
	// nil: nobody does.
	Watch func(workers int) Watch
}

// Watch is what a worker finds out about itself. Its methods are called by one
// goroutine.
type Watch interface {
	// Read returns what was found out, and the oversleep of an idle thread since
	// the last call (nil: none). whole asks for what costs time as well, and is
	// set between phases only.
	Read(whole bool) (*link.Self, *tally.Hist)
	// Pause says whether the thread's oversleep matters. While accounts are closed
	// and added up, nothing is measured that it could delay.
	Pause(on bool)
	Close()
}

// Hello returns what this process says about itself.
func Hello(token string) *link.Hello {
	h := &link.Hello{Version: link.Version, Token: token, PID: os.Getpid(), Cores: runtime.NumCPU()}
	h.Host, _ = os.Hostname()
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.Boot = strings.TrimSpace(string(b))
	}
	h.TimeNS, _ = os.Readlink("/proc/self/ns/time")
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		h.Files = int(min(files.Cur, 1<<31-1))
	}
	return h
}

// SameClock reports whether two processes read the same CLOCK_MONOTONIC. It is
// denied where one of them could not find out.
func SameClock(a, b *link.Hello) bool {
	return a.Boot != "" && a.TimeNS != "" && a.Boot == b.Boot && a.TimeNS == b.TimeNS
}

// worker is one under way.
type worker struct {
	// Static after joining.
	parts    Parts
	link     link.Link
	plan     *link.Plan
	scenario *scenario.Scenario
	swarm    swarm.Swarm
	watch    Watch
	commands chan *link.Message
	cancel   context.CancelCauseFunc

	// Guarded by reporting, which keeps ticks in order.
	reporting sync.Mutex
	phase     int
	unsent    *link.Tick // that waits for its time
}

// Serve joins the coordinator at the other end of l, and works until it is done
// with, the link ends or ctx does. It closes l. The error says why the work
// ended early.
func Serve(ctx context.Context, l link.Link, parts Parts) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { l.Close() }) // ends Receive
	defer stop()
	defer l.Close()
	w := &worker{parts: parts, link: l, commands: make(chan *link.Message, 16), cancel: cancel}
	if err := w.join(); err != nil {
		return fmt.Errorf("joining the coordinator: %w", err)
	}
	defer w.swarm.Close()
	if w.watch != nil {
		defer w.watch.Close()
	}
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer l.Close() // before the wait: ends the reader
	defer cancel(nil)
	helpers.Go(w.read)
	helpers.Go(func() { w.report(ctx) })
	err := w.obey(ctx)
	if err != nil && !errors.Is(err, errDone) {
		_ = l.Send(&link.Message{Fail: &link.Fail{Error: err.Error()}}) // nobody may be there
		return err
	}
	return nil
}

// errDone is the end that the coordinator has asked for.
var errDone = errors.New("done")

// join greets the coordinator and makes ready for what it plans.
func (w *worker) join() error {
	if err := w.link.Send(&link.Message{Hello: Hello(w.parts.Token)}); err != nil {
		return err
	}
	m, err := w.link.Receive()
	for err == nil && m.Ping != nil { // how the clocks compare is found out first
		if err = w.link.Send(&link.Message{Pong: &link.Pong{At: m.Ping.At, Own: w.parts.Clock.Now()}}); err == nil {
			m, err = w.link.Receive()
		}
	}
	switch {
	case err != nil:
		return err
	case m.Fail != nil:
		return errors.New(m.Fail.Error)
	case m.Plan == nil:
		return errors.New("its first message is no plan")
	}
	w.plan = m.Plan
	if fail := w.prepare(); fail != nil {
		return errors.Join(errors.New(fail.Error), w.link.Send(&link.Message{Fail: fail}))
	}
	return w.link.Send(&link.Message{Ready: &link.Ready{Clients: w.swarm.Progress().Clients}})
}

// prepare makes the swarm of the plan, or says why not.
func (w *worker) prepare() *link.Fail {
	p := w.plan
	s, err := w.parts.Read(p.Scenario)
	if err != nil {
		return &link.Fail{Error: fmt.Sprintf("the scenario of the coordinator cannot be read: %v", err)}
	}
	w.scenario = s
	if p.Check && w.parts.Check != nil {
		lacking, err := w.parts.Check(s, p.Here, p.Workers)
		if err != nil {
			return &link.Fail{Error: err.Error()}
		}
		if len(lacking) > 0 {
			return &link.Fail{Error: "this machine is not enough: " + strings.Join(lacking, "; "), Shortfalls: lacking}
		}
	}
	w.parts.Clock.Shift(p.Shift)
	w.swarm, err = w.parts.New(swarm.Config{Scenario: s, Worker: p.Worker, Workers: p.Workers, Clock: w.parts.Clock, Run: p.Run, Here: p.Here, Index: p.Index, InARow: p.InARow})
	if err != nil {
		return &link.Fail{Error: err.Error()}
	}
	if w.parts.Watch != nil {
		w.watch = w.parts.Watch(p.Here)
	}
	return nil
}

// read hands commands over, and answers pings.
func (w *worker) read() {
	shift := w.plan.Shift
	for {
		m, err := w.link.Receive()
		if err != nil {
			w.cancel(fmt.Errorf("the coordinator is gone: %w", err))
			close(w.commands)
			return
		}
		if m.Ping == nil {
			select {
			case w.commands <- m:
			default: // more than a coordinator ever sends ahead
				w.cancel(errors.New("more commands than can be obeyed"))
			}
			continue
		}
		own := w.parts.Clock.Now() - shift
		if err := w.link.Send(&link.Message{Pong: &link.Pong{At: m.Ping.At, Own: own}}); err != nil {
			w.cancel(fmt.Errorf("the coordinator is gone: %w", err))
		}
		if m.Ping.Shift != shift {
			shift = m.Ping.Shift
			w.parts.Clock.Shift(shift)
		}
	}
}

// obey does what the coordinator says.
func (w *worker) obey(ctx context.Context) error {
	var refused []swarm.Refusal // of settle messages that have more to follow
	for m := range w.commands {
		var err error
		switch {
		case m.Begin != nil:
			err = w.begin(m.Begin)
		case m.Finish != nil:
			err = w.finish(ctx, m.Finish)
		case m.Settle != nil:
			refused = append(refused, m.Settle.Refused...)
			if !m.Settle.More {
				err = w.settle(refused)
				refused = nil
			}
		case m.Done != nil:
			return errDone
		case m.Fail != nil:
			return fmt.Errorf("the coordinator gave up: %s", m.Fail.Error)
		default:
			return errors.New("the coordinator said what only workers say")
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

func (w *worker) begin(b *link.Begin) error {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	if b.Phase < 0 || b.Phase >= len(w.scenario.Phases) {
		return fmt.Errorf("phase %d of %d", b.Phase, len(w.scenario.Phases))
	}
	w.phase = b.Phase
	if w.watch != nil {
		w.watch.Pause(false)
	}
	return w.swarm.Begin(b.Phase, b.At)
}

// refusalsPerMessage keeps messages far below their bound: 30 B each.
const refusalsPerMessage = 100_000

func (w *worker) finish(ctx context.Context, f *link.Finish) error {
	// The plan's end may be ahead; what is due before it is still sent.
	ahead := time.Duration(max(f.At-w.parts.Clock.Now(), 0))
	wait, cancel := context.WithTimeout(ctx, ahead+f.Wait)
	defer cancel()
	refused, err := w.swarm.Finish(wait, f.At)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, swarm.ErrOverflow), err != nil && !errors.Is(err, context.DeadlineExceeded):
		return err
	}
	if w.watch != nil {
		w.watch.Pause(true)
	}
	return SendRefusals(refused, func(part []swarm.Refusal, more bool) error {
		return w.link.Send(&link.Message{Finished: &link.Finished{Refused: part, More: more}})
	})
}

// SendRefusals sends refusals in parts, at least one.
func SendRefusals(refused []swarm.Refusal, send func(part []swarm.Refusal, more bool) error) error {
	for {
		n := min(len(refused), refusalsPerMessage)
		if err := send(refused[:n:n], n < len(refused)); err != nil {
			return err
		}
		if refused = refused[n:]; len(refused) == 0 {
			return nil
		}
	}
}

func (w *worker) settle(refused []swarm.Refusal) error {
	w.swarm.Settle(refused)
	w.reporting.Lock()
	defer w.reporting.Unlock()
	progress := w.swarm.Progress()
	if err := w.link.Send(&link.Message{Progress: &progress}); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.link.Send(&link.Message{Settled: &link.Settled{Tick: w.tick(w.parts.Clock.Now(), true)}})
}

// tick takes what was counted. The caller holds reporting.
func (w *worker) tick(at int64, whole bool) link.Tick {
	t := link.Tick{Phase: w.phase, At: at, Tally: w.swarm.Tick()}
	if w.watch != nil {
		self, hiccup := w.watch.Read(whole)
		t.Self = self
		t.Tally.Hists[tally.Hiccup] = t.Tally.Hists[tally.Hiccup].Add(hiccup)
	}
	return t
}
