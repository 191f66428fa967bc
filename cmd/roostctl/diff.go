package main

import (
	"context"
	"fmt"

	"roost/ring"
)

// runDiff is roostctl ring diff.
func runDiff(_ context.Context, args []string, t terminal) error {
	f := newFlags("diff", "A B", `What moves for devices when snapshot B takes the place of A. Between versions
that follow each other the collateral is 0: nothing moves between nodes whose
weights stay.`)
	most := f.Int("moves", 20, "`number` of moves to list, the largest first")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return err
	}
	if err := f.want(rest, 2, 2, "two FILEs"); err != nil {
		return err
	}
	a, before, err := readSnapshot(rest[0])
	if err != nil {
		return err
	}
	b, after, err := readSnapshot(rest[1])
	if err != nil {
		return err
	}
	for _, side := range []func() (string, error){func() (string, error) { return describe(a, before) }, func() (string, error) { return describe(b, after) }} {
		line, err := side()
		if err != nil {
			return err
		}
		fmt.Fprintln(t.out, line)
	}
	writeNodeChanges(t, before, after)
	d := before.Compare(after)
	for _, row := range []struct {
		name, of string
		slots    int
	}{
		{"moved", "of all devices", d.Moved},
		{"minimum", "between any two rings with these shares", d.Minimum},
		{"collateral", "between nodes that do not change", d.Collateral},
	} {
		fmt.Fprintf(t.out, "%-12s%.4f %% %s\n", row.name, 100*d.Share(row.slots), row.of)
	}
	return writeMoves(t, &d, *most)
}

// writeNodeChanges says which nodes came, went and changed.
func writeNodeChanges(t terminal, before, after *ring.Ring) {
	for _, n := range before.Nodes() {
		o := after.Node(after.Find(n.ID))
		switch {
		case o == nil:
			fmt.Fprintf(t.out, "- %s, weight %s\n", n.ID, plain(n.Weight))
		case o.Weight != n.Weight:
			fmt.Fprintf(t.out, "~ %s, weight %s -> %s\n", n.ID, plain(n.Weight), plain(o.Weight))
		case *o != *n:
			fmt.Fprintf(t.out, "~ %s, zone %q -> %q, address %q -> %q, capacity %s -> %s\n", n.ID, n.Zone, o.Zone, n.Addr, o.Addr, plain(n.Capacity), plain(o.Capacity))
		}
	}
	for _, n := range after.Nodes() {
		if before.Find(n.ID) == ring.None {
			fmt.Fprintf(t.out, "+ %s, weight %s\n", n.ID, plain(n.Weight))
		}
	}
}
