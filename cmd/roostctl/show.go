package main

import (
	"context"
	"fmt"
	"strconv"
)

// runShow is roostctl ring show.
func runShow(ctx context.Context, args []string, t terminal) error {
	f := newFlags("show", "FILE [--json]", `The nodes of a snapshot: weight, points, and their share of the ring beside
what the weight asks for.`)
	asJSON := f.Bool("json", false, "the snapshot in JSON")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return err
	}
	if err := f.want(rest, 1, 1, "one FILE"); err != nil {
		return err
	}
	s, r, err := readSnapshot(ctx, rest[0])
	if err != nil {
		return err
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

// plain writes a weight or a capacity as it was given.
func plain(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
