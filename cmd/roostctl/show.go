package main

import (
	"context"
	"fmt"
	"strconv"

	"roost/ring"
	"roost/ring/snapshot"
)

// runShow is roostctl ring show.
func runShow(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring show", "FILE | [VERSION] --etcd HOST:PORT [--json] [--out FILE]", `The nodes of a snapshot: weight, points, and their share of the ring beside
what the weight asks for. With --etcd, of a stored version, or the stable one; --out
writes its snapshot too.`)
	e := f.etcd()
	out := f.String("out", "", "`file` for the snapshot: JSON if its name ends in .json, else binary")
	asJSON := f.Bool("json", false, "the snapshot in JSON")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return err
	}
	if err := checkOutput("out", *out); err != nil {
		return err
	}
	s, r, err := showOf(ctx, f, e, rest)
	if err != nil {
		return err
	}
	if *out != "" {
		if err := writeSnapshot(ctx, *out, s, func() error { return nil }); err != nil {
			return err
		}
	}
	if *asJSON {
		b, err := s.EncodeJSON()
		if err != nil {
			return err
		}
		_, err = t.out.Write(b)
		return err
	}
	line, err := describe(s, r)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out, line)
	for _, section := range s.Sections {
		fmt.Fprintf(t.out, "section %#04x, %d bytes, is carried along\n", section.Tag, len(section.Data))
	}
	rows := newTable("id", "zone", "address", "weight>", "points>", "share %>", "target %>", "share/target>", "capacity>")
	for i, n := range r.Nodes() {
		slots := float64(r.TableSlots())
		share, target := float64(r.Slots(i))/slots, r.Target(i)/slots
		ratio, capacity := "-", "-"
		if target > 0 {
			ratio = fmt.Sprintf("%.4f", share/target)
		}
		if n.Capacity > 0 {
			capacity = plain(n.Capacity)
		}
		rows.add(n.ID, n.Zone, n.Addr, plain(n.Weight), strconv.Itoa(r.Points(i)), fmt.Sprintf("%.4f", 100*share), fmt.Sprintf("%.4f", 100*target), ratio, capacity)
	}
	return rows.write(t.out)
}

// showOf reads the snapshot that is meant, from a file or a cluster.
func showOf(ctx context.Context, f *flags, e *etcdFlags, rest []string) (*snapshot.Snapshot, *ring.Ring, error) {
	if e.Endpoints == "" {
		if err := f.want(rest, 1, 1, "one FILE, or --etcd"); err != nil {
			return nil, nil, err
		}
		return readSnapshot(ctx, rest[0])
	}
	if err := f.want(rest, 0, 1, "at most one VERSION"); err != nil {
		return nil, nil, err
	}
	s, err := e.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	version := s.w.View().Pointer.Stable
	if len(rest) == 1 {
		if version, err = strconv.ParseUint(rest[0], 10, 64); err != nil {
			return nil, nil, fmt.Errorf("version %q is not a number: roostctl ring versions lists them", rest[0])
		}
	}
	stored, err := s.versions.Get(ctx, version)
	if err != nil {
		return nil, nil, err
	}
	snap, err := snapshot.Decode(stored.Bytes)
	return snap, stored.Ring, err
}

// plain writes a weight or a capacity as it was given.
func plain(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
