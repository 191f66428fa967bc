package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"roost/decay/dawn"
	"roost/server/cluster"
)

// runNightStatus is roostctl night status.
func runNightStatus(ctx context.Context, args []string, t terminal) error {
	f := newFlags("night status", "--etcd HOST:PORT [--json]", `Maintenance nights: the plan and when it fires next, what each night that is under way
does or has done, who works on it, and what nights leave of each node's weight now.`)
	e := f.etcd()
	asJSON := f.Bool("json", false, "as JSON")
	all := f.Bool("all", false, "nights that are over, too")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	n, err := s.nights(ctx, e.id.Environment, cluster.ClockOf(s.w.View(), time.Now()), *all)
	if err != nil {
		return err
	}
	if *asJSON {
		return writeJSON(t.out, n)
	}
	return n.write(t)
}

// runNightAbort is roostctl night abort.
func runNightAbort(ctx context.Context, args []string, t terminal) error {
	f := newFlags("night abort", "--etcd HOST:PORT [--night YYYYMMDD] [--window ID] --why WORDS", `End a maintenance night, or one window of it. What has not begun is skipped; weights that
fall or are low come back from where they are, over the recovery that the plan gives them. It
is recorded, so that no node begins it again; the next night is as planned.`)
	e := f.etcd()
	date := f.String("night", "", "`YYYYMMDD` (default: the one that is under way, if it is one)")
	window := f.String("window", "", "`id` of the window (default: all)")
	r := &recordFlags{}
	r.define(f)
	within := f.Duration("within", time.Minute, "`time` to wait for a node that works on the night")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	switch {
	case r.why == "":
		return errors.New("say why: --why 'maintenance is put off' (it is read at three in the morning)")
	case *date != "" && dawn.ParseDate(*date) == 0:
		return fmt.Errorf("--night %q: want YYYYMMDD", *date)
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	n, err := s.nights(ctx, e.id.Environment, cluster.ClockOf(s.w.View(), time.Now()), true)
	if err != nil {
		return err
	}
	night, err := n.choose(dawn.ParseDate(*date), *window)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *within)
	defer cancel()
	local := time.Now()
	now := cluster.ClockOf(s.w.View(), local)
	done, err := s.c.Nights().Ahead(now.Sub(local)).Abort(ctx, night, dawn.Abort{Now: now, Window: *window, Reason: r.why + ", by " + r.by}, "roostctl:"+r.by, uint64(local.Unix()))
	if errors.Is(err, cluster.ErrNoNight) {
		return fmt.Errorf("%w: %w: roostctl night status shows it", errRefused, err)
	}
	if err != nil {
		return err
	}
	whose := "this machine"
	if off := local.Sub(now).Round(time.Second); off != 0 {
		whose = fmt.Sprintf("the nodes, from which this machine's is %v off", off)
	}
	fmt.Fprintf(t.out, "night %v is ended, by the clock of %s (%s)\n", done.Date, whose, now.UTC().Format(time.DateTime+" UTC"))
	return writeOpenings(t, nightOf(&done, n.members).Openings)
}

// nights are maintenance nights at one moment. It is the JSON of night status.
type nights struct {
	Cluster cluster.Identity `json:"cluster"`
	Now     time.Time        `json:"now"`
	Plan    nightPlan        `json:"plan"`
	Lock    *nightLock       `json:"lock,omitempty"` // who works on a night; left out: nobody
	Nights  []nightState     `json:"nights"`
	Nodes   []nightNode      `json:"nodes"`

	Unreadable []string `json:"unreadable,omitempty"` // records that are none, and why

	calendar *dawn.Calendar
	members  []dawn.Node
	records  []dawn.Record
}

type nightPlan struct {
	Windows []string   `json:"windows"`
	Zone    string     `json:"zone,omitempty"`
	Error   string     `json:"error,omitempty"` // why it cannot be read
	Next    string     `json:"next,omitempty"`  // night, YYYYMMDD
	Fires   *time.Time `json:"fires,omitempty"`
}

type nightLock struct {
	Node  string `json:"node"`
	Night string `json:"night"`
}

type nightState struct {
	Night    string         `json:"night"` // YYYYMMDD
	Done     bool           `json:"done"`
	Step     int            `json:"step"`   // decisions so far; 0: nobody has begun
	Holder   string         `json:"holder"` // who made the last one
	Openings []nightOpening `json:"openings"`
}

type nightOpening struct {
	Window    string     `json:"window"`
	Stage     dawn.Stage `json:"stage"`
	Reason    string     `json:"reason,omitempty"`
	Postponed int        `json:"postponed"`
	Aborted   bool       `json:"aborted"`
	Begin     time.Time  `json:"begin"` // weights begin to fall
	Start     time.Time  `json:"start"` // of the maintenance
	End       time.Time  `json:"end"`   // weights begin to come back
	Clear     time.Time  `json:"clear"` // they are back
	Floor     float64    `json:"floor"` // 0 to 1
	Nodes     []string   `json:"nodes"` // members that are meant
}

type nightNode struct {
	ID      string   `json:"id"`
	Zone    string   `json:"zone,omitempty"`
	Factor  float64  `json:"factor"` // what nights leave of its weight, 0 to 1
	Weight  *float64 `json:"weight,omitempty"`
	Devices *int     `json:"devices,omitempty"`
}

// nights reads them; all is those that are over, too.
func (s *session) nights(ctx context.Context, environment string, now time.Time, all bool) (*nights, error) {
	v := s.w.View()
	n := &nights{Cluster: s.id, Now: now.UTC(), Plan: nightPlan{Windows: []string{}}, Nights: []nightState{}, Nodes: []nightNode{}}
	for _, id := range members(v) {
		n.members = append(n.members, dawn.Node{ID: id, Zone: v.Members[id].Zone})
	}
	n.readPlan(v, environment)
	var bad error
	if n.records, bad = cluster.Records(v); bad != nil {
		n.Unreadable = strings.Split(bad.Error(), "\n") // the other nights are no worse for it
	}
	slices.SortFunc(n.records, func(a, b dawn.Record) int { return int(a.Date) - int(b.Date) })
	for i := range n.records {
		if all || !n.records[i].Done() {
			n.Nights = append(n.Nights, nightOf(&n.records[i], n.members))
		}
	}
	for i := range n.members {
		m := &n.members[i]
		x := nightNode{ID: m.ID, Zone: m.Zone, Factor: 1}
		for j := range n.records {
			x.Factor = min(x.Factor, n.records[j].Factor(now, m))
		}
		if w, ok := v.Weights[m.ID]; ok {
			x.Weight = &w.Value
			if said, err := w.Said(); err == nil {
				x.Devices = said.Connections
			}
		}
		n.Nodes = append(n.Nodes, x)
	}
	node, date, held, err := s.c.Nights().Holder(ctx)
	if held {
		n.Lock = &nightLock{node, date.String()}
	}
	return n, err
}

func (n *nights) readPlan(v *cluster.View, environment string) {
	e, ok := v.Config[cluster.NightPlanName]
	if !ok {
		return
	}
	c, _, err := cluster.ReadNightPlan(e.Value, environment)
	if err != nil {
		n.Plan.Error = err.Error()
		return
	}
	n.calendar, n.Plan.Zone = c, c.Zone.String()
	for i := range c.Windows {
		n.Plan.Windows = append(n.Plan.Windows, c.Windows[i].ID)
	}
	if next, ok := c.Next(n.Now); ok {
		fires := next.Fire().UTC()
		n.Plan.Next, n.Plan.Fires = next.Date.String(), &fires
	}
}

func nightOf(r *dawn.Record, all []dawn.Node) nightState {
	s := nightState{Night: r.Date.String(), Done: r.Done(), Step: r.Step, Holder: r.Holder, Openings: []nightOpening{}}
	for i := range r.Entries {
		e := &r.Entries[i]
		o := nightOpening{Window: e.Window, Stage: e.Stage, Reason: e.Reason, Postponed: e.Postponed, Aborted: e.Aborted,
			Begin: e.Begin.UTC(), Start: e.Start.UTC(), End: e.End.UTC(), Clear: e.Clear().UTC(), Floor: e.Curve.Floor, Nodes: []string{}}
		for j := range all {
			if e.Nodes.Matches(&all[j]) {
				o.Nodes = append(o.Nodes, all[j].ID)
			}
		}
		s.Openings = append(s.Openings, o)
	}
	return s
}

// choose returns the night to end: the one that is named, or the only one that is under
// way or has a window that it may be.
func (n *nights) choose(d dawn.Date, window string) (dawn.Night, error) {
	if n.calendar != nil && window != "" && !slices.Contains(n.Plan.Windows, window) && !n.recorded(window) {
		return dawn.Night{}, fmt.Errorf("%w: neither the plan nor a night has a window %q", errRefused, window)
	}
	dates := map[dawn.Date]bool{}
	for i := range n.records {
		if r := &n.records[i]; !r.Done() {
			dates[r.Date] = true
		}
	}
	if n.calendar != nil {
		for _, due := range n.calendar.Due(n.Now) {
			if i := slices.IndexFunc(n.records, func(r dawn.Record) bool { return r.Date == due.Date }); i < 0 || !n.records[i].Done() {
				dates[due.Date] = true
			}
		}
	}
	if d == 0 {
		if len(dates) != 1 {
			return dawn.Night{}, fmt.Errorf("%w: %d nights are under way %v: name one by --night", errRefused, len(dates), slices.Sorted(maps.Keys(dates)))
		}
		for d = range dates {
		}
	}
	if n.calendar != nil {
		if night, ok := n.calendar.Night(d); ok {
			if n.Now.After(night.Clear()) {
				return night, fmt.Errorf("%w: night %v is over since %s", errRefused, d, stamp(night.Clear()))
			}
			return night, nil
		}
	}
	return dawn.Night{Date: d, Environment: n.Cluster.Environment}, nil
}

// recorded reports whether a night has the window.
func (n *nights) recorded(window string) bool {
	return slices.ContainsFunc(n.records, func(r dawn.Record) bool {
		return slices.ContainsFunc(r.Entries, func(e dawn.Entry) bool { return e.Window == window })
	})
}

func (n *nights) write(t terminal) error {
	switch p := &n.Plan; {
	case p.Error != "":
		fmt.Fprintf(t.out, "plan   cannot be read, nodes keep the one before: %s\n", clean(p.Error))
	case n.calendar == nil:
		fmt.Fprintln(t.out, "plan   none: docs/NIGHTS.md says how to write one")
	case p.Fires == nil:
		fmt.Fprintf(t.out, "plan   windows %v; none fires any more\n", p.Windows)
	default:
		fmt.Fprintf(t.out, "plan   windows %v; night %s fires at %s, %s\n", p.Windows, p.Next, stamp(*p.Fires), p.Fires.In(n.calendar.Zone).Format("15:04 MST"))
	}
	if n.Lock != nil {
		fmt.Fprintf(t.out, "lock   %s works on night %s\n", clean(n.Lock.Node), n.Lock.Night)
	}
	for _, why := range n.Unreadable {
		fmt.Fprintf(t.out, "night  cannot be read, and no node works on it: %s\n", clean(why))
	}
	if len(n.Nights) == 0 {
		fmt.Fprintln(t.out, "night  none is under way")
	}
	for i := range n.Nights {
		x := &n.Nights[i]
		fmt.Fprintf(t.out, "night  %s, step %d by %s\n", x.Night, x.Step, clean(x.Holder))
		if err := writeOpenings(t, x.Openings); err != nil {
			return err
		}
	}
	rows := newTable("node", "zone", "factor>", "weight>", "devices>")
	for _, x := range n.Nodes {
		rows.add(x.ID, x.Zone, fmt.Sprintf("%.3f", x.Factor), dashIf(x.Weight == nil, plain(value(x.Weight))), dashIf(x.Devices == nil, fmt.Sprint(value(x.Devices))))
	}
	return rows.write(t.out)
}

func writeOpenings(t terminal, list []nightOpening) error {
	rows := newTable("window", "stage", "falls", "maintenance", "ends", "back", "floor>", "nodes", "why")
	for _, o := range list {
		rows.add(o.Window, o.Stage.String(), stamp(o.Begin), stamp(o.Start), stamp(o.End), stamp(o.Clear), plain(o.Floor), fmt.Sprint(len(o.Nodes)), o.Reason)
	}
	return rows.write(t.out)
}

// stamp is a time to the second, in UTC: cluster and operator may be in different zones.
func stamp(t time.Time) string { return t.UTC().Format("01-02 15:04:05Z") }
