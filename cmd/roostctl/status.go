package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"roost/server/cluster"
)

// runStatus is roostctl ring status.
func runStatus(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring status", "--etcd HOST:PORT [--json]", `The rings of a cluster: what is in force and on trial, how the trial goes, what
the planner will do next, the nodes with what they say of themselves, and who holds
another ring than the pointer names.`)
	e := f.etcd()
	asJSON := f.Bool("json", false, "as JSON")
	unit := f.Float64("unit", 0, "`devices` that a ring weight of 1 stands for, as the nodes have it (default: the planner's)")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	st := status{Cluster: e.id, Where: e.prefix + " at etcd " + e.Endpoints, View: s.w.View(), Planner: s.planner, Now: time.Now()}
	if st.View.Pointer.Activation != 0 {
		if st.Stable, st.Canary, err = s.inForce(ctx, st.View.Pointer); err != nil {
			return err
		}
	}
	st.Next, st.After = cluster.Ahead(st.input(), s.plan(*unit))
	if *asJSON {
		return writeJSON(t.out, st.summary())
	}
	return st.write(t)
}

// status is a cluster at one moment.
type status struct {
	Cluster        cluster.Identity
	Where          string
	View           *cluster.View
	Stable, Canary *cluster.Stored // nil if there is none
	Planner        cluster.Elected
	Next           cluster.Decision
	After          time.Duration
	Now            time.Time
}

// input is what the planner's rules look at.
func (s *status) input() cluster.PlanInput {
	in := cluster.PlanInput{View: s.View, Now: s.Now}
	if s.Stable != nil {
		in.Stable = s.Stable.Ring
	}
	if s.Canary != nil {
		in.Canary = s.Canary.Ring
	}
	return in
}

func (s *status) write(t terminal) error {
	fmt.Fprintf(t.out, "cluster   %s (%s) under %s, revision %d\n", clean(s.Cluster.ID), clean(s.Cluster.Environment), s.Where, s.View.Revision)
	s.writePointer(t)
	who := "nobody is elected"
	if s.Planner.ID != "" {
		who = fmt.Sprintf("%s since %s", clean(s.Planner.ID), ago(s.Now, s.Planner.Since))
	}
	fmt.Fprintf(t.out, "planner   %s; next: %s\n", who, s.next())
	if err := s.writeNodes(t); err != nil {
		return err
	}
	for _, line := range s.remarks() {
		fmt.Fprintln(t.out, line)
	}
	return nil
}

func (s *status) writePointer(t terminal) {
	p := &s.View.Pointer
	if p.Activation == 0 {
		for key, why := range s.View.Refused {
			if strings.HasSuffix(key, "/rings/active") {
				fmt.Fprintf(t.out, "stable    cannot be read: %s: %s; nodes keep the ring that they have; delete the key, and the planner puts that in force again\n", clean(key), clean(why.Error()))
				return
			}
		}
		fmt.Fprintln(t.out, "stable    none: it is made when the first node has registered")
		return
	}
	fmt.Fprintf(t.out, "stable    version %d, hash %v, activation %d, %s by %s: %s\n", p.Stable, p.StableHash, p.Activation, ago(s.Now, p.At), clean(p.By), clean(p.Why))
	if p.Canary != 0 {
		counts := cluster.Sum(s.View, p.Trial)
		verdict := cluster.Judge(counts, s.Now.Sub(p.Began), s.Planner.Trial)
		fmt.Fprintf(t.out, "canary    version %d, hash %v, for %s of the devices whose owner changes, trial %d begun %s\n", p.Canary, p.CanaryHash, shareText(p.Share), p.Trial, ago(s.Now, p.Began))
		for _, side := range []struct {
			name string
			of   cluster.Side
		}{{"share", counts.Share}, {"rest", counts.Rest}} {
			fmt.Fprintf(t.out, "          %-6s%d attempts, %d failed, %d missed, P99 %v\n", side.name, side.of.Attempts, side.of.Failures, side.of.Misses, side.of.P99)
		}
		fmt.Fprintf(t.out, "          verdict: %v: %s\n", verdict.Action, verdict.Why)
	}
	switch {
	case p.Canary != 0:
		fmt.Fprintf(t.out, "rollback  takes version %d back\n", p.Canary)
	case p.Previous != 0:
		fmt.Fprintf(t.out, "rollback  goes back to version %d, hash %v\n", p.Previous, p.PreviousHash)
	}
	if p.RolledBack != 0 {
		fmt.Fprintf(t.out, "          version %d was rolled back %s\n", p.RolledBack, ago(s.Now, p.Back))
	}
}

// next says what the planner will do.
func (s *status) next() string {
	if s.Next.Kind == cluster.Nothing {
		return "nothing: " + clean(s.Next.Why)
	}
	in := ""
	if s.After > 0 {
		in = fmt.Sprintf(" in %v, if nothing changes", s.After.Round(100*time.Millisecond))
	}
	return fmt.Sprintf("%v%s: %s", s.Next.Kind, in, clean(s.Next.Why))
}

func (s *status) writeNodes(t terminal) error {
	rows := newTable("node", "zone", "state", "weight>", "published>", "share %>", "devices>", "capacity>", "load %>", "takes/s>", "ring", "hash")
	for _, n := range s.nodes() {
		dash := func(ok bool, text string) string {
			if !ok {
				return "-"
			}
			return text
		}
		rows.add(n.ID, n.Zone, n.State, dash(n.Ring, plain(n.Weight)), dash(n.Published != nil, plain(value(n.Published))), dash(n.Ring, fmt.Sprintf("%.4f", 100*n.Share)),
			dash(n.Devices != nil, fmt.Sprint(value(n.Devices))), dash(n.Capacity > 0, plain(n.Capacity)), dash(n.Devices != nil && n.Capacity > 0, fmt.Sprintf("%.1f", 100*float64(value(n.Devices))/n.Capacity)),
			dash(n.Accept > 0, fmt.Sprintf("%.0f", n.Accept)), dash(n.Held != nil, heldText(n.Held)), dash(n.Held != nil, hashText(n.Held)))
	}
	return rows.write(t.out)
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func heldText(h *cluster.HeldRing) string {
	if h == nil {
		return ""
	}
	if h.Canary != 0 {
		return fmt.Sprintf("%d+%d", h.Version, h.Canary)
	}
	return fmt.Sprint(h.Version)
}

func hashText(h *cluster.HeldRing) string {
	if h == nil {
		return ""
	}
	return h.Hash.String()
}

// statusNode is a node of a cluster, or one of the ring that is not there any more.
type statusNode struct {
	ID        string                 `json:"id"`
	Zone      string                 `json:"zone,omitempty"`
	State     string                 `json:"state"` // there, draining, held, gone
	Ring      bool                   `json:"in_ring"`
	Weight    float64                `json:"weight"`
	Share     float64                `json:"share"` // 0 to 1
	Published *float64               `json:"published,omitempty"`
	Devices   *int                   `json:"devices,omitempty"`
	Capacity  float64                `json:"capacity,omitempty"`
	Accept    float64                `json:"accept_per_s,omitempty"`
	Held      *cluster.HeldRing      `json:"ring,omitempty"`
	Drain     *cluster.DrainProgress `json:"drain,omitempty"`
	Agrees    *bool                  `json:"agrees,omitempty"` // holds what the pointer names
}

// nodes lists members and what the stable ring has besides, by id.
func (s *status) nodes() []statusNode {
	all := map[string]*statusNode{}
	for id, m := range s.View.Members {
		n := &statusNode{ID: id, Zone: m.Zone, State: "there", Capacity: m.Capacity}
		if !s.View.Has(id) {
			n.State = "held"
		}
		if _, drains, _ := cluster.DrainOf(s.View, id); drains {
			n.State = "draining"
		}
		if w, ok := s.View.Weights[id]; ok {
			n.Published = &w.Value
			if said, err := w.Said(); err == nil {
				n.Devices, n.Accept, n.Held, n.Drain = said.Connections, said.Accept, said.Ring, said.Drain
			}
		}
		if n.Held != nil {
			agrees := n.Held.Agrees(&s.View.Pointer)
			n.Agrees = &agrees
		}
		all[id] = n
	}
	if s.Stable != nil {
		r := s.Stable.Ring
		for i, o := range r.Nodes() {
			if all[o.ID] == nil {
				all[o.ID] = &statusNode{ID: o.ID, Zone: o.Zone, State: "gone", Capacity: o.Capacity}
			}
			n := all[o.ID]
			n.Ring, n.Weight, n.Share = true, o.Weight, float64(r.Slots(i))/float64(r.TableSlots())
		}
	}
	var list []statusNode
	for _, id := range slices.Sorted(maps.Keys(all)) {
		list = append(list, *all[id])
	}
	return list
}

// remarks are what somebody should know who looks.
func (s *status) remarks() (lines []string) {
	others, silent := 0, 0
	for _, n := range s.nodes() {
		switch {
		case n.Agrees == nil && n.State != "gone":
			silent++
		case n.Agrees != nil && !*n.Agrees:
			others++
			lines = append(lines, fmt.Sprintf("another ring: %s holds version %s, hash %v", clean(n.ID), heldText(n.Held), n.Held.Hash))
		}
	}
	lines = append(lines, fmt.Sprintf("%d nodes hold another ring than the pointer names, %d do not say", others, silent))
	drains, err := cluster.DrainsOf(s.View)
	for _, id := range slices.Sorted(maps.Keys(drains)) {
		d := drains[id]
		lines = append(lines, fmt.Sprintf("drain: %s over %v, since %s by %s: %s", clean(id), d.Over, ago(s.Now, d.At), clean(d.By), clean(d.Why)))
	}
	if err != nil {
		lines = append(lines, "drain: "+err.Error())
	}
	pins, err := cluster.PinsOf(s.View)
	for _, id := range slices.Sorted(maps.Keys(pins)) {
		lines = append(lines, fmt.Sprintf("pinned: %s at weight %s, since %s by %s: ring apply --unpin %[1]s takes it back", clean(id), plain(pins[id].Weight), ago(s.Now, pins[id].At), clean(pins[id].By)))
	}
	if err != nil {
		lines = append(lines, "pins: "+err.Error())
	}
	for _, zone := range slices.Sorted(maps.Keys(s.View.Zones.Factors)) {
		lines = append(lines, fmt.Sprintf("zone %s: factor %.4g", clean(zone), s.View.Zones.Factors[zone]))
	}
	for _, id := range slices.Sorted(maps.Keys(s.View.Held)) {
		lines = append(lines, fmt.Sprintf("held: %s is gone since %s, and counts until a second look", clean(id), ago(s.Now, s.View.Held[id])))
	}
	for _, key := range slices.Sorted(maps.Keys(s.View.Refused)) {
		lines = append(lines, "refused: "+clean(key)+": "+clean(s.View.Refused[key].Error()))
	}
	return lines
}

// summary is the status as JSON.
func (s *status) summary() any {
	type version struct {
		Version uint64       `json:"version"`
		Hash    cluster.Hash `json:"hash"`
	}
	out := struct {
		Cluster    cluster.Identity   `json:"cluster"`
		Revision   int64              `json:"revision"`
		Activation int64              `json:"activation"`
		Pointer    cluster.Pointer    `json:"pointer"`
		Trial      *cluster.Counts    `json:"trial,omitempty"`
		Planner    string             `json:"planner,omitempty"`
		Next       string             `json:"next"`
		Nodes      []statusNode       `json:"nodes"`
		Factors    map[string]float64 `json:"zone_factors,omitempty"`
		Previous   *version           `json:"previous,omitempty"`
	}{Cluster: s.Cluster, Revision: s.View.Revision, Activation: s.View.Pointer.Activation, Pointer: s.View.Pointer, Planner: s.Planner.ID,
		Next: s.next(), Nodes: s.nodes(), Factors: s.View.Zones.Factors}
	if p := &s.View.Pointer; p.Trial != 0 {
		counts := cluster.Sum(s.View, p.Trial)
		out.Trial = &counts
	}
	if p := &s.View.Pointer; p.Previous != 0 {
		out.Previous = &version{p.Previous, p.PreviousHash}
	}
	return out
}

// ago is a time before now, in words.
func ago(now, at time.Time) string {
	if at.IsZero() {
		return "(no time)"
	}
	d := now.Sub(at)
	switch {
	case d < 0:
		return "just now"
	case d < time.Minute:
		d = d.Round(time.Second)
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s") + " ago"
	default:
		return at.UTC().Format("2006-01-02 15:04 UTC")
	}
	return d.String() + " ago"
}
