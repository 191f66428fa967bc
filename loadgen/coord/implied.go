package coord

import (
	"slices"
	"strings"

	"roost/loadgen/scenario"
)

// implied are the thresholds of every run: one that loses messages or
// connections, or whose server says no, is silent or garbles, is no success,
// whatever else is asked for. One that is given about the same takes the place of
// it where it holds: a threshold of a phase says nothing of the other phases, nor
// one of a group of the other groups.
var implied = []struct {
	text     string
	about    []string // metrics
	readers  bool     // it leaves out groups that do not read
	messages bool     // it is of phases that publish
	serverUp bool     // it leaves out phases in which the server is taken down
}{
	{"lost == 0", []string{"lost", "missing", "delivered_ratio"}, true, true, false},
	{"lost_connections == 0", []string{"lost_connections", "connected"}, false, false, false},
	{"refused == 0", []string{"refused"}, false, true, true},
	{"unknown == 0", []string{"unknown"}, false, true, true},
	{"wrong == 0", []string{"wrong"}, false, true, false},
	{"failed == 0", []string{"failed"}, false, false, true},
}

// impliedBeside returns the thresholds that are implied beside those that are
// given: the whole run's, or those of the phases and groups that are left.
func impliedBeside(s *scenario.Scenario, given []condition) (texts []string) {
	for _, i := range implied {
		groups := judgedGroups(s, i.readers)
		covered := func(phase, group string) bool {
			return slices.ContainsFunc(given, func(c condition) bool {
				p, g, metric := scopeOf(s, c.expr.Metric)
				return slices.Contains(i.about, metric) && (p == "" || p == phase) && (g == "" || g == group)
			})
		}
		var rest []string
		whole := true
		for k, p := range s.Phases {
			if p.Warmup {
				continue
			}
			if i.serverUp && p.Storm != nil && p.Storm.How == scenario.CloseServer {
				whole = false
				continue
			}
			var open []string
			for _, g := range groups {
				if covered(p.Name, g) {
					whole = false
				} else if !i.readers || !disturbed(s, k, g) {
					open = append(open, p.Name+"."+g+"."+i.text)
				}
			}
			switch {
			case i.messages && len(p.Publish) == 0: // there is nothing to lose
			case len(open) == len(groups):
				rest = append(rest, p.Name+"."+i.text)
			default:
				rest = append(rest, open...)
			}
		}
		if whole {
			rest = []string{i.text}
		}
		texts = append(texts, rest...)
	}
	return texts
}

// disturbed reports whether the plan keeps a group from reading in phase k, or
// has done so before: what it misses may be its own doing.
func disturbed(s *scenario.Scenario, k int, group string) bool {
	return slices.ContainsFunc(s.Phases[:k+1], func(p scenario.Phase) bool {
		return p.Slow != nil && p.Slow.Group == group || p.HalfOpen != nil && p.HalfOpen.Group == group
	})
}

// judgedGroups are the names of the groups that a metric without one is about.
func judgedGroups(s *scenario.Scenario, readers bool) (names []string) {
	any := slices.ContainsFunc(s.Groups, Reads)
	for _, g := range s.Groups {
		if !readers || !any || Reads(g) {
			names = append(names, g.Name)
		}
	}
	return names
}

// scopeOf takes the names of a phase and of a group off a metric's.
func scopeOf(s *scenario.Scenario, name string) (phase, group, metric string) {
	head, rest, more := strings.Cut(name, ".")
	if more && slices.ContainsFunc(s.Phases, func(p scenario.Phase) bool { return p.Name == head }) {
		phase, name = head, rest
		head, rest, more = strings.Cut(name, ".")
	}
	if more && slices.ContainsFunc(s.Groups, func(g scenario.Group) bool { return g.Name == head }) {
		group, name = head, rest
	}
	return phase, group, name
}
