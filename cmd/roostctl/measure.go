package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// said is how old a node's count may be: they publish at the latest so often.
const said = cluster.WeightRefresh + 2*time.Second

// measure counts the devices of each node once time is over, and writes them beside
// what was planned. An interrupt ends it early, with what there is by then.
func (s *session) measure(ctx context.Context, t terminal, d *draft, p cluster.Pointer, after time.Duration) error {
	before := connected(d.view)
	switch {
	case after < 0:
		return nil
	case len(before) == 0:
		_, err := fmt.Fprintln(t.out, "measured: nothing: no node says how many devices it has")
		return err
	}
	begin := time.Now()
	fmt.Fprintf(t.errout, "counting devices in %v\n", after)
	interrupted := false
	// Counts are as old as their weights: the last one is waited for.
	if _, err := s.w.Wait(within(ctx, after), func(*cluster.View) bool { return false }); ctx.Err() != nil {
		interrupted = true
	} else if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	end := time.Now()
	if !interrupted {
		_, _ = s.w.Wait(within(ctx, said), func(v *cluster.View) bool { return countedSince(v, d, end) })
	}
	share := ring.ShareUnit
	now := s.w.View()
	if now.Pointer.Canary == p.Canary && p.Canary != 0 {
		share = now.Pointer.Share
	}
	if moved := now.Pointer.Activation; moved != p.Activation {
		fmt.Fprintf(t.out, "the ring has changed since, to activation %d: %s\n", moved, clean(now.Pointer.Why))
	}
	fmt.Fprintf(t.out, "measured after %v, for %s of the ids that move:\n", time.Since(begin).Round(time.Second), shareText(share))
	if err := writeOutcome(t, d.report.Outcome(share, ring.ShareUnit, before, connected(now))); err != nil {
		return err
	}
	if interrupted {
		return errInterrupted
	}
	return nil
}

// within is ctx with a deadline, which is let go when that has come.
func within(ctx context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// countedSince reports whether all nodes of a change that are there have published
// since a time, by the clock of this machine.
func countedSince(v *cluster.View, d *draft, at time.Time) bool {
	for i := range d.report.Nodes {
		if w, ok := v.Weights[d.report.Nodes[i].ID]; ok && w.At.Before(at) {
			return false
		}
	}
	return true
}
