package dialect_test

import (
	"context"
	"testing"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/dialect"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
)

// TestEngine runs scenarios against all real servers: everything that is
// published to anyone arrives, before and after half of the clients were cut
// and have come back as their dialect says.
func TestEngine(t *testing.T) {
	for _, name := range dialect.SubjectNames() {
		t.Run(name, func(t *testing.T) {
			d, format, url, api := dialect.StartSubject(t, name)
			s := &scenario.Scenario{
				Seed:      7,
				Target:    scenario.Target{URLs: []string{url}, Dialect: d, Format: format},
				Clients:   scenario.Clients{Count: clients, Prefix: "c-", Window: 16, Timeout: 5 * time.Second},
				Groups:    []scenario.Group{{Name: "all", Share: 1, Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true}},
				Topics:    scenario.Topics{Count: 4, PerClient: 2, Prefix: "t-"},
				Measure:   scenario.Measure{Interval: time.Second, Deadline: 5 * time.Second},
				Reconnect: scenario.Reconnect{Policy: scenario.PolicyDialect, Base: time.Second, Cap: time.Second, Resume: true},
			}
			if api != "" {
				s.Target.APIs = []string{api}
			}
			s.Phases = []scenario.Phase{{Name: "ramp", Ramp: &scenario.Ramp{To: clients, Arrival: scenario.Arrival{Kind: scenario.AtOnce}}},
				publishing(t, s), {Name: "storm", Storm: &scenario.Storm{Share: .5, How: scenario.CloseRST}}, publishing(t, s)}
			r := newRun(t, s)
			r.phase(0, func(p swarm.Progress) bool { return p.Connected == clients })
			r.published(1)
			r.phase(2, func(p swarm.Progress) bool { return p.Cut == clients/2 && p.Restored == clients/2 })
			r.published(3)
			if c := r.sum.Total(); c.Redials < clients/2 || c.Failed+c.Lost > 0 {
				t.Errorf("%+v\n%+v", c, r.sum.Errors)
			}
		})
	}
}

const (
	clients  = 12
	messages = 20 // of each audience
)

// publishing is a phase with all audiences that the dialect has.
func publishing(t *testing.T, s *scenario.Scenario) scenario.Phase {
	d, err := dialect.New(s.Target.Dialect, dialect.Config{API: append(s.Target.APIs, "")[0], Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	p := scenario.Phase{Name: "publish", For: 200 * time.Millisecond}
	for _, to := range []scenario.Audience{scenario.ToAll, scenario.ToTopic, scenario.ToDevice, scenario.ToSelf} {
		if s.Target.Dialect == "plain" && to != scenario.ToSelf || d.Supports(string(to), "live") != nil {
			continue // the plain server here is an echo
		}
		p.Publish = append(p.Publish, scenario.Publish{To: to, Class: "live", Size: scenario.Size{P50: 128},
			Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: messages * 5}})
	}
	return p
}

// run is one worker and what it counted.
type run struct {
	t     *testing.T
	s     *scenario.Scenario
	clock *clock.Clock
	w     swarm.Swarm
	sum   tally.Tally
}

func newRun(t *testing.T, s *scenario.Scenario) *run {
	r := &run{t: t, s: s, clock: clock.New()}
	w, err := swarm.New(swarm.Config{Scenario: s, Workers: 1, Clock: r.clock, Run: 42})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	r.w = w
	return r
}

// phase runs a phase until done, and settles it.
func (r *run) phase(i int, done func(swarm.Progress) bool) {
	r.t.Helper()
	if err := r.w.Begin(i, r.clock.Now()); err != nil {
		r.t.Fatal(err)
	}
	r.await("phase "+r.s.Phases[i].Name, func() bool { return done(r.w.Progress()) })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	refused, err := r.w.Finish(ctx, r.clock.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	if len(r.s.Phases[i].Publish) > 0 {
		r.await("deliveries", r.quiet())
	}
	r.w.Settle(refused)
	r.tick()
}

// quiet says whether nothing has come for a while: what comes, comes soon on
// loopback.
func (r *run) quiet() func() bool {
	last, since := r.tick().BytesIn, time.Now()
	return func() bool {
		if n := r.tick().BytesIn; n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	}
}

func (r *run) tick() tally.Counts {
	r.sum.Add(r.w.Tick())
	return r.sum.Total()
}

func (r *run) await(what string, done func() bool) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s: not within 20 s: %+v\n%+v\n%+v", what, r.w.Progress(), r.tick(), r.sum.Errors)
		}
	}
}

// published runs a publishing phase and compares.
func (r *run) published(i int) {
	r.t.Helper()
	before := r.tick()
	r.phase(i, func(p swarm.Progress) bool { return p.PlanDone })
	c := r.tick()
	if n := c.Sent - before.Sent; n != uint64(messages*len(r.s.Phases[i].Publish)) {
		r.t.Errorf("%d messages were sent", n)
	}
	if c.Expected == before.Expected || c.Missing+c.Gap+c.Stray+c.Wrong+c.Duplicate+c.Refused+c.Unknown+c.ClockErrs > 0 {
		r.t.Errorf("phase %d: %+v\n%+v", i, c, r.sum.Errors)
	}
}
