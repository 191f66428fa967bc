package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// applyFlags are those of apply besides the change.
type applyFlags struct {
	recordFlags
	force, now bool
	at         int64
	share      int // of ring.ShareUnit
	measure    time.Duration
}

// runApply is roostctl ring apply.
func runApply(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring apply", "--etcd HOST:PORT [--set id:weight ...] [--remove id ...] [--unpin id ...] [--zones] [--now] [--force]", `Make the change that ring plan shows with the same flags: weights and removals by
hand, which pins them until --unpin, even zones, or without any the planner's own next. It
begins as a canary, and is refused, with nothing done, where it does not keep the
limits. Afterwards the devices that each node gains and loses are measured, beside
what was planned.`)
	e, c := f.etcd(), f.change()
	a := &applyFlags{}
	a.define(f)
	f.BoolVar(&a.force, "force", false, "make it though limits are not kept")
	f.BoolVar(&a.now, "now", false, "for all devices at once, without a trial")
	f.Int64Var(&a.at, "at", 0, "only if the ring still is at this `activation`, as plan has shown it")
	share := f.Float64("share", 5, "`percent` of the devices that move at first")
	f.DurationVar(&a.measure, "measure", 0, "`time` after which the devices are counted; below 0 is not at all (default: --over and 15 s)")
	err := f.only(args, t.out)
	if err != nil {
		return err
	}
	if a.share, err = trialShare(*share); err != nil {
		return err
	}
	if a.measure == 0 {
		a.measure = c.over + 15*time.Second
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	d, err := s.draft(ctx, f, c)
	if err != nil {
		return err
	}
	if err := d.write(t, c.most); err != nil || d.kind == cluster.Nothing {
		return err
	}
	if err := a.allowed(d); err != nil {
		return err
	}
	p, err := s.apply(ctx, d, a)
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, "done: ")
	if err := changed(t, p); err != nil {
		return err
	}
	return s.measure(ctx, t, d, p, a.measure)
}

// allowed says why the change is not made, or nil.
func (a *applyFlags) allowed(d *draft) error {
	p := &d.view.Pointer
	switch {
	case a.at != 0 && a.at != p.Activation:
		return &cluster.MovedError{Expected: a.at, Now: *p}
	case d.cannot != "":
		return fmt.Errorf("%w: %s", errRefused, d.cannot)
	case p.Canary != 0:
		return fmt.Errorf("%w: version %d is on trial: promote it or roll it back first", errRefused, p.Canary)
	case d.kind == cluster.Urgent && !a.now:
		return fmt.Errorf("%w: nodes that are gone or drain are not tried on some devices first: --now", errRefused)
	case a.force:
		return nil
	}
	if err := d.refuse(); err != nil {
		return fmt.Errorf("%w\nnothing has been done; --force does it all the same", err)
	}
	return nil
}

// apply makes the change: what keeps the planner from taking it back, then the
// version, then the pointer, by compare-and-swap on the activation that was looked
// at. Should that fail, the first is taken back.
func (s *session) apply(ctx context.Context, d *draft, a *applyFlags) (p cluster.Pointer, err error) {
	told := cluster.Told{By: a.by, Why: d.why, At: time.Now()}
	if a.why != "" {
		told.Why = a.why + ": " + told.Why
	}
	undo, err := s.hold(ctx, d, told)
	if err == nil {
		p, err = s.swap(ctx, d, a, told)
	}
	if err != nil {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cluster.DefaultTimeout)
		defer cancel()
		return p, errors.Join(err, undo(after))
	}
	return p, nil
}

// hold sets pins, targets and factors. undo takes back what of it was set.
func (s *session) hold(ctx context.Context, d *draft, told cluster.Told) (undo func(context.Context) error, err error) {
	var done []func(context.Context) error
	undo = func(ctx context.Context) error {
		var errs []error
		for _, f := range done {
			errs = append(errs, f(ctx))
		}
		return errors.Join(errs...)
	}
	if len(d.pins)+len(d.unpin) > 0 {
		for id, pin := range d.pins {
			d.pins[id] = cluster.Pin{Weight: pin.Weight, By: told.By, Why: told.Why, At: told.At}
		}
		if err := s.c.Pin(ctx, d.view, d.pins, d.unpin...); err != nil {
			return undo, err
		}
		done = append(done, func(ctx context.Context) error { return s.unpinAgain(ctx, d) })
	}
	if d.targets != nil {
		before, _ := cluster.ZoneConfigOf(d.view)
		if err := s.c.PutZoneConfig(ctx, cluster.ZoneConfig{Targets: d.targets, By: told.By}); err != nil {
			return undo, err
		}
		done = append(done, func(ctx context.Context) error { return s.c.PutZoneConfig(ctx, before) })
	}
	if d.factors != nil {
		put, err := s.versions.PutFactors(ctx, d.view.Zones.Revision, cluster.ZoneFactors{Factors: d.factors, By: told.By, Why: told.Why, At: told.At})
		if err != nil {
			return undo, err
		}
		done = append(done, func(ctx context.Context) error {
			_, err := s.versions.PutFactors(ctx, put.Revision, d.view.Zones)
			return err
		})
	}
	return undo, nil
}

// unpinAgain puts the pins as they were.
func (s *session) unpinAgain(ctx context.Context, d *draft) error {
	now, err := s.w.Wait(ctx, func(v *cluster.View) bool { return v.Config["weights"].Revision != d.view.Config["weights"].Revision })
	if err != nil {
		return fmt.Errorf("pins are not as they were: %w: ring apply --unpin takes them away", err)
	}
	before, _ := cluster.PinsOf(d.view)
	set, unpin := map[string]cluster.Pin{}, []string(nil)
	for id := range d.pins {
		unpin = append(unpin, id)
	}
	for id, pin := range before {
		set[id] = pin
	}
	return s.c.Pin(ctx, now, set, unpin...)
}

// swap stores the version and changes the pointer.
func (s *session) swap(ctx context.Context, d *draft, a *applyFlags, told cluster.Told) (cluster.Pointer, error) {
	r, err := s.versions.Make(ctx, ringOf(d.stable), d.version, d.change, ring.Options{})
	if err != nil {
		return cluster.Pointer{}, err
	}
	expect := d.view.Pointer.Activation
	if a.now || d.stable == nil {
		return s.versions.Activate(ctx, expect, r.Version(), told)
	}
	return s.versions.Canary(ctx, expect, r.Version(), a.share, told)
}
