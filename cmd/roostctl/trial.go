package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"roost/ring"
	"roost/ring/preview"
	"roost/server/cluster"
)

// recordFlags say who changes something, and what for: that is kept with the change.
type recordFlags struct{ by, why string }

func (r *recordFlags) define(f *flags) {
	f.StringVar(&r.by, "by", operator(), "`who` does it, for the record")
	f.StringVar(&r.why, "why", "", "`words` on what for, for the record")
}

// trialShare turns percent of the devices that move into a share of ring.ShareUnit.
func trialShare(percent float64) (int, error) {
	share := percent * ring.ShareUnit / 100
	if !(share >= 1 && share <= ring.ShareUnit) {
		return 0, fmt.Errorf("--share is %v %%: 0.01 to 100", percent)
	}
	return int(share), nil
}

// pointerFlags are those of commands that change nothing but the pointer.
type pointerFlags struct {
	recordFlags
	at    int64
	force bool
}

func (f *flags) pointer(force string) *pointerFlags {
	p := &pointerFlags{}
	p.define(f)
	f.Int64Var(&p.at, "at", 0, "only if the ring still is at this `activation`")
	if force != "" {
		f.BoolVar(&p.force, "force", false, force)
	}
	return p
}

// told is for the record.
func (p *pointerFlags) told(what string) cluster.Told {
	if p.why != "" {
		what = p.why
	}
	return cluster.Told{By: p.by, Why: what, At: time.Now()}
}

// expect is the activation that must still be there.
func (p *pointerFlags) expect(now cluster.Pointer) int64 {
	if p.at != 0 {
		return p.at
	}
	return now.Activation
}

// changed writes what the pointer is now.
func changed(t terminal, p cluster.Pointer) error {
	line := fmt.Sprintf("stable %d, hash %v", p.Stable, p.StableHash)
	if p.Canary != 0 {
		line += fmt.Sprintf("; canary %d, hash %v, for %s", p.Canary, p.CanaryHash, shareText(p.Share))
	}
	_, err := fmt.Fprintf(t.out, "%s; activation %d\n", line, p.Activation)
	return err
}

// runCanary is roostctl ring canary.
func runCanary(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring canary", "VERSION --etcd HOST:PORT [--share 5]", `Put a stored version on trial for some of the devices whose owner it changes, or
give the one on trial another share. The planner promotes it when it has done well, and takes it
back when it has not. It is refused where the version would, once promoted, not
keep the limits of ring plan.`)
	e, p := f.etcd(), f.pointer("put it on trial though limits are not kept")
	share := f.Float64("share", 5, "`percent` of the devices")
	over := f.Duration("over", preview.DefaultOver, "`time` in which the devices are moved")
	rest, err := f.take(args, t.out, 1, 1, "one VERSION")
	if err != nil {
		return err
	}
	version, err := strconv.ParseUint(rest[0], 10, 64)
	if err != nil {
		return fmt.Errorf("version %q is not a number: roostctl ring versions lists them", rest[0])
	}
	part, err := trialShare(*share)
	if err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	v := s.w.View()
	stable, _, err := s.inForce(ctx, v.Pointer)
	if err != nil {
		return err
	}
	next, err := s.versions.Get(ctx, version)
	if err != nil {
		return err
	}
	report := preview.Of(preview.Input{Before: stable.Ring, After: next.Ring, Known: known(v), Over: *over})
	fmt.Fprintf(t.out, "version %d moves %s %% of all ids, %.0f devices\n", version, percentOf(report.Diff.Moved, report.Diff.Slots), report.Devices)
	var errs []error
	for _, b := range report.Check(preview.Limits{}) {
		errs = append(errs, fmt.Errorf("%w, limit %s: %s", errRefused, b.Rule, b.Reason))
	}
	if len(errs) > 0 && !p.force {
		return errors.Join(errs...)
	}
	now, err := s.versions.Canary(ctx, p.expect(v.Pointer), version, part, p.told("by hand"))
	if err != nil {
		return err
	}
	return changed(t, now)
}

// runPromote is roostctl ring promote.
func runPromote(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring promote", "--etcd HOST:PORT [--force]", `Put the version on trial in force for all, before the planner does. Refused where
the trial so far speaks against it.`)
	e, p := f.etcd(), f.pointer("promote it though the trial speaks against it")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	v := s.w.View()
	if v.Pointer.Canary != 0 {
		// At its end, however little was seen: as if the time were over.
		verdict := cluster.Judge(cluster.Sum(v, v.Pointer.Trial), s.planner.Trial.Longest, s.planner.Trial)
		fmt.Fprintf(t.out, "trial of version %d: %s\n", v.Pointer.Canary, verdict.Why)
		if verdict.Action == cluster.RollBack && !p.force {
			return fmt.Errorf("%w: %s: --force promotes it all the same", errRefused, verdict.Why)
		}
	}
	now, err := s.versions.Promote(ctx, p.expect(v.Pointer), p.told("by hand"))
	if err != nil {
		return err
	}
	return changed(t, now)
}

// runRollback is roostctl ring rollback.
func runRollback(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring rollback", "--etcd HOST:PORT", `Take the version on trial back, or without one go back to the version before. The
planner leaves joins and weights alone for a while afterwards (ten minutes at a pace of 1); to keep a weight
longer, pin it by ring apply --set. What is pinned stays so, and is tried again: --unpin
takes it away.`)
	e, p := f.etcd(), f.pointer("")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	now, err := s.versions.Rollback(ctx, p.expect(s.w.View().Pointer), p.told("by hand"))
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "version %d is rolled back\n", now.RolledBack)
	if err := changed(t, now); err != nil {
		return err
	}
	stable, _, err := s.inForce(ctx, now)
	if err != nil {
		return err
	}
	return writeStillPinned(t, s.w.View(), stable.Ring, s.plan(0))
}

// writeStillPinned writes the pins that a ring does not keep: the planner will come back to them.
func writeStillPinned(t terminal, v *cluster.View, r *ring.Ring, plan cluster.PlanSettings) error {
	pins, err := cluster.PinsOf(v)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(pins)) {
		wanted, there := cluster.Wanted(v, r, id, plan)
		held := r.Node(r.Find(id))
		if !there || held != nil && held.Weight == wanted.Weight {
			continue
		}
		if _, err := fmt.Fprintf(t.out, "%s stays pinned at weight %s: the planner tries that again in %v, unless ring apply --unpin %[1]s takes it away\n",
			clean(id), plain(pins[id].Weight), plan.AfterRollback); err != nil {
			return err
		}
	}
	return nil
}
