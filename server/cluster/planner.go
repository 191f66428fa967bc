package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"roost/ring"
)

// PlannerTTL is how long a planner that says nothing keeps the others waiting.
const PlannerTTL = 5 * time.Second

// PlannerOptions say who plans and how. All but ID may be zero.
type PlannerOptions struct {
	// ID of the node that offers to plan.
	ID string
	// TTL of the planner's lease, in whole seconds; PlannerTTL if 0.
	TTL   time.Duration
	Plan  PlanSettings
	Trial TrialSettings
	// Keep is how many old versions are kept; 16 if 0.
	Keep int
	// Counts says what was seen of a trial; nil is Sum.
	Counts func(v *View, trial uint64) Counts
	// OnStep is told what the planner did, or failed to do, from its goroutine; it
	// must not block. Nil is nobody.
	OnStep func(Step)
}

// Step is something that a planner did to the pointer.
type Step struct {
	What    string  // a Kind's name, or an Action's
	Why     string  // in words
	Pointer Pointer // afterwards
	Err     error   // why not; it is tried again
}

// PlannerState is where a Planner is.
type PlannerState uint8

// A planner moves so; Closed is reached from both.
//
//	          key put                  lease lost, or not refreshed within the TTL
//	Waiting ──────────▶ Leading ─────────────────────────────────────────────────▶ Waiting
const (
	Waiting PlannerState = iota // another node plans, or nobody yet
	Leading
	Closed
)

// String returns the state's name.
func (s PlannerState) String() string {
	return [...]string{"waiting", "leading", "closed"}[min(s, Closed)]
}

// Planner offers to plan, and plans while it is the elected one.
type Planner struct {
	// Static after Plan.
	c      *Client
	w      *Watcher
	r      *Router
	o      PlannerOptions
	token  string
	cancel context.CancelFunc
	done   chan struct{}

	// Owned by run.
	retry retry
	mem   PlanMemory
	last  int64 // activation that this planner has made last
	trial sighting

	state atomic.Uint32
	why   atomic.Pointer[string]
}

// Plan offers to plan, with what w and r see, until Close. Errors are ErrOptions.
func (c *Client) Plan(w *Watcher, r *Router, o PlannerOptions) (*Planner, error) {
	if o.TTL == 0 {
		o.TTL = PlannerTTL
	}
	if o.Keep == 0 {
		o.Keep = 16
	}
	if o.Counts == nil {
		o.Counts = Sum
	}
	o.Plan, o.Trial = o.Plan.WithDefaults(), o.Trial.WithDefaults()
	switch {
	case o.ID == "":
		return nil, fmt.Errorf("%w: a planner has the id of its node", ErrOptions)
	case o.TTL < time.Second || o.TTL%time.Second != 0:
		return nil, fmt.Errorf("%w: planner: a TTL of %v: whole seconds, from 1", ErrOptions, o.TTL)
	case o.Keep < 1:
		return nil, fmt.Errorf("%w: planner: keep %d versions: at least 1", ErrOptions, o.Keep)
	}
	if err := errors.Join(o.Plan.Validate(), o.Trial.Validate()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Planner{c: c, w: w, r: r, o: o, token: randomToken(), cancel: cancel, done: make(chan struct{})}
	p.say("waiting to be elected")
	go p.run(ctx)
	return p, nil
}

// State returns where the planner is, and why it does not do more than it does.
func (p *Planner) State() (PlannerState, string) {
	return PlannerState(p.state.Load()), *p.why.Load()
}

// Close ends the planner; if it was elected, another one can be at once.
func (p *Planner) Close() {
	p.cancel()
	<-p.done
}

func (p *Planner) say(why string) { p.why.Store(&why) }

func (p *Planner) run(ctx context.Context) {
	defer close(p.done)
	defer p.state.Store(uint32(Closed))
	for ctx.Err() == nil {
		p.state.Store(uint32(Waiting))
		if h := p.campaign(ctx); h != nil {
			p.state.Store(uint32(Leading))
			p.mem, p.last = PlanMemory{}, 0
			p.lead(ctx, h)
		}
	}
}

// candidate is the value of the planner's key.
type candidate struct {
	ID    string    `json:"id"`
	Token string    `json:"token"`
	Since time.Time `json:"since"`
	// By which it plans, for who looks ahead; nil: not said, by an earlier build.
	Plan  *PlanSettings  `json:"plan,omitempty"`
	Trial *TrialSettings `json:"trial,omitempty"`
}

// campaign returns when the key is this planner's, or nil when ctx has ended.
func (p *Planner) campaign(ctx context.Context) *holding {
	for ctx.Err() == nil {
		p.trial.age(p.w.View().Pointer.Trial, time.Now()) // who takes over goes by what it saw before
		value, err := json.Marshal(candidate{p.o.ID, p.token, time.Now().UTC(), &p.o.Plan, &p.o.Trial})
		if err != nil {
			panic("BUG: " + err.Error())
		}
		h, other, err := p.c.claim(ctx, p.c.keys.planner(), string(value), p.o.TTL)
		switch {
		case h != nil:
			p.retry.n = 0
			return h
		case err != nil:
			p.c.note("offer to plan", err)
			p.say(err.Error())
			pause(ctx, p.retry.next(), nil)
		case other != nil:
			p.retry.n = 0
			p.yield(ctx, other)
		}
	}
	return nil
}

// yield waits while another one plans. A key that is our own, put without us
// hearing of it, is taken away.
func (p *Planner) yield(ctx context.Context, other *mvccpb.KeyValue) {
	var who candidate
	if json.Unmarshal(other.Value, &who) == nil && who.Token == p.token {
		if _, err := p.c.evict(ctx, p.c.keys.planner(), other.ModRevision); err == nil {
			return
		}
	}
	p.say("node " + who.ID + " plans")
	every := p.o.TTL / 3
	pause(ctx, every/2+time.Duration(rand.Float64()*float64(every)), nil)
}

// lead plans until the key is lost, or ctx ends.
func (p *Planner) lead(ctx context.Context, h *holding) {
	views, swaps := p.w.Subscribe(), p.r.Subscribe()
	defer views.Close()
	defer swaps.Close()
	refresh := time.NewTimer(h.every())
	defer refresh.Stop()
	step := time.NewTimer(0)
	defer step.Stop()
	for {
		select {
		case <-ctx.Done():
			h.drop(ctx)
			return
		case <-refresh.C:
			err := h.refresh(ctx)
			if errors.Is(err, errLost) || err != nil && time.Now().After(h.until) {
				p.c.note("planner", err)
				p.say(err.Error())
				h.drop(ctx)
				return
			}
			refresh.Reset(h.every())
			continue
		case <-views.C:
		case <-swaps.C:
		case <-step.C:
		}
		step.Reset(p.step(ctx, h))
	}
}

// longest is how long a planner waits that has nothing to wait for.
const longest = 10 * time.Second

// step looks once whether there is something to do, and does it. It returns when
// to look again.
func (p *Planner) step(ctx context.Context, h *holding) time.Duration {
	v, a := p.w.View(), p.r.Load()
	in, ok := p.input(v, a)
	if !ok {
		p.say("the newest ring is on its way here")
		return time.Second
	}
	var d Decision
	d, p.mem = Decide(in, p.mem, p.o.Plan)
	p.say(d.Why)
	var step Step
	switch {
	case d.Kind != Nothing:
		step = Step{What: d.Kind.String(), Why: d.Why}
		step.Pointer, step.Err = p.execute(ctx, h, in, d)
	case in.Canary != nil && v.Stale.IsZero():
		if step = p.judge(ctx, h, v); step.What == "" {
			return time.Second
		}
	case d.Wait > 0:
		return min(d.Wait, longest)
	default:
		return longest
	}
	return p.did(ctx, h, step)
}

// input is what there is to decide about. ok is false while what the pointer says, or
// what this planner has done last, is on its way here.
func (p *Planner) input(v *View, a *Active) (in PlanInput, ok bool) {
	now := v.Pointer.Activation
	in = PlanInput{View: v, Now: time.Now()}
	if now != 0 && (a.From != FromEtcd || a.Pointer != v.Pointer) {
		if in.Lost = p.r.Status().Err; !errors.Is(in.Lost, ErrNoVersion) && !errors.Is(in.Lost, ErrDamaged) {
			return in, false
		}
	}
	// Not now < p.last: a pointer that was deleted since has no activation at all.
	if v.Revision < p.last {
		return in, false
	}
	if a.stable != nil {
		in.Stable = a.stable.Ring
	}
	if a.canary != nil && now != 0 && in.Lost == nil {
		in.Canary = a.canary.Ring
	}
	return in, true
}

// did tells of a step, and returns when to look again.
func (p *Planner) did(ctx context.Context, h *holding, step Step) time.Duration {
	if p.o.OnStep != nil {
		p.o.OnStep(step)
	}
	if step.Err != nil {
		p.c.note("plan: "+step.What, step.Err)
		p.say(step.Err.Error())
		return p.retry.next()
	}
	p.retry.n = 0
	p.last = step.Pointer.Activation
	if _, err := p.c.Versions().under(h).Collect(ctx, p.o.Keep); err != nil && !errors.Is(err, ErrMoved) {
		p.c.note("collect versions", err)
	}
	return time.Second
}

// execute makes the versions that a decision asks for, and changes the pointer.
func (p *Planner) execute(ctx context.Context, h *holding, in PlanInput, d Decision) (Pointer, error) {
	ctx, cancel := context.WithDeadline(ctx, h.until)
	defer cancel()
	versions := p.c.Versions().under(h)
	expect := in.View.Pointer.Activation
	t := told(p.o.ID, d.Kind.String()+": "+d.Why)
	next, err := p.next(ctx, versions, in)
	if err != nil {
		return Pointer{}, err
	}
	stable, err := p.make(ctx, versions, in.Stable, next, d.Stable)
	if err != nil {
		return Pointer{}, err
	}
	if d.Kind == Zones {
		// First: a planner that takes over in between wants the same weights by them.
		f := ZoneFactors{Factors: d.Factors, By: t.By, Why: t.Why, At: t.At}
		if _, err := versions.PutFactors(ctx, in.View.Zones.Revision, f); err != nil {
			return Pointer{}, err
		}
	}
	switch d.Kind {
	case Join, Weights, Zones:
		if p.o.Plan.Share == ring.ShareUnit {
			return versions.Activate(ctx, expect, stable.Version(), t)
		}
		return versions.Canary(ctx, expect, stable.Version(), p.o.Plan.Share, t)
	case Urgent:
		if in.Canary != nil && !d.DropCanary {
			return p.both(ctx, versions, in, d, stable, t)
		}
	}
	return versions.Activate(ctx, expect, stable.Version(), t)
}

// both replaces the rings of a trial. A canary that is no other ring than the
// stable one by now ends.
func (p *Planner) both(ctx context.Context, versions *Versions, in PlanInput, d Decision, stable *ring.Ring, t Told) (Pointer, error) {
	expect := in.View.Pointer.Activation
	canary, err := p.make(ctx, versions, in.Canary, stable.Version()+1, d.Canary)
	if err != nil {
		return Pointer{}, err
	}
	if diff := stable.Compare(canary); diff.Moved == 0 {
		return versions.Activate(ctx, expect, stable.Version(), t)
	}
	return versions.replace(ctx, expect, stable.Version(), canary.Version(), t)
}

// next returns a version number above all that are known.
func (p *Planner) next(ctx context.Context, versions *Versions, in PlanInput) (uint64, error) {
	next, err := versions.Next(ctx, in.View.Pointer)
	for _, r := range []*ring.Ring{in.Stable, in.Canary} {
		if r != nil {
			next = max(next, r.Version()+1) // etcd may have lost them
		}
	}
	return next, err
}

// make stores the ring after a change, under version or one of the numbers after it.
func (p *Planner) make(ctx context.Context, versions *Versions, before *ring.Ring, version uint64, c ring.Change) (*ring.Ring, error) {
	return versions.Make(ctx, before, version, c, ring.Options{PointsPerUnit: p.o.Plan.PointsPerUnit, TableBits: p.o.Plan.TableBits})
}

// judge promotes a canary, takes it back, or does neither: then the step has no
// name.
func (p *Planner) judge(ctx context.Context, h *holding, v *View) Step {
	ctx, cancel := context.WithDeadline(ctx, h.until)
	defer cancel()
	age := p.trial.age(v.Pointer.Trial, time.Now())
	verdict := Judge(p.o.Counts(v, v.Pointer.Trial), age, p.o.Trial)
	p.say(fmt.Sprintf("version %d is on trial: %s", v.Pointer.Canary, verdict.Why))
	versions, expect := p.c.Versions().under(h), v.Pointer.Activation
	t := told(p.o.ID, verdict.Action.String()+": "+verdict.Why)
	step := Step{What: verdict.Action.String(), Why: verdict.Why}
	switch verdict.Action {
	case Promote:
		step.Pointer, step.Err = versions.Promote(ctx, expect, t)
	case RollBack:
		step.Pointer, step.Err = versions.Rollback(ctx, expect, t)
	default:
		return Step{}
	}
	return step
}
