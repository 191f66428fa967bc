package swarm

import (
	"context"
	"slices"
	"testing"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

// patience bounds every wait for a state: on a machine with thirty other things to do these take their time, and
// passing it is a failure.
const patience = time.Minute

// rig is a scenario under test, with all its workers in this process.
type rig struct {
	t       testing.TB
	s       *scenario.Scenario
	clock   *clock.Clock
	workers []*Worker
	lead    time.Duration // from when workers are told of a phase until it begins; 0: 5 ms. A coordinator gives 200 ms
	sum     tally.Tally
}

// plain is a scenario against a fake.
func (f *fake) plain(clients int, phases ...scenario.Phase) *scenario.Scenario {
	s := base(clients, phases...)
	s.Target = scenario.Target{URLs: []string{"ws://" + f.ln.Addr().String() + "/"}, APIs: []string{f.api.URL}, Dialect: "plain"}
	return s
}

func base(clients int, phases ...scenario.Phase) *scenario.Scenario {
	for i := range phases {
		if phases[i].Name == "" {
			phases[i].Name = "p"
		}
	}
	return &scenario.Scenario{
		Seed:      7,
		Clients:   scenario.Clients{Count: clients, Prefix: "c", Window: 64, Timeout: patience},
		Groups:    []scenario.Group{{Name: "all", Share: 1, Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true}},
		Measure:   scenario.Measure{Interval: time.Second, Deadline: patience / 2},
		Reconnect: scenario.Reconnect{Policy: scenario.PolicyNone},
		Phases:    phases,
	}
}

// ramp is a phase that connects everybody at once.
func ramp(to int) scenario.Phase {
	return scenario.Phase{Name: "ramp", Ramp: &scenario.Ramp{To: to, Arrival: scenario.Arrival{Kind: scenario.AtOnce}},
		Until: scenario.Until{Kind: scenario.UntilConnected, Share: 1}}
}

// publish is a phase that publishes at a rate.
func publish(to scenario.Audience, rate float64, d time.Duration) scenario.Phase {
	return scenario.Phase{Name: "publish", For: d, Publish: []scenario.Publish{{To: to, Class: "live",
		Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: rate}, Size: scenario.Size{P50: 128}}}}
}

func newRig(t testing.TB, s *scenario.Scenario, workers int) *rig {
	t.Helper()
	r := &rig{t: t, s: s, clock: clock.New()}
	for i := range workers {
		w, err := New(Config{Scenario: s, Worker: i, Workers: workers, Clock: r.clock, Run: 42})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Close)
		if p := w.Progress(); p.Phase != -1 {
			t.Fatalf("before the first phase: %+v", p)
		}
		r.workers = append(r.workers, w)
	}
	return r
}

func (r *rig) begin(i int) {
	r.t.Helper()
	at := r.clock.Now() + int64(max(r.lead, 5*time.Millisecond))
	for _, w := range r.workers {
		if err := w.Begin(i, at); err != nil {
			r.t.Fatal(err)
		}
	}
}

// progress is the sum over the workers.
func (r *rig) progress() (sum Progress) {
	sum.Idle, sum.PlanDone = true, true
	for _, w := range r.workers {
		p := w.Progress()
		sum.Phase = p.Phase
		sum.Clients += p.Clients
		sum.Connected += p.Connected
		sum.Dialing += p.Dialing
		sum.Goal += p.Goal
		sum.Dialed += p.Dialed
		sum.Cut += p.Cut
		sum.Restored += p.Restored
		sum.Away += p.Away
		sum.Pending += p.Pending
		sum.Idle = sum.Idle && p.Idle
		sum.PlanDone = sum.PlanDone && p.PlanDone
	}
	return sum
}

// await waits until done says so.
func (r *rig) await(what string, done func() bool) {
	r.t.Helper()
	await(r.t, what, done, func() [2]any { return [2]any{r.progress(), r.tick().Total()} })
}

func await[T any](t testing.TB, what string, done func() bool, say func() T) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: waited too long: %+v", what, say())
		}
	}
}

// finish ends the plan now and settles, after at most wait for what is under
// way.
func (r *rig) finish(wait func() bool) {
	r.t.Helper()
	at := r.clock.Now() + int64(2*time.Millisecond)
	var all []Refusal
	for _, w := range r.workers {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		list, err := w.Finish(ctx, at)
		cancel()
		if err != nil {
			r.t.Fatalf("%v: %+v", err, w.Progress())
		}
		all = append(all, list...)
	}
	if wait != nil {
		end := time.Now().Add(patience)
		for !wait() && time.Now().Before(end) {
			time.Sleep(time.Millisecond)
			r.tick()
		}
	}
	for _, w := range r.workers {
		w.Settle(all)
	}
	r.tick()
}

// tick adds up what was counted.
func (r *rig) tick() *tally.Tally {
	for _, w := range r.workers {
		r.sum.Add(w.Tick())
	}
	return &r.sum
}

// run runs a phase to the end of its plan and returns what was counted since the
// run began.
func (r *rig) run(i int) tally.Counts {
	r.t.Helper()
	r.begin(i)
	r.await("plan of phase", func() bool { p := r.progress(); return p.PlanDone && p.Dialing == 0 })
	r.finish(r.settled())
	c := r.sum.Total()
	r.conserve(c)
	return c
}

// settled says whether all has come that a fake has sent: its clients have
// answered a ping behind it. What they sent themselves had come to the fake when
// they answered, and what the fake makes of it is before a second ping. A real
// server loses nothing, so there the workers know.
func (r *rig) settled() func() bool {
	all := r.fakes()
	if len(all) == 0 {
		return func() bool { return r.progress().Idle }
	}
	rounds, pinged := 0, 0
	behind := make([]string, len(all)) // the payload of each fake's last pings
	return func() bool {
		n := r.answering()
		if behind[0] == "" || n > pinged { // or some have connected meanwhile
			pinged = 0
			for i, f := range all {
				var conns int
				behind[i], conns = f.pingAll()
				pinged += conns
			}
			return false
		}
		answered := 0
		for i, f := range all {
			answered += f.answers(behind[i])
		}
		if answered < n {
			return false
		}
		behind[0] = ""
		rounds++
		return rounds == 2
	}
}

// fakes returns those that the scenario is against, each once.
func (r *rig) fakes() (all []*fake) {
	for _, u := range r.s.Target.URLs {
		if f := fakeOf(u); f != nil && !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	return all
}

// answering returns how many clients read and answer pings.
func (r *rig) answering() (n int) {
	for _, w := range r.workers {
		w.do(func() {
			for i := range w.clients {
				c := &w.clients[i]
				if c.state == ready && c.flags&silenced == 0 && w.groups.list[c.group].AnswerPing && w.reads(c) == scenario.ReadDrain {
					n++
				}
			}
		})
	}
	return n
}

// conserve checks the laws of Counts.
func (r *rig) conserve(c tally.Counts) {
	r.t.Helper()
	if c.Expected != c.Delivered+c.Missing+c.Gap {
		r.t.Errorf("expected %d is not delivered %d + missing %d + gap %d", c.Expected, c.Delivered, c.Missing, c.Gap)
	}
	p := r.progress()
	if c.Ready != c.Lost+c.Cut+c.Ended+uint64(p.Connected) {
		r.t.Errorf("ready %d is not lost %d + cut %d + ended %d + connected %d", c.Ready, c.Lost, c.Cut, c.Ended, p.Connected)
	}
	if c.Planned != c.Sent+c.Unsent {
		r.t.Errorf("planned %d is not sent %d + unsent %d", c.Planned, c.Sent, c.Unsent)
	}
}
