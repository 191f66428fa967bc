package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// runVersions is roostctl ring versions.
func runVersions(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring versions", "--etcd HOST:PORT [--json]", `The versions that are stored, the newest first, with their hashes and what they are
in force for; then what was done to the pointer, as far back as etcd knows. Old versions are
collected; those that the pointer names never.`)
	e := f.etcd()
	most := f.Int("most", 20, "`number` of versions to list")
	asJSON := f.Bool("json", false, "as JSON")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	list, err := s.versions.List(ctx)
	if err != nil {
		return err
	}
	slices.Reverse(list)
	past, err := s.versions.Past(ctx, max(*most, 0))
	if err != nil {
		return err
	}
	shown := s.describe(ctx, list[:min(max(*most, 0), len(list))])
	if *asJSON {
		out := struct {
			Stored   int           `json:"stored"`
			Versions []versionJSON `json:"versions"`
			Past     []pastJSON    `json:"past"`
		}{len(list), shown, []pastJSON{}}
		for i := range past {
			out.Past = append(out.Past, pastOf(&past[i]))
		}
		return writeJSON(t.out, out)
	}
	rows := newTable("version>", "hash", "nodes>", "slots>", "bytes>", "is")
	for _, v := range shown {
		if v.Hash == nil {
			rows.add(fmt.Sprint(v.Version), "-", "-", "-", "-", strings.TrimPrefix(v.Is+", "+v.Error, ", "))
			continue
		}
		rows.add(fmt.Sprint(v.Version), v.Hash.String(), fmt.Sprint(v.Nodes), fmt.Sprint(v.Slots), fmt.Sprint(v.Bytes), v.Is)
	}
	if err := rows.write(t.out); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%d versions are stored, %d are shown\n", len(list), len(shown))
	return writePast(t, past)
}

// describe reads versions.
func (s *session) describe(ctx context.Context, list []uint64) []versionJSON {
	p := s.w.View().Pointer
	all := []versionJSON{}
	for _, v := range list {
		x := versionJSON{Version: v, Is: versionIs(&p, v)}
		if stored, err := s.versions.Get(ctx, v); err != nil {
			x.Error = err.Error()
		} else {
			x.Hash, x.Nodes, x.Slots, x.Bytes = &stored.Hash, owning(stored.Ring), stored.Ring.TableSlots(), len(stored.Bytes)
		}
		all = append(all, x)
	}
	return all
}

// writePast writes what was done to the pointer, the newest first.
func writePast(t terminal, past []cluster.Pointer) error {
	rows := newTable("activation>", "stable>", "canary>", "at", "by", "why")
	for i := range past {
		p := &past[i]
		canary := "-"
		if p.Canary != 0 {
			canary = fmt.Sprintf("%d, %s", p.Canary, shareText(p.Share))
		}
		rows.add(fmt.Sprint(p.Activation), fmt.Sprint(p.Stable), canary, p.At.UTC().Format(time.DateTime), clean(p.By), clean(p.Why))
	}
	return rows.write(t.out)
}

func versionIs(p *cluster.Pointer, v uint64) string {
	switch v {
	case p.Stable:
		return "stable"
	case p.Canary:
		return "canary, " + shareText(p.Share)
	case p.Previous:
		return "previous"
	case p.RolledBack:
		return "rolled back"
	}
	return ""
}

// owning counts the nodes with weight.
func owning(r *ring.Ring) (n int) {
	for _, o := range r.Nodes() {
		if o.Weight > 0 {
			n++
		}
	}
	return n
}
