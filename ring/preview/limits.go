package preview

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Limits are what a change may do without being asked twice. The zero value of each
// is its default.
type Limits struct {
	Moved      float64 // part of all ids; 0.30
	Load       float64 // devices over capacity, of a node and of a zone; 1
	Reconnects float64 // connects a second over what a node says it can take; 1
	Removed    float64 // part of the nodes that own something; 0.5
}

// WithDefaults returns l with zero fields replaced by their defaults.
func (l Limits) WithDefaults() Limits {
	for _, f := range []struct {
		v   *float64
		def float64
	}{{&l.Moved, 0.30}, {&l.Load, 1}, {&l.Reconnects, 1}, {&l.Removed, 0.5}} {
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	return l
}

// ErrLimits is what is wrong with limits; the text says which.
var ErrLimits = errors.New("preview: limits refused")

// Validate returns ErrLimits for what can be no limit, or nil.
func (l Limits) Validate() error {
	l = l.WithDefaults()
	for _, f := range []struct {
		name string
		v    float64
		most float64
	}{{"moved", l.Moved, 1}, {"load", l.Load, math.MaxFloat64}, {"reconnects", l.Reconnects, math.MaxFloat64}, {"removed", l.Removed, 1}} {
		if !(f.v > 0 && f.v <= f.most) {
			return fmt.Errorf("%w: %s %v: above 0, at most %v", ErrLimits, f.name, f.v, f.most)
		}
	}
	return nil
}

// Rule is which limit is violated.
type Rule string

// The rules.
const (
	RuleMoved      Rule = "moved"
	RuleNode       Rule = "node"
	RuleZone       Rule = "zone"
	RuleEmpty      Rule = "empty"
	RuleReconnects Rule = "reconnects"
	RuleRemoved    Rule = "removed"
)

// Violation is a limit that a change does not keep.
type Violation struct {
	Rule   Rule
	Of     string // node or zone; "" is the whole
	Value  float64
	Limit  float64
	Reason string // a sentence
}

// Check returns the limits that the change does not keep, those of the whole
// first, then zones, then nodes.
func (r *Report) Check(l Limits) (list []Violation) {
	l = l.WithDefaults()
	add := func(rule Rule, of string, value, limit float64, format string, args ...any) {
		list = append(list, Violation{rule, of, value, limit, fmt.Sprintf(format, args...)})
	}
	if moved := r.Moved(); moved > l.Moved && r.owners() > 0 {
		add(RuleMoved, "", moved, l.Moved, "%.1f %% of all devices would move, the limit is %.1f %%", 100*moved, 100*l.Moved)
	}
	if gone, of := r.removed(), r.owners(); of > 0 && float64(gone)/float64(of) > l.Removed {
		add(RuleRemoved, "", float64(gone)/float64(of), l.Removed, "%d of %d nodes would own nothing any more, the limit is %.0f %%: are they really to go together?", gone, of, 100*l.Removed)
	}
	for i := range r.Zones {
		z := &r.Zones[i]
		if z.SlotsBefore > 0 && z.SlotsAfter == 0 {
			add(RuleEmpty, z.Name, 0, 1, "zone %s would be emptied: its %s would own nothing, and its %sdevices would go to %s; should anything happen there, nobody is left to take them",
				ZoneName(z.Name), counted(z.Nodes, "node"), r.amount(z.Before), r.others(z.Name))
		}
		if full := z.Capacity * l.Load; z.Capacity > 0 && z.After > full && z.After > z.Before {
			add(RuleZone, z.Name, z.After/z.Capacity, l.Load, "zone %s would hold %.0f devices, %.0f %% of what its nodes can", ZoneName(z.Name), z.After, 100*z.After/z.Capacity)
		}
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if full := n.Capacity * l.Load; n.Capacity > 0 && n.After() > full && n.After() > n.Before {
			add(RuleNode, n.ID, n.After()/n.Capacity, l.Load, "node %s would hold %.0f devices, %.0f %% of its capacity of %.0f", n.ID, n.After(), 100*n.After()/n.Capacity, n.Capacity)
		}
		if n.Accept > 0 && n.Rate > n.Accept*l.Reconnects {
			add(RuleReconnects, n.ID, n.Rate/n.Accept, l.Reconnects, "node %s would be connected to %.0f times a second for %v, it can take %.0f: give it %v", n.ID, n.Rate, r.Over, n.Accept, r.Least.Round(time.Second))
		}
	}
	return list
}

// owners counts the nodes that own something before.
func (r *Report) owners() (n int) {
	for i := range r.Nodes {
		if r.Nodes[i].SlotsBefore > 0 {
			n++
		}
	}
	return n
}

// removed counts those of them that own nothing afterwards.
func (r *Report) removed() (n int) {
	for i := range r.Nodes {
		if r.Nodes[i].SlotsBefore > 0 && r.Nodes[i].SlotsAfter == 0 {
			n++
		}
	}
	return n
}

// others names the zones that are left.
func (r *Report) others(name string) string {
	var list []string
	for i := range r.Zones {
		if z := &r.Zones[i]; z.Name != name && z.SlotsAfter > 0 {
			list = append(list, ZoneName(z.Name))
		}
	}
	if len(list) == 0 {
		return "nobody"
	}
	return strings.Join(list, ", ")
}

// amount is a number of devices and a space, nothing where none are known.
func (r *Report) amount(devices float64) string {
	if r.Total == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f ", devices)
}

// ZoneName is a zone's name for people.
func ZoneName(name string) string {
	if name == "" {
		return "(no zone)"
	}
	return name
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
