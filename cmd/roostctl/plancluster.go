package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roost/ring"
	"roost/ring/preview"
	"roost/server/cluster"
)

// draft is a change of a cluster that has been worked out, and not made.
type draft struct {
	*planned
	view    *cluster.View
	stable  *cluster.Stored // nil before the first
	canary  *cluster.Stored
	version uint64 // a number for the next ring
	next    *ring.Ring
	report  *preview.Report
	broken  []preview.Violation
}

// draft works a change out and looks what it will do.
func (s *session) draft(ctx context.Context, f *flags, c *changeFlags) (*draft, error) {
	limits, err := c.limits()
	if err != nil {
		return nil, err
	}
	d := &draft{view: s.w.View()}
	if d.view.Pointer.Activation != 0 {
		if d.stable, d.canary, err = s.inForce(ctx, d.view.Pointer); err != nil {
			return nil, err
		}
	}
	if d.planned, err = c.of(d.view, ringOf(d.stable), ringOf(d.canary), s.plan(c.unit), time.Now()); err != nil || d.kind == cluster.Nothing {
		return d, err
	}
	d.doubts = append(d.doubts, emptied(d.view, d.planned)...)
	if d.version, err = s.versions.Next(ctx, d.view.Pointer); err != nil {
		return nil, err
	}
	if d.next, err = cluster.Changed(ringOf(d.stable), d.version, d.change, ring.Options{}); err != nil {
		return nil, err
	}
	in := preview.Input{Before: ringOf(d.stable), After: d.next, Known: known(d.view), Over: c.over}
	if f.given("devices") {
		in.Devices = float64(c.devices)
	}
	d.report = preview.Of(in)
	d.broken = d.report.Check(limits)
	return d, nil
}

func ringOf(s *cluster.Stored) *ring.Ring {
	if s == nil {
		return nil
	}
	return s.Ring
}

// planOfCluster is roostctl ring plan --etcd. Limits that are not kept are a bad verdict.
func planOfCluster(ctx context.Context, t terminal, f *flags, e *etcdFlags, c *changeFlags, asJSON bool) error {
	for _, name := range []string{"out", "version", "allow-empty"} {
		if f.given(name) {
			return fmt.Errorf("--%s is for a plan of a FILE: ring apply makes the change of a cluster", name)
		}
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
	if asJSON {
		err = writeJSON(t.out, d.json())
	} else {
		err = d.write(t, c.most)
	}
	if err == nil && len(d.broken) > 0 {
		err = errBad
	}
	return err
}

// write says what the change will do.
func (d *draft) write(t terminal, most int) error {
	p := &d.view.Pointer
	if d.kind == cluster.Nothing {
		_, err := fmt.Fprintf(t.out, "ring %d, activation %d: nothing is to be done: %s\n", p.Stable, p.Activation, d.why)
		return err
	}
	fmt.Fprintf(t.out, "ring %d -> %d at activation %d: %s\n", p.Stable, d.version, p.Activation, d.why)
	if p.Canary != 0 {
		fmt.Fprintf(t.out, "version %d is on trial: this is what comes on top of the stable one\n", p.Canary)
	}
	if err := writeReport(t, d.report, most); err != nil {
		return err
	}
	for _, doubt := range d.doubts {
		fmt.Fprintf(t.out, "doubt: %s\n", clean(doubt))
	}
	if len(d.broken) == 0 {
		_, err := fmt.Fprintln(t.out, "limits: all are kept")
		return err
	}
	for _, v := range d.broken {
		fmt.Fprintf(t.out, "limit %s: %s\n", v.Rule, clean(v.Reason))
	}
	return nil
}

// writeReport writes the numbers of a change.
func writeReport(t terminal, r *preview.Report, most int) error {
	of := r.Diff.Slots
	fmt.Fprintf(t.out, "moved       %s %% of all ids, %.0f of %.0f devices\n", percentOf(r.Diff.Moved, of), r.Devices, r.Total)
	fmt.Fprintf(t.out, "minimum     %s %%, for the shares that the nodes get\n", percentOf(r.Diff.Minimum, of))
	fmt.Fprintf(t.out, "collateral  %s %%, between nodes that do not change\n", percentOf(r.Diff.Collateral, of))
	pace := fmt.Sprintf("over        %v", r.Over)
	if r.Least > 0 {
		pace += fmt.Sprintf("; the nodes say that they can take it in %v", r.Least.Round(time.Second))
	}
	fmt.Fprintln(t.out, pace)
	rows := newTable("node", "zone", "weight>", "after>", "share %>", "after>", "devices>", "leave>", "come>", "after>", "load %>", "connects/s>", "takes/s>")
	for i := range r.Nodes {
		n := &r.Nodes[i]
		rows.add(n.ID, n.Zone, plain(n.WeightBefore), plain(n.WeightAfter), percentOf(n.SlotsBefore, of), percentOf(n.SlotsAfter, of),
			whole(n.Before), whole(n.Leave), whole(n.Come), whole(n.After()), loadText(n.After(), n.Capacity), fmt.Sprintf("%.1f", n.Rate), dashIf(n.Accept == 0, whole(n.Accept)))
	}
	if err := rows.write(t.out); err != nil {
		return err
	}
	if err := writeZoneLoads(t, r); err != nil {
		return err
	}
	flows := newTable("from", "to", "% of all>", "devices>")
	shown := min(max(most, 0), len(r.Flows))
	for _, m := range r.Flows[:shown] {
		flows.add(nodeName(m.From), nodeName(m.To), percentOf(m.Slots, of), whole(m.Devices))
	}
	if err := flows.write(t.out); err != nil {
		return err
	}
	if left := len(r.Flows) - shown; left > 0 {
		fmt.Fprintf(t.out, "  and %d more: --moves %d lists all\n", left, len(r.Flows))
	}
	return nil
}

// writeZoneLoads writes the zones of a change, if there are several.
func writeZoneLoads(t terminal, r *preview.Report) error {
	if len(r.Zones) < 2 {
		return nil
	}
	rows := newTable("zone", "nodes>", "after>", "share %>", "after>", "devices>", "after>", "load %>")
	for i := range r.Zones {
		z := &r.Zones[i]
		rows.add(preview.ZoneName(z.Name), fmt.Sprint(z.Nodes), fmt.Sprint(z.NodesAfter), percentOf(z.SlotsBefore, r.Diff.Slots), percentOf(z.SlotsAfter, r.Diff.Slots),
			whole(z.Before), whole(z.After), loadText(z.After, z.Capacity))
	}
	return rows.write(t.out)
}

func nodeName(id string) string {
	if id == "" {
		return "(nobody)"
	}
	return id
}

func whole(v float64) string { return fmt.Sprintf("%.0f", v) }

func dashIf(dash bool, text string) string {
	if dash {
		return "-"
	}
	return text
}

func loadText(devices, capacity float64) string {
	if capacity == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*devices/capacity)
}

// refuse returns why a change must not be made without --force, or nil.
func (d *draft) refuse() error {
	var errs []error
	for _, v := range d.broken {
		errs = append(errs, fmt.Errorf("%w, limit %s: %s", errRefused, v.Rule, v.Reason))
	}
	for _, doubt := range d.doubts {
		errs = append(errs, fmt.Errorf("%w: %s", errRefused, doubt))
	}
	return errors.Join(errs...)
}
