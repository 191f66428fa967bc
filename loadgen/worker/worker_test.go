package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/link"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
)

// patience bounds every wait of a test: passing it is a failure.
const patience = 20 * time.Second

// fake is a swarm that keeps what it is told.
type fake struct {
	mu      sync.Mutex
	calls   []string
	refused []swarm.Refusal // what Finish returns
	settled []swarm.Refusal
	counted uint64 // in the next Tick
	stuck   bool   // Finish waits until it may not
	failed  error  // of Begin
	lacking error  // of Finish, beside that its time is over
	closed  chan struct{}
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *fake) Begin(i int, at int64) error {
	f.note("begin %d at %d", i, at)
	return f.failed
}

func (f *fake) Progress() swarm.Progress { return swarm.Progress{Clients: 3, Idle: true} }

func (f *fake) Tick() *tally.Tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Sent: f.counted}}}}
	f.counted = 0
	return t
}

func (f *fake) Finish(ctx context.Context, at int64) ([]swarm.Refusal, error) {
	f.note("finish at %d", at)
	if f.stuck {
		<-ctx.Done()
		return nil, errors.Join(ctx.Err(), f.lacking)
	}
	return f.refused, f.lacking
}

func (f *fake) Settle(refused []swarm.Refusal) {
	f.note("settle")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled, f.counted = refused, f.counted+5
}

func (f *fake) Close() { close(f.closed) }

// rig is a worker under test, with its coordinator's end.
type rig struct {
	t     *testing.T
	link  link.Link
	swarm *fake
	parts Parts
	done  chan error
}

// newRig starts a worker whose parts change makes.
func newRig(t *testing.T, change func(*rig)) *rig {
	t.Helper()
	ours, theirs := link.Pair()
	r := &rig{t: t, link: ours, swarm: &fake{closed: make(chan struct{})}, done: make(chan error, 1)}
	r.parts = Parts{Token: "secret", Clock: clock.New(), Watch: WatchProcess,
		Read: func(text string) (*scenario.Scenario, error) {
			if text == "bad" {
				return nil, errors.New("line 1 is bad")
			}
			return &scenario.Scenario{Phases: make([]scenario.Phase, 2), Measure: scenario.Measure{Interval: 200 * time.Millisecond}}, nil
		},
		New: func(swarm.Config) (swarm.Swarm, error) { return r.swarm, nil }}
	if change != nil {
		change(r)
	}
	go func() { r.done <- Serve(context.Background(), theirs, r.parts) }()
	t.Cleanup(func() { ours.Close() })
	return r
}

// until returns the next message that is wanted.
func (r *rig) until(want func(*link.Message) bool) *link.Message {
	r.t.Helper()
	got := make(chan *link.Message, 1)
	go func() {
		for {
			m, err := r.link.Receive()
			if err != nil || want(m) {
				got <- m
				return
			}
		}
	}()
	select {
	case m := <-got:
		if m == nil {
			r.t.Fatal("the worker has ended")
		}
		return m
	case <-time.After(patience):
		r.t.Fatal("it did not come")
	}
	return nil
}

func (r *rig) tell(m *link.Message) {
	r.t.Helper()
	if err := r.link.Send(m); err != nil {
		r.t.Fatal(err)
	}
}

// ready takes the hello, plans and waits.
func (r *rig) ready() {
	r.t.Helper()
	m := r.until(func(m *link.Message) bool { return m.Hello != nil })
	if m.Hello.Version != link.Version || m.Hello.Token != "secret" || m.Hello.PID == 0 || m.Hello.Boot == "" || m.Hello.Files == 0 {
		r.t.Errorf("hello %+v", m.Hello)
	}
	r.tell(&link.Message{Plan: &link.Plan{Scenario: "good", Workers: 1}})
	if m := r.until(func(m *link.Message) bool { return m.Ready != nil || m.Fail != nil }); m.Ready == nil || m.Ready.Clients != 3 {
		r.t.Fatalf("%+v", m)
	}
}

// ended waits for the end and returns its error.
func (r *rig) ended() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(patience):
		r.t.Fatal("it goes on")
	}
	return nil
}

// TestPhase: a worker is told a phase, and tells what there is to tell.
func TestPhase(t *testing.T) {
	r := newRig(t, nil)
	for i := range 250_001 {
		r.swarm.refused = append(r.swarm.refused, swarm.Refusal{Number: uint32(i)})
	}
	r.ready()
	r.tell(&link.Message{Begin: &link.Begin{Phase: 1, At: 42}})
	tick := r.until(func(m *link.Message) bool {
		return m.Tick != nil && m.Tick.Phase == 1 && m.Tick.At%int64(200*time.Millisecond) == 0
	}).Tick
	if tick.Self == nil || tick.Self.CPU <= 0 || tick.Self.RSS <= 0 {
		t.Errorf("tick at %d, %+v", tick.At, tick.Self)
	}
	r.tell(&link.Message{Finish: &link.Finish{At: 43, Wait: time.Second}})
	parts, refused := 0, 0
	r.until(func(m *link.Message) bool {
		if m.Finished != nil {
			parts++
			refused += len(m.Finished.Refused)
		}
		return m.Finished != nil && !m.Finished.More
	})
	if parts != 3 || refused != 250_001 {
		t.Errorf("%d refusals in %d parts", refused, parts)
	}
	r.tell(&link.Message{Settle: &link.Settle{Refused: []swarm.Refusal{{Number: 1}}, More: true}})
	r.tell(&link.Message{Settle: &link.Settle{Refused: []swarm.Refusal{{Number: 2}}}})
	settled := r.until(func(m *link.Message) bool { return m.Settled != nil }).Settled.Tick
	if c := settled.Tally.Total(); c.Sent != 5 || settled.Phase != 1 || settled.Self.RecvQ < 0 {
		t.Errorf("%+v, phase %d, %+v", c, settled.Phase, settled.Self)
	}
	r.tell(&link.Message{Done: &link.Done{}})
	if err := r.ended(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	<-r.swarm.closed
	if got := fmt.Sprint(r.swarm.calls, len(r.swarm.settled)); got != "[begin 1 at 42 finish at 43 settle] 2" {
		t.Errorf("the swarm was told %s", got)
	}
}

// TestClockFollowsPings, and answers tell its own, before there is a plan and
// after.
func TestClockFollowsPings(t *testing.T) {
	r := newRig(t, nil)
	r.until(func(m *link.Message) bool { return m.Hello != nil })
	pong := func(shift int64) int64 {
		r.tell(&link.Message{Ping: &link.Ping{At: 7, Shift: shift}})
		p := r.until(func(m *link.Message) bool { return m.Pong != nil }).Pong
		if p.At != 7 {
			t.Errorf("answer to %d", p.At)
		}
		return p.Own
	}
	before := clock.New()
	near := func(own int64) {
		if d := time.Duration(before.Now() - own); d.Abs() > 10*time.Second {
			t.Errorf("its own clock is %v off", d)
		}
	}
	near(pong(0))
	r.tell(&link.Message{Plan: &link.Plan{Workers: 1, Shift: int64(time.Hour)}})
	r.until(func(m *link.Message) bool { return m.Ready != nil })
	near(pong(int64(2 * time.Hour)))
	near(pong(int64(2 * time.Hour)))
	if d := time.Duration(r.parts.Clock.Now() - before.Now()); (d - 2*time.Hour).Abs() > 10*time.Second {
		t.Errorf("shifted by %v, want 2h", d)
	}
	r.link.Close()
	if err := r.ended(); err == nil || !strings.Contains(err.Error(), "the coordinator is gone") {
		t.Errorf("it ended with %v", err)
	}
}

// TestEndsEarly: why it cannot go on is said at both ends.
func TestEndsEarly(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*rig)
		tell       []*link.Message
	}{
		{"bad scenario", "line 1 is bad", nil, []*link.Message{{Plan: &link.Plan{Scenario: "bad", Workers: 1}}}},
		{"no swarm", "no room", func(r *rig) {
			r.parts.New = func(swarm.Config) (swarm.Swarm, error) { return nil, errors.New("no room") }
		}, []*link.Message{{Plan: &link.Plan{Workers: 1}}}},
		{"too small a machine", "ulimit -n 9", func(r *rig) {
			r.parts.Check = func(*scenario.Scenario, int, int) ([]string, error) { return []string{"ulimit -n 9"}, nil }
		}, []*link.Message{{Plan: &link.Plan{Workers: 1, Check: true}}}},
		{"cannot look at the machine", "no /proc", func(r *rig) {
			r.parts.Check = func(*scenario.Scenario, int, int) ([]string, error) { return nil, errors.New("no /proc") }
		}, []*link.Message{{Plan: &link.Plan{Workers: 1, Check: true}}}},
		{"sent away", "wrong token", nil, []*link.Message{{Fail: &link.Fail{Error: "wrong token"}}}},
		{"no plan", "no plan", nil, []*link.Message{{Done: &link.Done{}}}},
		{"phase that is none", "phase 2 of 2", nil, []*link.Message{{Plan: &link.Plan{Workers: 1}}, {Begin: &link.Begin{Phase: 2}}}},
		{"begin fails", "cannot begin", func(r *rig) { r.swarm.failed = errors.New("cannot begin") },
			[]*link.Message{{Plan: &link.Plan{Workers: 1}}, {Begin: &link.Begin{}}}},
		{"given up", "gave up: enough", nil, []*link.Message{{Plan: &link.Plan{Workers: 1}}, {Fail: &link.Fail{Error: "enough"}}}},
		{"nonsense", "only workers say", nil, []*link.Message{{Plan: &link.Plan{Workers: 1}}, {Ready: &link.Ready{}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.change)
			r.until(func(m *link.Message) bool { return m.Hello != nil })
			for _, m := range c.tell {
				r.tell(m)
			}
			if err := r.ended(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it ended with %v, want %q", err, c.want)
			}
		})
	}
}

// TestCoordinatorGoneWhileFinishing: nothing is waited for.
func TestCoordinatorGoneWhileFinishing(t *testing.T) {
	r := newRig(t, func(r *rig) { r.swarm.stuck = true })
	r.ready()
	r.tell(&link.Message{Begin: &link.Begin{}})
	r.tell(&link.Message{Finish: &link.Finish{At: r.parts.Clock.Now(), Wait: time.Hour}})
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		r.swarm.mu.Lock()
		n := len(r.swarm.calls)
		r.swarm.mu.Unlock()
		if n == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it was told %d things, want to begin and to finish", n)
		}
	}
	r.link.Close()
	if err := r.ended(); err == nil || !strings.Contains(err.Error(), "the coordinator is gone") {
		t.Errorf("it ended with %v", err)
	}
	<-r.swarm.closed
}

// TestFinishWaitsNoLongerThanItIsTold: what was not answered then is not known.
func TestFinishWaitsNoLongerThanItIsTold(t *testing.T) {
	r := newRig(t, func(r *rig) { r.swarm.stuck = true })
	r.ready()
	r.tell(&link.Message{Begin: &link.Begin{}})
	r.tell(&link.Message{Finish: &link.Finish{At: r.parts.Clock.Now(), Wait: time.Millisecond}})
	if m := r.until(func(m *link.Message) bool { return m.Finished != nil || m.Fail != nil }); m.Finished == nil {
		t.Errorf("%+v", m.Fail)
	}
	r.tell(&link.Message{Done: &link.Done{}})
	if err := r.ended(); err != nil {
		t.Error(err)
	}
}

// TestWhatFailsWhileFinishingIsSaid, also when time is over.
func TestWhatFailsWhileFinishingIsSaid(t *testing.T) {
	for _, failed := range []error{swarm.ErrOverflow, swarm.ErrNoPhase} {
		r := newRig(t, func(r *rig) { r.swarm.stuck, r.swarm.lacking = failed == swarm.ErrOverflow, failed })
		r.ready()
		r.tell(&link.Message{Begin: &link.Begin{}})
		r.tell(&link.Message{Finish: &link.Finish{At: r.parts.Clock.Now(), Wait: time.Millisecond}})
		if err := r.ended(); !errors.Is(err, failed) {
			t.Errorf("it ended with %v, want %v", err, failed)
		}
	}
}

// TestTooManyCommandsEndIt: a coordinator that has gone mad fills no memory.
func TestTooManyCommandsEndIt(t *testing.T) {
	r := newRig(t, func(r *rig) { r.swarm.stuck = true })
	r.ready()
	r.tell(&link.Message{Finish: &link.Finish{Wait: time.Hour}})
	for range 200 {
		if r.link.Send(&link.Message{Settle: &link.Settle{}}) != nil {
			break
		}
	}
	if err := r.ended(); err == nil || !strings.Contains(err.Error(), "more commands") {
		t.Errorf("it ended with %v", err)
	}
}

// TestWatchSeesThisProcess: what was used since it began, and hiccups.
func TestWatchSeesThisProcess(t *testing.T) {
	w := WatchProcess(1)
	defer w.Close()
	before, _ := w.Read(true)
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
	}
	after, late := w.Read(false)
	if after.CPU <= before.CPU || after.PeakRSS < after.RSS || before.RecvQ < 0 || after.RecvQ != -1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if late.Count() == 0 {
		t.Error("no hiccups were looked for")
	}
}
