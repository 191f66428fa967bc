package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"roost/ring"
	"roost/ring/preview"
	"roost/server/cluster"
)

// drainFlags are those of drain.
type drainFlags struct {
	recordFlags
	over, within             time.Duration
	stop, watch, force, json bool
}

// runDrain is roostctl drain.
func runDrain(ctx context.Context, args []string, t terminal) error {
	f := newFlags("drain", "[NODE] --etcd HOST:PORT [--over 2m] [--watch] | NODE --stop", `Empty a node: its weight falls to 0, and its devices are moved to their new owners, a
slot each, within --over. That stays, also for a node that starts again, until --stop,
after which it fills again. Refused where it is the last node, or its zone's last, or
where the others cannot take the devices. Without a NODE, the drains that there are.`)
	e := f.etcd()
	d := &drainFlags{}
	d.define(f)
	f.DurationVar(&d.over, "over", 2*time.Minute, "`time` in which the devices are moved, 1s to 24h")
	f.BoolVar(&d.stop, "stop", false, "let the node fill again")
	f.BoolVar(&d.watch, "watch", false, "wait until it is empty, and show how far it is")
	f.DurationVar(&d.within, "within", 0, "`time` that --watch waits (default: --over and a minute)")
	f.BoolVar(&d.force, "force", false, "empty it all the same")
	f.BoolVar(&d.json, "json", false, "the drains that there are as JSON (without a NODE)")
	rest, err := f.take(args, t.out, 0, 1, "one NODE")
	if err != nil {
		return err
	}
	if d.over < time.Second || d.over > cluster.MostOver {
		return fmt.Errorf("--over is %v: 1s to 24h", d.over)
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	switch {
	case len(rest) == 0 && d.json:
		return s.drainsJSON(t)
	case len(rest) == 0:
		return s.listDrains(t)
	case d.json:
		return errors.New("--json is of the list of drains: leave NODE out")
	}
	if d.stop {
		return s.stopDrain(ctx, t, rest[0])
	}
	return s.drain(ctx, t, rest[0], d)
}

func (s *session) stopDrain(ctx context.Context, t terminal, node string) error {
	was, err := s.c.Drains().Stop(ctx, node)
	if err != nil {
		return err
	}
	if !was {
		_, err = fmt.Fprintf(t.out, "%s was not being drained\n", clean(node))
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s fills again\n", clean(node))
	return err
}

func (s *session) listDrains(t terminal) error {
	v := s.w.View()
	drains, bad := cluster.DrainsOf(v)
	rows := newTable("node", "over>", "since", "by", "left>", "moved>", "why")
	for _, id := range slices.Sorted(maps.Keys(drains)) {
		d := drains[id]
		left, moved := "-", "-"
		if p := progressOf(v, id); p != nil {
			left, moved = fmt.Sprint(p.Left), fmt.Sprint(p.Moved)
		}
		rows.add(id, d.Over.String(), ago(time.Now(), d.At), d.By, left, moved, d.Why)
	}
	if err := rows.write(t.out); err != nil {
		return err
	}
	if len(drains) == 0 && bad == nil {
		fmt.Fprintln(t.out, "no node is being drained")
	}
	return bad
}

// drainsJSON is listDrains for scripts.
func (s *session) drainsJSON(t terminal) error {
	v := s.w.View()
	drains, bad := cluster.DrainsOf(v)
	list := []drainJSON{}
	for _, id := range slices.Sorted(maps.Keys(drains)) {
		d := drains[id]
		x := drainJSON{Node: id, OverMS: d.Over.Milliseconds(), At: d.At.UTC(), By: d.By, Why: d.Why}
		if p := progressOf(v, id); p != nil {
			x.Left, x.Moved = &p.Left, &p.Moved
		}
		list = append(list, x)
	}
	return errors.Join(writeJSON(t.out, list), bad)
}

// drain asks for it, if it is allowed.
func (s *session) drain(ctx context.Context, t terminal, node string, d *drainFlags) error {
	put, err := s.startDrain(ctx, t, s.w.View(), node, d)
	for try := 0; errors.Is(err, cluster.ErrMoved) && try < drainTries; try++ {
		v, waited := s.moved(ctx)
		if waited != nil {
			return errors.Join(err, waited)
		}
		fmt.Fprintln(t.out, "somebody else has drained or pinned a node meanwhile: looked again")
		put, err = s.startDrain(ctx, t, v, node, d)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s is drained over %v; roostctl drain %s --stop ends that\n", clean(node), put.Over, clean(node))
	if !d.watch {
		return nil
	}
	if d.within == 0 {
		d.within = d.over + time.Minute
	}
	return s.watchDrain(ctx, t, node, put, d.within)
}

// drainTries is how often it is decided anew because of other orders.
const drainTries = 10

// moved returns a view that is as new as etcd is now.
func (s *session) moved(ctx context.Context) (*cluster.View, error) {
	w, err := s.c.Watch(cluster.WatchOptions{})
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := w.Ready(ctx); err != nil {
		return nil, err
	}
	return w.View(), nil
}

// startDrain asks for it by a view; the error is cluster.ErrMoved where the view is not what is any more.
func (s *session) startDrain(ctx context.Context, t terminal, v *cluster.View, node string, d *drainFlags) (cluster.Drain, error) {
	_, again, _ := cluster.DrainOf(v, node)
	reasons, report, stay, err := s.againstDrain(ctx, v, node, d.over)
	if err != nil {
		return cluster.Drain{}, err
	}
	if report != nil {
		writeDrainPlan(t, report, node)
	}
	if len(reasons) > 0 && !d.force && !again {
		for i, r := range reasons {
			reasons[i] = fmt.Errorf("%w: %w", errRefused, r)
		}
		return cluster.Drain{}, fmt.Errorf("%w\nnothing has been done; --force does it all the same", errors.Join(reasons...))
	}
	for _, r := range reasons {
		fmt.Fprintf(t.out, "warning: %v\n", r)
	}
	wish := cluster.Drain{Over: d.over, By: d.by, Why: d.why}
	if d.force || again {
		return s.c.Drains().Start(ctx, node, wish)
	}
	return s.c.Drains().StartIf(ctx, v, node, wish, stay...)
}

// againstDrain says what speaks against emptying a node, and what it will do; nil
// if it owns nothing. stay is a node, best one of its zone, that is left to take devices.
func (s *session) againstDrain(ctx context.Context, v *cluster.View, node string, over time.Duration) (reasons []error, report *preview.Report, stay []string, err error) {
	m, there := v.Members[node]
	if !there {
		return []error{fmt.Errorf("node %q is not registered; these are: %s", node, strings.Join(members(v), ", "))}, nil, nil, nil
	}
	other, beside := "", ""
	for _, id := range members(v) {
		if id == node || !v.Takes(id) {
			continue
		}
		if other = id; v.Members[id].Zone == m.Zone {
			beside = id
		}
	}
	if last := cmp.Or(beside, other); last != "" {
		stay = []string{last}
	} else {
		reasons = append(reasons, fmt.Errorf("%s is the last node that takes devices: emptying it leaves none", node))
	}
	stable, _, err := s.inForce(ctx, v.Pointer)
	if errors.Is(err, cluster.ErrNoVersion) {
		return reasons, nil, stay, nil
	}
	if err != nil {
		return nil, nil, nil, err
	}
	r := stable.Ring
	i := r.Find(node)
	if i == ring.None || r.Node(i).Weight == 0 {
		return reasons, nil, stay, nil
	}
	empty := *r.Node(i)
	empty.Weight = 0
	next, err := r.Apply(r.Version()+1, ring.Change{Set: []ring.Node{empty}})
	if err != nil {
		return nil, nil, nil, err
	}
	report = preview.Of(preview.Input{Before: r, After: next, Known: known(v), Over: over})
	if beside == "" && other != "" {
		reasons = append(reasons, fmt.Errorf("%s is the last node of zone %s that takes devices: emptying it empties the zone", node, preview.ZoneName(m.Zone)))
	}
	for _, b := range report.Check(preview.Limits{}) {
		// How much moves is what a drain is about.
		if b.Rule == preview.RuleNode || b.Rule == preview.RuleZone || b.Rule == preview.RuleReconnects {
			reasons = append(reasons, errors.New(b.Reason))
		}
	}
	return reasons, report, stay, nil
}

// writeDrainPlan says who will get the devices.
func writeDrainPlan(t terminal, r *preview.Report, node string) {
	fmt.Fprintf(t.out, "%s gives up %.4f %% of all ids, %.0f devices\n", clean(node), 100*r.Moved(), r.Devices)
	for i := range r.Nodes {
		if n := &r.Nodes[i]; n.Come > 0 {
			fmt.Fprintf(t.out, "  %s gets %.0f, %.1f a second, and has %.0f then (load %s %%)\n", clean(n.ID), n.Come, n.Rate, n.After(), loadText(n.After(), n.Capacity))
		}
	}
}

func progressOf(v *cluster.View, node string) *cluster.DrainProgress {
	w, ok := v.Weights[node]
	if !ok {
		return nil
	}
	said, err := w.Said()
	if err != nil {
		return nil
	}
	return said.Drain
}

// watchDrain shows how far a drain is until the node is empty, it has gone, somebody
// stops it, or time is over.
func (s *session) watchDrain(ctx context.Context, t terminal, node string, d cluster.Drain, longest time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	bar := newBar(t)
	for last := int64(-1); ; {
		var state drainState
		v, err := s.w.Wait(ctx, func(v *cluster.View) bool {
			state = drainOf(v, node, d)
			return state.end != "" || v.Weights[node].Revision != last && state.progress != nil
		})
		if err != nil {
			bar.end()
			if errors.Is(err, context.DeadlineExceeded) {
				fmt.Fprintf(t.out, "%s is not empty after %v: it goes on; roostctl drain shows how far it is\n", clean(node), longest)
				return errBad
			}
			return err
		}
		last = v.Weights[node].Revision
		if state.progress != nil {
			bar.show(clean(node), state.progress)
		}
		if state.end != "" {
			bar.end()
			_, err := fmt.Fprintln(t.out, state.end)
			return err
		}
	}
}

// drainState is where a drain is; end is "" while it goes on.
type drainState struct {
	progress *cluster.DrainProgress
	end      string
}

func drainOf(v *cluster.View, node string, d cluster.Drain) (s drainState) {
	now, drains, _ := cluster.DrainOf(v, node)
	s.progress = progressOf(v, node)
	_, there := v.Members[node]
	switch {
	case v.Revision < d.Revision: // the view is of before
	case !drains:
		s.end = fmt.Sprintf("somebody has stopped the drain of %s", clean(node))
	case now.Revision > d.Revision:
		s.end = fmt.Sprintf("somebody has asked anew for the drain of %s: over %v, by %s", clean(node), now.Over, clean(now.By))
	case !there:
		s.end = clean(node) + " has gone"
	case s.progress != nil && s.progress.Left == 0:
		s.end = clean(node) + " is empty"
	}
	return s
}

// bar is progress on a terminal, or lines where there is none.
type bar struct {
	t        terminal
	rewrites bool
	shown    bool
}

const barWidth = 30

func newBar(t terminal) *bar {
	b := &bar{t: t}
	if f, ok := t.errout.(*os.File); ok {
		if st, err := f.Stat(); err == nil {
			b.rewrites = st.Mode()&os.ModeCharDevice != 0
		}
	}
	return b
}

// show is one state, on the standard error of a terminal, or as a line of the answer.
func (b *bar) show(node string, p *cluster.DrainProgress) {
	part := 1.0
	if all := p.Left + p.Moved; all > 0 {
		part = float64(p.Moved) / float64(all)
	}
	text := fmt.Sprintf("%s %3.0f %%, left %d, moved %d", node, 100*part, p.Left, p.Moved)
	if !b.rewrites {
		fmt.Fprintln(b.t.out, text)
		return
	}
	full := int(part * barWidth)
	fmt.Fprintf(b.t.errout, "\r[%s%s] %s\x1b[K", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), text)
	b.shown = true
}

// end leaves the line of the bar.
func (b *bar) end() {
	if b.shown {
		fmt.Fprintln(b.t.errout)
	}
}
