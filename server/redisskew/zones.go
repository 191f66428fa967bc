package redisskew

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"

	"roost/ring/slots"
)

// Labels say in which zone a node is. The zero value says nothing.
type Labels struct {
	byName map[string]string // by id, host:port, host or address without port
	names  *regexp.Regexp    // its first group is the zone, of the announced name or the address
}

// ReadLabels reads lines of "NODE ZONE": a node's id, host:port, or host. What follows
// a # is left out.
func ReadLabels(r io.Reader) (Labels, error) {
	l := Labels{byName: map[string]string{}}
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		line, _, _ := strings.Cut(in.Text(), "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case len(fields) != 2:
			return l, fmt.Errorf("line %d: %.100q: write NODE ZONE, the node by its id, host:port or host", n, line)
		case l.byName[fields[0]] != "":
			return l, fmt.Errorf("line %d: node %.100q is there twice", n, fields[0])
		default:
			l.byName[fields[0]] = fields[1]
		}
	}
	return l, in.Err()
}

// NamedLabels takes the zone from the name that a node announces, or its address:
// the first group of a regular expression.
func NamedLabels(pattern string) (Labels, error) {
	re, err := regexp.Compile(pattern)
	if err == nil && re.NumSubexp() < 1 {
		err = fmt.Errorf("%q has no group: write (...) around the zone", pattern)
	}
	return Labels{names: re}, err
}

// Zone returns a node's zone, "" if it is not known.
func (l *Labels) Zone(n *Node) string {
	host := n.Addr
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	for _, name := range []string{n.ID, n.Addr, n.Host, host} {
		if zone, ok := l.byName[name]; ok && name != "" {
			return zone
		}
	}
	if l.names != nil {
		for _, name := range []string{n.Host, n.Addr} {
			if m := l.names.FindStringSubmatch(name); len(m) > 1 {
				return m[1]
			}
		}
	}
	return ""
}

// Holdings are the masters for ring/slots. Their weight is their limit of memory,
// if all have one, else 1 each; a Redis serves commands by one thread, so CPU is a
// core each. targets, if not nil, give each zone its share, which its masters
// divide by weight.
func (c *Cluster) Holdings(l *Labels, targets map[string]float64) ([]slots.Holding, error) {
	limited := true
	for i := range c.Nodes {
		limited = limited && c.Nodes[i].MaxMemory > 0
	}
	hs := make([]slots.Holding, len(c.Nodes))
	sums := map[string]float64{}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		hs[i] = slots.Holding{Node: n.ID, Zone: l.Zone(n), Slots: n.Slots, Weight: 1}
		if limited {
			hs[i].Weight = float64(n.MaxMemory)
		}
		sums[hs[i].Zone] += hs[i].Weight
	}
	if targets == nil {
		return hs, nil
	}
	for zone := range targets {
		if _, there := sums[zone]; !there {
			return nil, fmt.Errorf("targets have zone %q, in which no master is", zone)
		}
	}
	for i := range hs {
		share, ok := targets[hs[i].Zone]
		if !ok {
			return nil, fmt.Errorf("targets say nothing of zone %q, in which %s is: 0 takes all its slots away", hs[i].Zone, c.Nodes[i].Addr)
		}
		hs[i].Weight *= share / sums[hs[i].Zone]
	}
	return hs, nil
}

// Skews are how unevenly slots, keys and memory lie on nodes and on zones, against
// the holdings' weights. What a node does not say is no skew.
type Skews struct{ Slots, Keys, Memory slots.Skew }

// NodeSkews returns the skew over masters.
func (c *Cluster) NodeSkews(hs []slots.Holding) Skews {
	group := make([]int, len(hs))
	for i := range group {
		group[i] = i
	}
	return c.skews(hs, group, len(hs))
}

// ZoneSkews returns the skew over zones.
func (c *Cluster) ZoneSkews(hs []slots.Holding) Skews {
	at, group := map[string]int{}, make([]int, len(hs))
	for i := range hs {
		g, known := at[hs[i].Zone]
		if !known {
			g = len(at)
			at[hs[i].Zone] = g
		}
		group[i] = g
	}
	return c.skews(hs, group, len(at))
}

func (c *Cluster) skews(hs []slots.Holding, group []int, groups int) (s Skews) {
	weights := make([]float64, groups)
	for i := range hs {
		weights[group[i]] += hs[i].Weight
	}
	of := func(value func(*Node) int64) slots.Skew {
		counts := make([]float64, groups)
		for i := range c.Nodes {
			v := value(&c.Nodes[i])
			if v < 0 {
				return slots.Skew{Least: -1, Most: -1}
			}
			counts[group[i]] += float64(v)
		}
		return slots.SkewOf(counts, weights)
	}
	s.Slots = of(func(n *Node) int64 { return int64(n.Slots) })
	s.Keys = of(func(n *Node) int64 { return n.Keys })
	s.Memory = of(func(n *Node) int64 { return n.Memory })
	return s
}
