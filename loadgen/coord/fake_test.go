package coord

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"roost/loadgen/clock"
	"roost/loadgen/link"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
	"roost/loadgen/worker"
	"roost/loadgen/workerpool"
)

// childEnv makes the test binary a worker with a fake swarm: how it behaves.
const childEnv = "COORD_TEST_CHILD"

func TestMain(m *testing.M) {
	if how, ok := os.LookupEnv(childEnv); ok {
		os.Exit(child(how))
	}
	goleak.VerifyTestMain(m)
}

func child(how string) int {
	l, err := workerpool.Inherited()
	if text, ok := strings.CutPrefix(how, "says "); ok && err == nil {
		return nonsense(l, text)
	}
	if err == nil {
		err = worker.Serve(context.Background(), l, parts(how))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// nonsense is a worker that is ready, and then says something.
func nonsense(l link.Link, text string) int {
	_ = l.Send(&link.Message{Hello: worker.Hello("")})
	for {
		m, err := l.Receive()
		switch {
		case err != nil || m.Done != nil:
			return 0
		case m.Plan != nil:
			_ = l.Send(&link.Message{Ready: &link.Ready{Clients: 1}})
		case m.Begin != nil && text == "only what a coordinator says":
			_ = l.Send(&link.Message{Begin: m.Begin})
		case m.Begin != nil && text == "too many groups":
			_ = l.Send(&link.Message{Tick: &link.Tick{Tally: &tally.Tally{Groups: make([]tally.Group, 7)}}})
		case m.Begin != nil && text == "nothing more":
			_ = l.Close()
		}
	}
}

// read reads a scenario.
func read(text string) (*scenario.Scenario, error) {
	return scenario.Parse("test.yaml", []byte(text), scenario.ParseOptions{})
}

// parts are of a worker with a fake swarm.
func parts(how string) worker.Parts {
	return worker.Parts{Clock: clock.New(), Read: read, Watch: worker.WatchProcess,
		New: func(cfg swarm.Config) (swarm.Swarm, error) {
			if how == "refuses" {
				return nil, fmt.Errorf("worker %d has no mind to", cfg.Worker)
			}
			return &fake{cfg: cfg, how: how, phase: -1}, nil
		}}
}

// fake is a swarm without connections. What it counts follows from its clients
// and messages alone, so that any number of workers count the same in all.
type fake struct {
	cfg swarm.Config
	how string

	mu      sync.Mutex
	phase   int
	at      int64
	counted bool  // of the phase
	ended   int64 // the end of its plan
	tally   *tally.Tally
}

// restoresAfter is when a client that was cut is back.
func restoresAfter(client int) time.Duration {
	return time.Duration(50+client%100) * time.Millisecond
}

func (f *fake) clients() (own []int) {
	for c := f.cfg.Worker; c < f.cfg.Scenario.Clients.Count; c += f.cfg.Workers {
		own = append(own, c)
	}
	return own
}

func (f *fake) spec() *scenario.Phase { return &f.cfg.Scenario.Phases[f.phase] }

func (f *fake) Begin(i int, at int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.phase, f.at, f.counted = i, at, false
	if f.how == fmt.Sprintf("fails in %d", i) && f.cfg.Worker == 1 {
		return fmt.Errorf("phase %d is too much", i)
	}
	if f.how == fmt.Sprintf("hangs in %d", i) && f.cfg.Worker == 1 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
	if f.how == fmt.Sprintf("dies in %d", i) && f.cfg.Worker == 1 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return nil
}

func (f *fake) Progress() swarm.Progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.clients())
	p := swarm.Progress{Phase: f.phase, Clients: n}
	if f.phase < 0 {
		return p
	}
	passed := time.Duration(f.cfg.Clock.Now() - f.at)
	p.Connected, p.Goal, p.Idle = n, n, passed > 0
	spec := f.spec()
	if ramp := spec.Ramp; ramp != nil {
		p.Dialed = n
		if f.how == "never connects" {
			p.Connected = 0
		}
	}
	if spec.Storm != nil && passed > 0 {
		for _, c := range f.cut() {
			p.Cut++
			if passed > restoresAfter(c) {
				p.Restored++
			} else {
				p.Connected--
				p.Away++
				p.Idle = false
			}
		}
	}
	switch {
	case f.ended <= f.at: // the plan goes on
	case f.how == "delivers late":
		p.Idle = f.arrived()
	case f.how == "dies in 1" && f.phase > 0: // the others wait for its messages
		p.Idle = false
	}
	if spec.Drain != nil {
		p.Goal = 0
		if passed > spec.Drain.Over {
			p.Connected = 0
		}
	}
	return p
}

// arrived reports whether what comes late has come.
func (f *fake) arrived() bool { return f.cfg.Clock.Now() > f.ended+int64(500*time.Millisecond) }

// cut are the own clients that a storm ends: the even ones.
func (f *fake) cut() (cut []int) {
	for _, c := range f.clients() {
		if c%2 == 0 && f.how != "nobody is cut" {
			cut = append(cut, c)
		}
	}
	return cut
}

func (f *fake) take() *tally.Tally {
	if f.tally == nil {
		f.tally = &tally.Tally{Groups: make([]tally.Group, len(f.cfg.Scenario.Groups))}
	}
	return f.tally
}

func (f *fake) Tick() *tally.Tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.take()
	f.tally = nil
	return t
}

func (f *fake) Finish(ctx context.Context, at int64) ([]swarm.Refusal, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.how == fmt.Sprintf("never finishes %d", f.phase) && f.cfg.Worker == 1 {
		f.mu.Unlock()
		time.Sleep(time.Hour) // the test kills it
	}
	f.count(time.Duration(at - f.at))
	f.ended = at
	var refused []swarm.Refusal
	for n := f.cfg.Worker; n < f.messages(); n += f.cfg.Workers {
		if n%10 == 3 {
			refused = append(refused, swarm.Refusal{Number: uint32(n)})
		}
	}
	return refused, nil
}

// messages is how many the phase has, whatever its length.
func (f *fake) messages() int {
	if len(f.spec().Publish) == 0 {
		return 0
	}
	return 100
}

// count counts the whole phase.
func (f *fake) count(time.Duration) {
	t := f.take()
	spec := f.spec()
	if spec.Ramp != nil {
		for _, c := range f.clients() {
			g := &t.Groups[0].Counts
			if f.how == "never connects" {
				t.Errors.Count(tally.ErrorKey{Stage: "dial", Class: "ECONNREFUSED", Text: "connect: connection refused"}, 1)
				g.Dials++
				g.Failed++
				continue
			}
			if f.how == "runs out" && c == 0 { // and tries again, with success
				t.Errors.Count(tally.ErrorKey{Stage: "dial", Class: "EMFILE", Text: "socket: too many open files"}, 1)
				g.Dials++
				g.Failed++
			}
			g.Dials++
			g.Established++
			g.Ready++
			record(&t.Hists[tally.Connect], int64(1_000_000+c*1000))
		}
	}
	if spec.Storm != nil {
		for _, c := range f.cut() {
			g := &t.Groups[0].Counts
			g.Dials, g.Redials, g.Ready, g.Restored, g.Ended = g.Dials+2, g.Redials+2, g.Ready+1, g.Restored+1, g.Ended+1
			g.Failed++
			g.StormRedials += 2
			if c%4 == 0 {
				g.Resumed++
				g.StormResumed++
			}
			record(&t.Hists[tally.RestoreAt], int64(restoresAfter(c)))
			record(&t.Hists[tally.Restore], int64(restoresAfter(c)))
		}
	}
	for n := range f.messages() {
		if n%f.cfg.Workers == f.cfg.Worker {
			g := &t.Groups[0].Counts
			g.Planned++
			g.Sent++
			if n%10 == 3 {
				g.Refused++
			}
			record(&t.Hists[tally.SendLag], 10_000)
		}
		r := tally.Round{Seq: uint32(n), Due: f.at + int64(n)*1_000_000, Want: uint32(len(f.clients()))}
		if n%10 != 3 {
			var came []int64
			for _, c := range f.clients() {
				came = append(came, r.Due+latency(n, c))
			}
			slices.Sort(came)
			for _, at := range came {
				r.Deliver(at)
			}
		}
		t.Rounds = append(t.Rounds, r)
	}
}

// latency is how long message n takes to client c.
func latency(n, c int) int64 {
	return rand.New(rand.NewPCG(uint64(n), uint64(c))).Int64N(20_000_000) + 1000
}

func record(h **tally.Hist, ns int64) {
	if *h == nil {
		*h = tally.NewHist()
	}
	(*h).Record(ns)
}

// Settle counts what came, now that it is known what was refused.
func (f *fake) Settle(refused []swarm.Refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	not := map[uint32]bool{}
	for _, x := range refused {
		not[x.Number] = true
	}
	t := f.take()
	for n := range f.messages() {
		if not[uint32(n)] {
			continue
		}
		for _, c := range f.clients() {
			g := &t.Groups[0]
			g.Counts.Expected++
			if n%10 == 3 || f.how == "loses" && n == 7 && c == 5 || f.how == "delivers late" && !f.arrived() {
				g.Counts.Missing++
				if g.Hists[tally.Delivery] == nil {
					g.Hists[tally.Delivery] = tally.NewHist()
				}
				g.Hists[tally.Delivery].Miss(1)
				continue
			}
			g.Counts.Delivered++
			record(&g.Hists[tally.Delivery], latency(n, c))
		}
	}
}

func (f *fake) Close() {}

// quiet is a scenario's validity with everything off that a busy test machine
// can break.
const quiet = "validity: {min_rate: 0.9, send_lag: 0s, hiccup: 0s, rx_lag_share: 0, cpu: 0, run_delay: 0, psi: 0, gc_pause: 0s, ceiling_factor: 0}\n"

// phases is a scenario of some phases, with count clients. The fake refuses every
// tenth message, and that is no breach.
func phases(t *testing.T, count int, list ...string) *scenario.Scenario {
	t.Helper()
	text := fmt.Sprintf("name: test\nclients: {count: %d}\nmeasure: {deadline: 1s}\n%sphases:\n", count, quiet)
	for _, p := range list {
		if !strings.HasPrefix(p, "{") { // not a phase but a key
			text += p + "\n"
			continue
		}
		text += "  - " + p + "\n"
	}
	s, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	s.Thresholds = append(s.Thresholds, "refused < 1000")
	return s
}

// Phases of tests.
const (
	rampPhase  = "{name: ramp, ramp: {rate: 1000/s}, timeout: 5s}"
	holdPhase  = "{name: hold, publish: {to: all, rate: 100/s}, for: 300ms}"
	stormPhase = "{name: storm, storm: {share: 50%, how: rst}, until: restored, timeout: 20s}"
	drainPhase = "{name: drain, drain: {to: 0, over: 100ms}}"
)

// options are of a run with so many workers that behave in some way.
func options(s *scenario.Scenario, workers int, how string, log io.Writer) Options {
	o := Options{Scenario: s, Workers: workers, Worker: parts(how), Log: log}
	if workers > 1 {
		o.Command, o.WorkerEnv = []string{"/proc/self/exe"}, []string{childEnv + "=" + how, "GORACE=atexit_sleep_ms=0"}
	}
	return o
}
