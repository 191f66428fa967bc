package result

import (
	"time"

	"roost/loadgen/tally"
)

// scope is a part of a run that metrics are taken over: all measured phases, or
// one phase; all groups, or one. Sums are made when they are asked for, once.
type scope struct {
	// Static after construction.
	run    *Result
	prefix string   // of names: "", "hold.", "hold.healthy."
	phase  string   // "": all measured ones
	group  int      // -1: all
	phases []*Phase // one, or those that are measured
	warmup bool

	// Made when asked for.
	hists  map[tally.HistID]*tally.Hist
	ghists map[tally.GroupHistID]*tally.Hist
}

// scopes lists the scopes of a run, those without a phase first: where two
// names are alike, the first one counts.
func (r *Result) scopes() []*scope {
	var measured []*Phase
	for i := range r.Phases {
		if !r.Phases[i].Warmup {
			measured = append(measured, &r.Phases[i])
		}
	}
	list := []*scope{{run: r, group: -1, phases: measured}}
	for i := range r.Phases {
		p := &r.Phases[i]
		list = append(list, &scope{run: r, prefix: p.Name + ".", phase: p.Name, group: -1, phases: []*Phase{p}, warmup: p.Warmup})
	}
	for g, group := range r.Scenario.Groups {
		list = append(list, &scope{run: r, prefix: group.Name + ".", group: g, phases: measured})
		for i := range r.Phases {
			p := &r.Phases[i]
			list = append(list, &scope{run: r, prefix: p.Name + "." + group.Name + ".", phase: p.Name, group: g, phases: []*Phase{p}, warmup: p.Warmup})
		}
	}
	return list
}

// groupName is the name of the scope's group, "" without one.
func (s *scope) groupName() string {
	if s.group < 0 {
		return ""
	}
	return s.run.Scenario.Groups[s.group].Name
}

// reads reports whether the deliveries of group g say something of the server:
// what clients that do not read miss is their own doing. Without a group that
// reads, and where groups are not named, all count.
func (s *scope) reads(g int) bool {
	if s.group >= 0 {
		return g == s.group
	}
	groups, any := s.run.Scenario.Groups, false
	for _, group := range groups {
		any = any || group.Reads
	}
	return !any || g >= len(groups) || groups[g].Reads
}

// countsOf sums what p counted in the scope's groups.
func (s *scope) countsOf(p *Phase, readers bool) (sum tally.Counts) {
	if p.Tally == nil {
		return sum
	}
	for g := range p.Tally.Groups {
		if (s.group < 0 || g == s.group) && (!readers || s.reads(g)) {
			sum.Add(&p.Tally.Groups[g].Counts)
		}
	}
	return sum
}

// counts sums over the scope's phases.
func (s *scope) counts() (sum tally.Counts) {
	for _, p := range s.phases {
		c := s.countsOf(p, false)
		sum.Add(&c)
	}
	return sum
}

// readers sums over the scope's phases what groups that read counted.
func (s *scope) readers() (sum tally.Counts) {
	for _, p := range s.phases {
		c := s.countsOf(p, true)
		sum.Add(&c)
	}
	return sum
}

// rate is what count says, a second of those phases in which it happened.
func (s *scope) rate(count func(*tally.Counts) uint64) (float64, bool) {
	var n uint64
	var length time.Duration
	for _, p := range s.phases {
		c := s.countsOf(p, false)
		if k := count(&c); k > 0 {
			n += k
			length += p.Length
		}
	}
	if length <= 0 {
		return 0, false
	}
	return float64(n) / length.Seconds(), true
}

// hist merges a histogram of phases.
func (s *scope) hist(id tally.HistID) *tally.Hist {
	if h, made := s.hists[id]; made {
		return h
	}
	var parts []*tally.Hist
	if s.group < 0 {
		for _, p := range s.phases {
			if p.Tally != nil {
				parts = append(parts, p.Tally.Hists[id])
			}
		}
	}
	if s.hists == nil {
		s.hists = map[tally.HistID]*tally.Hist{}
	}
	s.hists[id] = merge(parts)
	return s.hists[id]
}

// groupHist merges a histogram of groups, of those that read unless the scope
// is a group.
func (s *scope) groupHist(id tally.GroupHistID) *tally.Hist {
	if h, made := s.ghists[id]; made {
		return h
	}
	var parts []*tally.Hist
	for _, p := range s.phases {
		if p.Tally == nil {
			continue
		}
		for g := range p.Tally.Groups {
			if s.reads(g) {
				parts = append(parts, p.Tally.Groups[g].Hists[id])
			}
		}
	}
	if s.ghists == nil {
		s.ghists = map[tally.GroupHistID]*tally.Hist{}
	}
	s.ghists[id] = merge(parts)
	return s.ghists[id]
}

// merge adds histograms up without changing one. A single one is returned as
// it is: a histogram has 148 KB.
func merge(parts []*tally.Hist) *tally.Hist {
	var some []*tally.Hist
	for _, h := range parts {
		if h.Count() > 0 {
			some = append(some, h)
		}
	}
	if len(some) == 1 {
		return some[0]
	}
	var sum *tally.Hist
	for _, h := range some {
		sum = sum.Add(h)
	}
	return sum
}
