package verify

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Report is what a Counter has found. Its JSON has the names in the tags; shares
// and ratios are plain numbers, 1 is the whole. None of its numbers is NaN or
// infinite.
type Report struct {
	Lines uint64  `json:"lines"` // that were added
	Load  float64 `json:"load"`  // sum of their counts
	IDs   float64 `json:"ids"`   // different ids: exact if SampleOneIn is 1, else an estimate
	// SampleOneIn says which part of the ids the figures of ids are of: all (1), or
	// one in so many, chosen by hash. Those of load are always of all lines.
	SampleOneIn  uint64 `json:"sampleOneIn"`
	CommonPrefix string `json:"commonPrefix"` // of practically all ids, up to MaxPrefix bytes
	// Duplicates is the share of lines that repeat an id.
	Duplicates Measure `json:"duplicates"`
	// HotID is the load of the hottest id in units of what a node carries on average
	// (without nodes: of all load). HotIDs are those with at least a thousandth of
	// all load and 10 times an id's mean.
	HotID  Measure `json:"hotId"`
	HotIDs []HotID `json:"hotIds"`
	// HotPrefix is how much more of the load than of the ids the hottest prefix has.
	HotPrefix   Measure           `json:"hotPrefix"`
	HotPrefixes []Prefix          `json:"hotPrefixes"`
	Placements  []PlacementReport `json:"placements"`
	Notes       []string          `json:"notes"` // what limits the figures
	// Verdict is the worst of the ids' own figures and of the first placement's: the
	// others are there for comparison. Without ids it is Info.
	Verdict Verdict `json:"verdict"`
}

// HotID is an id with much load.
type HotID struct {
	ID        string  `json:"id"`
	Load      float64 `json:"load"`      // an estimate, at most 0.01 % of all load too high
	LoadShare float64 `json:"loadShare"` // of all load
	// Nodes says where it lives, by placement; "" is nobody.
	Nodes map[string]string `json:"nodes,omitempty"`
}

// Prefix is a prefix that stands out. What it has may be too low by what came
// before the prefix was noticed, see Report.Notes.
type Prefix struct {
	Prefix    string  `json:"prefix"`
	Length    int     `json:"length"`    // bytes
	IDShare   float64 `json:"idShare"`   // of all ids
	LoadShare float64 `json:"loadShare"` // of all load
	// P and Excess are those of ChiSquare for its ids over 64 parts of the hash.
	P      float64 `json:"p"`
	Excess float64 `json:"excess"`
}

// PlacementReport is what was found under one placement.
type PlacementReport struct {
	Name  string `json:"name"`
	Hash  string `json:"hash"`
	Slots Views  `json:"slots"`
	Nodes *Views `json:"nodes,omitempty"` // nil without nodes
	// RingMax is the largest share / target of a node, RingSigma the largest minus
	// the smallest: what is uneven whatever the ids. Nodes with fewer than CoarsePoints
	// points are left out: a single point is much of their share.
	RingMax   Measure `json:"ringMaxOverTarget"`
	RingSigma Measure `json:"ringSigma"`
	// Uneven is the largest Excess of a prefix whose ids are not spread, and
	// UnevenPrefixes are the worst.
	Uneven         Measure   `json:"uneven"`
	UnevenPrefixes []Prefix  `json:"unevenPrefixes"`
	PerNode        []NodeRow `json:"perNode"`
	Nobody         float64   `json:"nobody"`  // load of ids that no node owns
	Verdict        Verdict   `json:"verdict"` // the worst
}

// Views are two ways to look at cells.
type Views struct {
	IDs *Spread `json:"ids,omitempty"` // each id once; nil without ids
	// Load counts each line, times its count. Nil if it is the same.
	Load *Spread `json:"load,omitempty"`
}

// NodeRow is a node.
type NodeRow struct {
	ID     string  `json:"id"`
	Zone   string  `json:"zone"`
	Points int     `json:"points"`
	Share  float64 `json:"share"`  // of the ring
	Target float64 `json:"target"` // by weight
	IDs    float64 `json:"ids"`    // in the sample
	Load   float64 `json:"load"`
	// IDRatio and LoadRatio are the node's shares of them over its target, 0 without
	// a target.
	IDRatio   float64 `json:"idRatio"`
	LoadRatio float64 `json:"loadRatio"`
}

const (
	// CoarsePoints is see PlacementReport.RingMax.
	CoarsePoints = 40
	hotIDShare   = 0.001
	hotIDTimes   = 10
	hotPrefixMin = 0.01
	mostListed   = 10
	fewIDsSay    = 1000
)

// Report works out what was counted. The Counter may go on counting.
func (c *Counter) Report() *Report {
	hot := c.hot.above(hotIDShare)
	f := c.facts(hot)
	r := &Report{Lines: c.lines, Load: c.load, IDs: f.ids, SampleOneIn: 1 << c.ids.level, CommonPrefix: printable(c.prefixes.text(c.prefixes.longest(0))),
		HotIDs: []HotID{}, HotPrefixes: []Prefix{}, Notes: []string{}}
	if r.Duplicates.Value = f.repeats; c.lines > 0 {
		r.Duplicates.judge(0.001, 0, duplicatesOK, duplicatesSay, "")
	}
	for _, p := range c.placements {
		r.Placements = append(r.Placements, c.placement(p, f))
	}
	c.notes(r, f)
	if c.lines == 0 {
		return r // no verdict
	}
	c.hotIDs(r, hot, f)
	c.hotPrefixes(r, hot)
	r.own(func(_ string, m *Measure) { r.Verdict = max(r.Verdict, m.Verdict) })
	r.Verdict = max(r.Verdict, r.Placements[0].Verdict)
	return r
}

// placement reports on one.
func (c *Counter) placement(p *placed, f sampleFacts) (r PlacementReport) {
	r.Name, r.Hash, r.Nobody = p.Name, p.Hash, p.nobody
	r.PerNode, r.UnevenPrefixes = []NodeRow{}, []Prefix{}
	slots, nodes, _ := c.idCounts(p)
	byLoad := c.unequal || f.repeats > 0 || c.ids.level > 0
	alike := !c.unequal && f.repeats == 0 // then load is ids, only more of them
	r.Slots.IDs = (&cells{counts: slots, effective: f.inUse}).spread(slotLimits)
	loadSlots, loadNodes := slotLoadLimits, nodeLoadLimits
	if alike {
		loadSlots, loadNodes = slotLimits, nodeLimits
	}
	if byLoad {
		r.Slots.Load = (&cells{counts: p.slots, effective: f.effective}).spread(loadSlots)
	}
	if len(p.Nodes) > 0 {
		share, target := make([]float64, len(p.Nodes)), make([]float64, len(p.Nodes))
		for i, n := range p.Nodes {
			share[i], target[i] = n.Share, n.Target
		}
		r.Nodes = &Views{IDs: (&cells{counts: nodes, share: share, target: target, effective: f.inUse}).spread(nodeLimits)}
		if byLoad {
			r.Nodes.Load = (&cells{p.nodes, share, target, f.effective, f.lumps}).spread(loadNodes)
		}
		r.rows(p, nodes, f.inUse, c.load)
		r.ring()
	}
	c.uneven(&r, p)
	r.each(func(_ string, m *Measure) { r.Verdict = max(r.Verdict, m.Verdict) })
	return r
}

// rows lists the nodes.
func (r *PlacementReport) rows(p *placed, ids []float64, allIDs, allLoad float64) {
	for i, n := range p.Nodes {
		if n.ID == "" {
			continue
		}
		row := NodeRow{ID: n.ID, Zone: n.Zone, Points: n.Points, Share: n.Share, Target: n.Target, IDs: ids[i], Load: p.nodes[i]}
		if n.Target > 0 {
			row.IDRatio, row.LoadRatio = finite(ids[i]/(allIDs*n.Target)), finite(p.nodes[i]/(allLoad*n.Target))
		}
		r.PerNode = append(r.PerNode, row)
	}
}

// ring judges the shares of the ring.
func (r *PlacementReport) ring() {
	low, high := math.Inf(1), 0.0
	for _, n := range r.PerNode {
		if n.Target > 0 && n.Points >= CoarsePoints {
			low, high = min(low, n.Share/n.Target), max(high, n.Share/n.Target)
		}
	}
	if high == 0 {
		return
	}
	r.RingMax.Value, r.RingMax.Perfect = high, 1
	r.RingMax.judge(1.10, 1.25, ringMaxOK, ringMax, ringMax)
	r.RingSigma.Value = high - low
	// 0.2 is where zones are rebalanced.
	r.RingSigma.judge(0.2, 0.5, ringSigmaOK, ringSigma, ringSigma)
}

func (c *Counter) uneven(r *PlacementReport, p *placed) {
	at := 0
	for c.placements[at] != p {
		at++
	}
	for _, f := range c.prefixes.pick(c.prefixes.uneven(at), mostListed) {
		found := c.prefix(f.node, at)
		r.Uneven.Value = max(r.Uneven.Value, found.Excess)
		r.UnevenPrefixes = append(r.UnevenPrefixes, found)
	}
	r.Uneven.judge(0.2, 0.5, unevenOK, unevenSay, unevenSay)
}

// prefix describes one, as a placement sees it.
func (c *Counter) prefix(node int32, placement int) Prefix {
	n, all := &c.prefixes.nodes[node], &c.prefixes.nodes[0]
	x := c.prefixes.chiSquare(node, placement)
	text := c.prefixes.text(c.prefixes.longest(node))
	return Prefix{printable(text), len(text), finite(n.ids / all.ids), finite(n.load / all.load), x.P, x.Excess}
}

func (c *Counter) hotIDs(r *Report, hot []hotID, f sampleFacts) {
	nodes := 0
	for i := range r.Placements {
		if n := r.Placements[i].Nodes; n != nil && n.IDs != nil && nodes == 0 {
			nodes = n.IDs.Cells
		}
	}
	for _, h := range hot {
		if h.load*f.ids < hotIDTimes*c.load {
			continue
		}
		o := HotID{ID: printable(h.id), Load: h.load, LoadShare: h.load / c.load}
		for _, p := range c.placements {
			if p.owner != nil {
				if o.Nodes == nil {
					o.Nodes = map[string]string{}
				}
				o.Nodes[p.Name] = p.ownerID(h)
			}
		}
		r.HotIDs = append(r.HotIDs, o)
		r.HotID.Value = max(r.HotID.Value, o.LoadShare*float64(max(nodes, 1)))
	}
	if nodes > 1 {
		r.HotID.judge(0.1, 0.5, hotIDOK, hotIDSay, hotIDSay)
	} else {
		r.HotID.judge(0.01, 0, hotIDOK, hotIDSay, "")
	}
}

// ownerID returns the id of the node on which an id lives.
func (p *placed) ownerID(h hotID) string {
	hash := h.hash
	if p.seed {
		hash = seedHash([]byte(h.id))
	}
	if i := p.owner(hash); int(i) < len(p.Nodes) {
		return p.Nodes[i].ID
	}
	return ""
}

func (c *Counter) hotPrefixes(r *Report, hot []hotID) {
	for _, f := range c.prefixes.pick(c.prefixes.moreLoad(hotPrefixMin, hot), mostListed) {
		r.HotPrefixes = append(r.HotPrefixes, c.prefix(f.node, 0))
		r.HotPrefix.Value = max(r.HotPrefix.Value, f.by)
	}
	r.HotPrefix.judge(hotPrefixMin/2, 0, hotPrefixOK, hotPrefixSay, "")
}

func (c *Counter) notes(r *Report, f sampleFacts) {
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	switch {
	case c.lines == 0:
		note("There are no ids.")
	case f.ids < fewIDsSay:
		note("With fewer than %s ids only the grossest unevenness is told from chance.", group(fewIDsSay))
	}
	if c.ids.level > 0 {
		note("Figures of ids are of %s, one in %s, chosen by hash; those of load are of all lines.", group(f.inUse), group(float64(r.SampleOneIn)))
	}
	if need := c.prefixes.need; need > firstNeed {
		note("Prefixes are those that about %s lines have, and may have missed as many for each byte of their length.", group(need))
	}
	for i := range r.Placements {
		if p := &r.Placements[i]; p.Nobody > 0 {
			note("%s: no node has weight, so nobody owns an id: give a node a weight above 0.", p.Name)
		}
	}
}

// own calls f for the figures of the ids that do not depend on a placement.
func (r *Report) own(f func(name string, m *Measure)) {
	f("duplicates, share of lines", &r.Duplicates)
	f("hottest id, of a node's load", &r.HotID)
	f("hottest prefix, load - ids", &r.HotPrefix)
}

func (r *PlacementReport) each(f func(name string, m *Measure)) {
	for _, v := range []*Views{&r.Slots, r.Nodes} {
		if v == nil {
			continue
		}
		for _, s := range []*Spread{v.IDs, v.Load} {
			if s != nil {
				s.each(f)
			}
		}
	}
	if r.Nodes != nil {
		r.own(f)
	}
	f("uneven prefixes", &r.Uneven)
}

// own calls f for the figures of the ring alone.
func (r *PlacementReport) own(f func(name string, m *Measure)) {
	f("max share/target", &r.RingMax)
	f("sigma of share/target", &r.RingSigma)
}

func (s *Spread) each(f func(name string, m *Measure)) {
	f("entropy, bits short", &s.Entropy.Short)
	f("chi-square", &s.Chi.Measure)
	f("sigma = (max-min)/avg", &s.Sigma)
	f("standard deviation/mean", &s.StdDev)
	f("max/avg", &s.Max)
}

// printable is s, quoted as in Go without the quotes if it is no clean text.
func printable(s string) string {
	if q := strconv.Quote(s); !utf8.ValidString(s) || len(q) != len(s)+2 {
		return q[1 : len(q)-1]
	}
	return s
}
