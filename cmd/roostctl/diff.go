package main

import (
	"context"
	"fmt"
	"strconv"

	"roost/ring"
)

// runDiff is roostctl ring diff.
func runDiff(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring diff", "A B", `What moves for devices when snapshot B takes the place of A. Between versions
that follow each other the collateral is 0: nothing moves between nodes whose
weights stay.`)
	most := f.Int("moves", 20, "`number` of moves to list, the largest first")
	rest, err := f.take(args, t.out, 2, 2, "two FILEs")
	if err != nil {
		return err
	}
	a, before, err := readSnapshot(ctx, rest[0])
	if err != nil {
		return err
	}
	b, after, err := readSnapshot(ctx, rest[1])
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
			fmt.Fprintf(t.out, "- %s, weight %s\n", clean(n.ID), plain(n.Weight))
		case *o != *n:
			fmt.Fprintf(t.out, "~ %s%s\n", clean(n.ID), changes(n, o))
		}
	}
	for _, n := range after.Nodes() {
		if before.Find(n.ID) == ring.None {
			fmt.Fprintf(t.out, "+ %s, weight %s\n", clean(n.ID), plain(n.Weight))
		}
	}
}

// changes says what of a node is another.
func changes(n, o *ring.Node) (text string) {
	for _, f := range []struct{ name, before, after string }{
		{"weight", plain(n.Weight), plain(o.Weight)},
		{"zone", strconv.Quote(n.Zone), strconv.Quote(o.Zone)},
		{"address", strconv.Quote(n.Addr), strconv.Quote(o.Addr)},
		{"capacity", plain(n.Capacity), plain(o.Capacity)},
	} {
		if f.before != f.after {
			text += fmt.Sprintf(", %s %s -> %s", f.name, f.before, f.after)
		}
	}
	return text
}
