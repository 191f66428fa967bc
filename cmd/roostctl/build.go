package main

import (
	"context"
	"errors"
	"fmt"

	"roost/ring"
	"roost/ring/snapshot"
)

// runBuild is roostctl ring build.
func runBuild(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring build", "--node id:weight ... --out FILE", `Make a ring of nodes and write its snapshot. The points of all nodes are
calibrated together: to change a ring that is in use, take "plan --out", which
moves nothing between nodes that do not change.`)
	var nodes nodeArgs
	f.Var(&nodes, "node", nodeSyntax+": a node; many times. @ = : % in an id or a zone are written %40 %3d %3a %25")
	out := f.String("out", "", "`file` to write: JSON if its name ends in .json, else binary")
	version := f.Uint64("version", 1, "`number` of the ring")
	var o ring.Options
	f.IntVar(&o.PointsPerUnit, "points", 0, "points a unit of weight (default 160)")
	f.IntVar(&o.TableBits, "table-bits", 0, "logarithm of the number of slots, 8 to 20 (default: by the number of points)")
	allowEmpty := f.Bool("allow-empty", false, "write it though no node has weight, so that nobody owns anything")
	f.BoolVar(&o.Raw, "raw", false, "do not calibrate the points")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("say where to write the snapshot: --out FILE")
	}
	if err := checkOutput("out", *out); err != nil {
		return err
	}
	r, err := ring.Build(*version, nodes.nodes(), o)
	if err != nil {
		return err
	}
	if !owned(r) && !*allowEmpty {
		return errors.New("no node has weight, so nobody would own anything: give --node id:weight, or --allow-empty")
	}
	return save(ctx, t, *out, snapshot.Of(r), r)
}

// owned reports whether any node has weight.
func owned(r *ring.Ring) bool {
	for _, n := range r.Nodes() {
		if n.Weight > 0 {
			return true
		}
	}
	return false
}

// save writes a snapshot and says so. Where that can not be said it is not written.
func save(ctx context.Context, t terminal, name string, s *snapshot.Snapshot, r *ring.Ring) error {
	line, err := describe(s, r)
	if err != nil {
		return err
	}
	if err := writeSnapshot(ctx, name, s, func() error {
		_, err := fmt.Fprintln(t.out, line)
		return err
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "written to %s\n", name)
	return err
}
