package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"roost/ring"
	"roost/ring/preview"
	"roost/ring/zones"
	"roost/server/cluster"
)

// changeFlags say which change of a cluster's ring is meant. None is the one that
// the planner will make next.
type changeFlags struct {
	set                              nodeArgs
	remove, drain, unpin             []string
	zones                            bool
	targets                          string
	devices, most                    int
	over                             time.Duration
	unit                             float64
	moved, load, reconnects, removed float64 // limits in percent
}

// change defines the flags of a change.
func (f *flags) change() *changeFlags {
	c := &changeFlags{}
	list := func(name, usage string, into *[]string) {
		f.Func(name, usage, func(id string) error { *into = append(*into, id); return nil })
	}
	f.Var(&c.set, "set", nodeSyntax+": a node as it shall be; many times")
	list("remove", "`id` of a node that shall go; many times", &c.remove)
	list("drain", "`id` of a node that is to be emptied; many times. Of a cluster; it is only shown: roostctl drain does it", &c.drain)
	list("unpin", "`id` of a node that is to follow the weight that it publishes again; many times. Of a cluster", &c.unpin)
	f.BoolVar(&c.zones, "zones", false, "even out the zones of a cluster")
	f.StringVar(&c.targets, "targets", "", "`ZONE=SHARE,...`: what each zone should have, with --zones (default: by capacity)")
	f.IntVar(&c.devices, "devices", 1_000_000, "`number` of devices; of a cluster, of nodes that do not say how many they have (default 0)")
	f.DurationVar(&c.over, "over", preview.DefaultOver, "`time` in which the devices of a cluster are moved")
	f.Float64Var(&c.unit, "unit", 0, "`devices` that a ring weight of 1 stands for, as the nodes have it (default: the planner's)")
	f.IntVar(&c.most, "moves", 20, "`number` of moves to list, the largest first")
	l := preview.Limits{}.WithDefaults()
	f.Float64Var(&c.moved, "limit-moved", 100*l.Moved, "the most `percent` of all devices that may move")
	f.Float64Var(&c.load, "limit-load", 100*l.Load, "the most `percent` of its capacity that a node or a zone may hold")
	f.Float64Var(&c.reconnects, "limit-reconnects", 100*l.Reconnects, "the most `percent` of the connects a second that a node says it can take")
	f.Float64Var(&c.removed, "limit-removed", 100*l.Removed, "the most `percent` of the nodes that may own nothing afterwards")
	return c
}

func (c *changeFlags) limits() (preview.Limits, error) {
	for _, v := range []float64{c.moved, c.load, c.reconnects, c.removed} {
		if !(v > 0) {
			return preview.Limits{}, fmt.Errorf("a limit is %v %%: above 0", v)
		}
	}
	l := preview.Limits{Moved: c.moved / 100, Load: c.load / 100, Reconnects: c.reconnects / 100, Removed: c.removed / 100}
	return l, l.Validate()
}

// planned is a change of the stable ring of a cluster, with what goes with it.
type planned struct {
	why     string
	kind    cluster.Kind // Nothing: there is nothing to do
	change  ring.Change
	pins    map[string]cluster.Pin
	unpin   []string
	factors map[string]float64 // nil: they stay
	targets map[string]float64 // nil: they stay
	doubts  []string           // apply wants --force for them
	cannot  string             // why apply cannot do it at all
}

// of works the change out, by what the planner goes by. stable may be nil.
func (c *changeFlags) of(v *cluster.View, stable, canary *ring.Ring, plan cluster.PlanSettings, now time.Time) (*planned, error) {
	byHand := len(c.set) + len(c.remove) + len(c.drain) + len(c.unpin)
	switch {
	case c.targets != "" && !c.zones:
		return nil, errors.New("--targets is for --zones: give both")
	case c.zones && byHand > 0:
		return nil, errors.New("--zones is a change of its own: give it alone")
	case c.zones:
		return c.evenZones(v, stable, plan)
	case byHand > 0:
		return c.byHand(v, stable, plan)
	}
	d, after := cluster.Ahead(cluster.PlanInput{View: v, Stable: stable, Canary: canary, Now: now}, plan)
	p := &planned{kind: d.Kind, change: d.Stable, factors: d.Factors, why: clean(d.Why)}
	if d.Kind != cluster.Nothing {
		p.why = fmt.Sprintf("the planner's next, in %v if nothing changes: %v: %s", after.Round(100*time.Millisecond), d.Kind, p.why)
	}
	switch {
	case canary != nil && d.Kind == cluster.Urgent:
		p.cannot = "the planner does it with both rings of the trial at once"
	case d.Kind == cluster.First:
		p.doubts = append(p.doubts, "there is no ring in etcd; nodes may still hold one, which the planner puts back where etcd has lost its data")
	}
	return p, nil
}

var errNoRing = errors.New("there is no ring yet that could be changed: it is made when the first node has registered")

// byHand is what --set, --remove, --drain and --unpin ask for.
func (c *changeFlags) byHand(v *cluster.View, stable *ring.Ring, plan cluster.PlanSettings) (*planned, error) {
	if stable == nil {
		return nil, errNoRing
	}
	p := &planned{kind: cluster.Weights, pins: map[string]cluster.Pin{}, unpin: c.unpin}
	var words []string
	for _, id := range slices.Concat(c.remove, c.drain) {
		if stable.Find(id) == ring.None {
			return nil, fmt.Errorf("node %q is not in the ring, so nothing can be taken from it", id)
		}
	}
	for _, n := range c.set {
		if _, there := v.Members[n.ID]; !there {
			p.doubts = append(p.doubts, fmt.Sprintf("node %s is not registered: the planner takes it out of the ring again", n.ID))
		}
		p.pins[n.ID] = cluster.Pin{Weight: n.Weight}
	}
	for _, id := range c.remove {
		p.change.Remove = append(p.change.Remove, id)
		words = append(words, "remove "+clean(id))
		if _, there := v.Members[id]; there {
			p.pins[id] = cluster.Pin{}
		}
	}
	if err := cluster.CheckPins(p.pins); err != nil {
		return nil, err
	}
	ahead := cluster.WithPins(v, p.pins, p.unpin...)
	for _, n := range c.set {
		node := n.over(stable)
		if m, there := cluster.Wanted(ahead, stable, n.ID, plan); there {
			node = m
		}
		p.change.Set = append(p.change.Set, node)
		words = append(words, fmt.Sprintf("%s at weight %s", clean(n.ID), plain(node.Weight)))
	}
	for _, id := range c.unpin {
		node, there := cluster.Wanted(ahead, stable, id, plan)
		if !there {
			return nil, fmt.Errorf("node %q is not registered, so it publishes no weight", id)
		}
		p.change.Set = append(p.change.Set, node)
		words = append(words, fmt.Sprintf("%s follows its weight, %s", clean(id), plain(node.Weight)))
	}
	for _, id := range c.drain {
		node := *stable.Node(stable.Find(id))
		node.Weight = 0
		p.change.Set = append(p.change.Set, node)
		words = append(words, "drain "+clean(id))
		p.cannot = "a node is emptied by roostctl drain " + id + ", which moves its devices too"
	}
	p.why = strings.Join(words, ", ")
	return p, nil
}

func factorOf(v *cluster.View, zone string) float64 {
	if f, ok := v.Zones.Factors[zone]; ok {
		return f
	}
	return 1
}

// evenZones is what --zones asks for.
func (c *changeFlags) evenZones(v *cluster.View, stable *ring.Ring, plan cluster.PlanSettings) (*planned, error) {
	if stable == nil {
		return nil, errNoRing
	}
	table, set, err := zoneTable(v, stable, c.targets, plan)
	if err != nil {
		return nil, err
	}
	p := &planned{kind: cluster.Zones, change: ring.Change{Set: table.Weights}, factors: table.Factors(), targets: set}
	p.why = fmt.Sprintf("even out zones: sigma of slots/target %.3f", table.Before.Sigma)
	if len(table.Weights) == 0 {
		p.kind, p.why = cluster.Nothing, fmt.Sprintf("no zone is more than five slots off its target: sigma %.3f", table.Before.Sigma)
	}
	if over := table.Overloaded(stable, cluster.ZoneNodes(v, stable, plan)); len(over) > 0 {
		p.doubts = append(p.doubts, "it would put above capacity: "+strings.Join(over, ", "))
	}
	return p, nil
}

// zoneTable compares the zones of a cluster with targets: those given, those that
// an operator has set, or by capacity. set is what was given.
func zoneTable(v *cluster.View, r *ring.Ring, given string, plan cluster.PlanSettings) (table *zones.Table, set map[string]float64, err error) {
	config, err := cluster.ZoneConfigOf(v)
	if err != nil && given == "" {
		return nil, nil, err
	}
	targets := config.Targets
	if given != "" {
		if set, err = parseShares(given); err != nil {
			return nil, nil, err
		}
		targets = set
	}
	table, err = zones.Of(r, cluster.ZoneNodes(v, r, plan), v.Zones.Factors, targets)
	return table, set, err
}

// parseShares reads ZONE=SHARE,...
func parseShares(s string) (map[string]float64, error) {
	shares := map[string]float64{}
	for item := range strings.SplitSeq(s, ",") {
		name, text, ok := cutLast(item, "=")
		share, err := strconv.ParseFloat(text, 64)
		if _, twice := shares[name]; !ok || err != nil || twice {
			return nil, fmt.Errorf("--targets: %q: write each ZONE=SHARE once, such as eu-1=0.40,eu-2=0.35", item)
		}
		shares[name] = share
	}
	return shares, nil
}
