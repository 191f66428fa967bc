package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"roost/ring"
	"roost/ring/verify"
)

// verifyOptions are what the command line of ring verify says.
type verifyOptions struct {
	snapshot string
	count    int
	nodes    nodeArgs
	points   int
	presets  string
	svg      string
	json     bool
	mostIDs  int
	source   idSource
	nobody   bool // nodes were asked for, and none has weight
}

// runVerify is roostctl ring verify.
func runVerify(ctx context.Context, args []string, t terminal) error {
	o, err := parseVerify(args, t)
	if err != nil {
		return err
	}
	placements, err := o.placements(ctx)
	if err != nil {
		return err
	}
	if o.svg != "" && len(placements[0].Nodes) == 0 {
		return errors.New("--svg draws the shares of nodes: give --snapshot, --nodes or --node")
	}
	c, err := verify.New(verify.Options{MostIDs: o.mostIDs}, placements...)
	if err != nil {
		return err
	}
	if err := o.source.each(ctx, t.in, c.Add); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errInterrupted // not the verdict on a part
	}
	r := c.Report()
	if err := o.write(t.out, r); err != nil {
		return err
	}
	if o.svg != "" {
		if err := writeFile(ctx, o.svg, func(w io.Writer) error { return picture(w, r) }); err != nil {
			return err
		}
		fmt.Fprintf(t.errout, "picture written to %s\n", o.svg)
	}
	switch {
	case r.Verdict == verify.Bad:
		return errBad
	case r.Verdict == verify.Info:
		return errors.New("there are no ids, so nothing is judged")
	case o.nobody:
		return errors.New("no node has weight, so nothing is said of nodes: give one a weight above 0")
	}
	return nil
}

func (o *verifyOptions) write(w io.Writer, r *verify.Report) error {
	if !o.json {
		return r.WriteText(w)
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// parseVerify reads the command line of ring verify.
func parseVerify(args []string, t terminal) (*verifyOptions, error) {
	f := newFlags("ring verify", "[--snapshot FILE | --nodes N | --node id:weight ...] [IDS... | --file FILE | - | --generate N]",
		`Whether ids spread: over the 16,384 slots of the hash, and over nodes if some are
given. A line of a file is an id, or an id, a tab and a count of what goes to it.
The exit code is 1 if the verdict is bad.`)
	o := &verifyOptions{}
	f.StringVar(&o.snapshot, "snapshot", "", "`file` of a ring")
	f.IntVar(&o.count, "nodes", 0, "so many `nodes` of equal weight, node-0 and so on")
	f.Var(&o.nodes, "node", nodeSyntax+": a node; many times")
	f.IntVar(&o.points, "points", 0, "points a unit of weight, with --nodes or --node (default 160)")
	f.StringVar(&o.presets, "preset", "roost", "roost, seed (FNV-1a, 128 points, successor), or both: roost,seed; the first of `presets` is judged")
	f.StringVar(&o.svg, "svg", "", "`file` for a picture of the shares of nodes")
	f.BoolVar(&o.json, "json", false, "write the report as JSON")
	f.IntVar(&o.mostIDs, "most-ids", 0, "keep so many `ids` one by one, a sample beyond (default 1572864)")
	f.StringVar(&o.source.file, "file", "", "`file` of ids, a line each; - is standard input")
	n := f.Uint64("generate", 0, "make `N` ids up")
	pattern := f.String("pattern", "device-%09d", "of made-up ids: text with one number, or uuid, mac, imei")
	seed := f.Uint64("seed", 1, "`number` that random ids depend on")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return nil, err
	}
	if err := checkOutput("svg", o.svg); err != nil {
		return nil, err
	}
	if len(rest) == 1 && rest[0] == "-" {
		if o.source.file != "" {
			return nil, errors.New("ids come from one place: --file or -")
		}
		o.source.file, rest = "-", nil
	}
	o.source.ids = rest
	if *n > 0 {
		if o.source.generate, err = newGenerator(*n, *pattern, *seed); err != nil {
			return nil, err
		}
	}
	return o, o.source.check()
}

// ring returns the nodes and their ring; no nodes if none were asked for.
func (o *verifyOptions) ring(ctx context.Context) (nodes []ring.Node, r *ring.Ring, err error) {
	ways := 0
	for _, set := range []bool{o.snapshot != "", o.count != 0, len(o.nodes) > 0} {
		if set {
			ways++
		}
	}
	switch {
	case ways > 1:
		return nil, nil, errors.New("nodes come from one place: --snapshot, --nodes or --node")
	case o.snapshot != "":
		if o.points != 0 {
			return nil, nil, errors.New("--points is what the snapshot says: leave it out")
		}
		if _, r, err = readSnapshot(ctx, o.snapshot); err != nil {
			return nil, nil, err
		}
		for _, n := range r.Nodes() {
			nodes = append(nodes, *n)
		}
		return nodes, r, nil
	case o.count < 0 || o.count > ring.MaxNodes:
		return nil, nil, fmt.Errorf("--nodes is %d, must be 1 to %d", o.count, ring.MaxNodes)
	case ways == 0:
		return nil, nil, nil
	}
	nodes = o.nodes.nodes()
	for i := range o.count {
		nodes = append(nodes, ring.Node{ID: fmt.Sprint("node-", i), Weight: 1})
	}
	r, err = ring.Build(1, nodes, ring.Options{PointsPerUnit: o.points})
	return nodes, r, err
}

// placements returns the presets, in the order in which they were named.
func (o *verifyOptions) placements(ctx context.Context) (placements []verify.Placement, err error) {
	nodes, r, err := o.ring(ctx)
	if err != nil {
		return nil, err
	}
	o.nobody = r != nil && !owned(r)
	for name := range strings.SplitSeq(o.presets, ",") {
		var p verify.Placement
		switch name {
		case "roost":
			p = verify.Roost(r)
		case "seed":
			if p, err = verify.Seed(nodes); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("preset %q is unknown: want roost, seed, or roost,seed", name)
		}
		for _, o := range placements {
			if o.Name == name {
				return nil, fmt.Errorf("preset %s is named twice", name)
			}
		}
		placements = append(placements, p)
	}
	return placements, nil
}
