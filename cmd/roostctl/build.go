package main

import (
	"context"
	"errors"
	"fmt"

	"roost/ring"
	"roost/ring/snapshot"
)

// runBuild is roostctl ring build.
func runBuild(_ context.Context, args []string, t terminal) error {
	f := newFlags("build", "--node id:weight ... --out FILE", `Make a ring of nodes and write its snapshot. The points of all nodes are
calibrated together: to change a ring that is in use, take "plan --out", which
moves nothing between nodes that do not change.`)
	var nodes nodeArgs
	f.Var(&nodes, "node", nodeSyntax+": a node; many times. @ = : % in an id or a zone are written %40 %3d %3a %25")
	out := f.String("out", "", "`file` to write: JSON if its name ends in .json, else binary")
	version := f.Uint64("version", 1, "`number` of the ring")
	var o ring.Options
	f.IntVar(&o.PointsPerUnit, "points", 0, "points a unit of weight (default 160)")
	f.IntVar(&o.TableBits, "table-bits", 0, "logarithm of the number of slots, 8 to 20 (default: by the number of points)")
	f.BoolVar(&o.Raw, "raw", false, "do not calibrate the points")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return err
	}
	if err := f.want(rest, 0, 0, "flags only"); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("say where to write the snapshot: --out FILE")
	}
	r, err := ring.Build(*version, nodes.nodes(), o)
	if err != nil {
		return err
	}
	return save(t, *out, snapshot.Of(r), r)
}

// save writes a snapshot and says so.
func save(t terminal, name string, s *snapshot.Snapshot, r *ring.Ring) error {
	line, err := describe(s, r)
	if err != nil {
		return err
	}
	if err := writeSnapshot(name, s); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s\nwritten to %s\n", line, name)
	return err
}
