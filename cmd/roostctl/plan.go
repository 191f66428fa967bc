package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"roost/ring"
	"roost/ring/snapshot"
)

// planFlags are those of ring plan besides the change.
type planFlags struct {
	out              string
	allowEmpty, json bool
	version          uint64
}

// runPlan is roostctl ring plan.
func runPlan(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring plan", "FILE | --etcd HOST:PORT [--set id:weight ...] [--remove id ...] [--devices N] [--out FILE]", `What a change of a ring will move, before it is made, and the snapshot of the
ring after it. --set adds a node or changes one; of a node that is there, what is
not said stays (zone, address, capacity). With --etcd, of the ring of a cluster, with
the devices that its nodes say they have, and which limits it keeps; without any
change, of what the planner will do next.`)
	e, c, o := f.etcd(), f.change(), &planFlags{}
	f.StringVar(&o.out, "out", "", "`file` for the ring after the change: JSON if its name ends in .json, else binary")
	f.BoolVar(&o.allowEmpty, "allow-empty", false, "write it though no node has weight, so that nobody owns anything")
	f.Uint64Var(&o.version, "version", 0, "`number` of the ring after the change (default: one more)")
	f.BoolVar(&o.json, "json", false, "as JSON (with --etcd)")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return err
	}
	if e.Endpoints != "" {
		if err := f.want(rest, 0, 0, "a FILE or --etcd"); err != nil {
			return err
		}
		return planOfCluster(ctx, t, f, e, c, o.json)
	}
	if err := f.want(rest, 1, 1, "one FILE, or --etcd"); err != nil {
		return err
	}
	if err := checkOutput("out", o.out); err != nil {
		return err
	}
	switch {
	case o.json:
		return errors.New("--json is for a plan of a cluster: give --etcd (a plan of a FILE is written to --out, ring diff compares)")
	case c.zones || len(c.drain)+len(c.unpin) > 0:
		return errors.New("--zones, --drain and --unpin are for a cluster: give --etcd")
	case len(c.set)+len(c.remove) == 0:
		return errors.New("a plan is of a change: give --set or --remove")
	case c.devices < 0:
		return fmt.Errorf("devices is %d, must not be negative", c.devices)
	}
	return planOfFile(ctx, t, f, rest[0], c, o)
}

// planOfFile is roostctl ring plan FILE.
func planOfFile(ctx context.Context, t terminal, f *flags, file string, c *changeFlags, o *planFlags) error {
	s, r, err := readSnapshot(ctx, file)
	if err != nil {
		return err
	}
	if !f.given("version") {
		o.version = r.Version() + 1
	}
	if err := checkVersion(o.version, r.Version(), file); err != nil {
		return err
	}
	change := ring.Change{Remove: c.remove}
	for _, n := range c.set {
		change.Set = append(change.Set, n.over(r))
	}
	p, next, err := r.Plan(o.version, change, c.devices)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "ring %d -> %d\n", r.Version(), next.Version())
	if err := writePlan(t, p, c.most); err != nil {
		return err
	}
	if !owned(next) {
		fmt.Fprintln(t.out, "nobody owns anything after this")
		if o.out != "" && !o.allowEmpty {
			return errors.New("the ring after the change is not written, as nobody owns anything in it: --allow-empty writes it")
		}
	}
	if o.out == "" {
		return nil
	}
	return save(ctx, t, o.out, &snapshot.Snapshot{Definition: next.Definition(), Sections: s.Sections}, next)
}

// checkVersion refuses versions that do not go up: they tell which of two rings
// is the later one.
func checkVersion(version, before uint64, name string) error {
	switch {
	case before == math.MaxUint64:
		return fmt.Errorf("%s has version %d, the last: build a ring anew", name, before)
	case version <= before:
		return fmt.Errorf("--version is %d, must be above %d, the version of %s", version, before, name)
	}
	return nil
}

// over returns the node with what was not said taken from the ring.
func (n nodeArg) over(r *ring.Ring) ring.Node {
	if old := r.Node(r.Find(n.ID)); old != nil {
		if !n.zone {
			n.Zone = old.Zone
		}
		if !n.addr {
			n.Addr = old.Addr
		}
		if !n.capacity {
			n.Capacity = old.Capacity
		}
	}
	return n.Node
}

func writePlan(t terminal, p *ring.Plan, most int) error {
	percent := func(slots float64) string { return fmt.Sprintf("%.4f %%", 100*slots/float64(p.Slots)) }
	fmt.Fprintf(t.out, "moved       %s of all devices, %.0f\n", percent(float64(p.Moved)), p.Devices)
	fmt.Fprintf(t.out, "minimum     %s, for the shares that the nodes get\n", percent(float64(p.Minimum)))
	fmt.Fprintf(t.out, "ideal       %s, for the shares that the weights ask for\n", percent(p.Ideal))
	fmt.Fprintf(t.out, "collateral  %s, between nodes that do not change\n", percent(float64(p.Collateral)))
	per := 0.0
	if p.Moved > 0 {
		per = p.Devices / float64(p.Moved)
	}
	rows := newTable("id", "weight>", "after>", "share %>", "after>", "target %>", "gains>", "loses>", "devices>", "load %>")
	for _, n := range p.Nodes {
		load := "-"
		if n.Capacity > 0 {
			load = fmt.Sprintf("%.1f", 100*n.Load())
		}
		share := func(slots float64) string { return strings.TrimSuffix(percent(slots), " %") }
		rows.add(n.ID, plain(n.WeightBefore), plain(n.WeightAfter), share(float64(n.SlotsBefore)), share(float64(n.SlotsAfter)), share(n.Target),
			fmt.Sprintf("%.0f", float64(n.Gains)*per), fmt.Sprintf("%.0f", float64(n.Loses)*per), fmt.Sprintf("%.0f", n.DevicesAfter), load)
	}
	if err := rows.write(t.out); err != nil {
		return err
	}
	if err := writeMoves(t, &p.Diff, most); err != nil {
		return err
	}
	for _, id := range p.Over {
		fmt.Fprintf(t.out, "over capacity: %s\n", clean(id))
	}
	return nil
}

// writeMoves lists from whom to whom.
func writeMoves(t terminal, d *ring.Diff, most int) error {
	rows := newTable("from", "to", "% of all>")
	shown := min(max(most, 0), len(d.Moves))
	for _, m := range d.Moves[:shown] {
		rows.add(nodeName(m.From), nodeName(m.To), fmt.Sprintf("%.4f", 100*d.Share(m.Slots)))
	}
	if err := rows.write(t.out); err != nil {
		return err
	}
	if left := len(d.Moves) - shown; left > 0 {
		fmt.Fprintf(t.out, "  and %d more: --moves %d lists all\n", left, len(d.Moves))
	}
	return nil
}
