package result

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"roost/loadgen/tally"
)

// Metric is one number of a result, by name. docs/RESULT.md lists the names.
type Metric struct {
	// Name is the whole name: delivery.p99 over all phases that are not
	// warm-up, hold.delivery.p99 of phase hold, hold.healthy.delivery.p99 of
	// group healthy in it, healthy.delivery.p99 of the group over all of them.
	Name   string
	Base   string // Name without phase and group
	Unit   string // ns, 1, B, B/conn, ns/msg, 1/s, cores, share
	Better string // higher or lower; "": neither
	// Value is +Inf where the quantile is a miss, or something never came
	// about.
	Value  float64
	Phase  string
	Group  string
	Warmup bool   // of a phase that summaries leave out
	Note   string // how it was found, where there are several ways
}

// MarshalJSON writes the metric; a value of +Inf is the string "+Inf".
func (m Metric) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name   string `json:"name"`
		Unit   string `json:"unit"`
		Better string `json:"better,omitempty"`
		Value  number `json:"value"`
		Phase  string `json:"phase,omitempty"`
		Group  string `json:"group,omitempty"`
		Warmup bool   `json:"warmup,omitempty"`
		Note   string `json:"note,omitempty"`
	}{m.Name, m.Unit, m.Better, number(m.Value), m.Phase, m.Group, m.Warmup, m.Note})
}

// Metrics returns every metric that the run has a value of, those without a
// phase first. Names are unique.
func (r *Result) Metrics() []Metric {
	var list []Metric
	seen := map[string]bool{}
	for _, s := range r.scopes() {
		for i := range families {
			for _, m := range s.metrics(&families[i]) {
				if !seen[m.Name] {
					seen[m.Name] = true
					list = append(list, m)
				}
			}
		}
	}
	return list
}

// Lookup returns one metric. If there is none the reason says whether the name
// is wrong, and what it may have been, or why this run has no value of it. It
// takes no more than that metric needs.
func (r *Result) Lookup(name string) (m Metric, ok bool, reason string) {
	scopes := r.scopes()
	for _, s := range scopes {
		base, within := strings.CutPrefix(name, s.prefix)
		if !within {
			continue
		}
		f, q := findFamily(base)
		switch {
		case f == nil || s.group >= 0 && !f.ofGroups:
			continue
		case f.hist != nil && q == nil:
			return Metric{}, false, fmt.Sprintf("%s is a histogram: say which part of it, as in %s.p99 (or p50, p90, p999, max, count)", name, name)
		}
		if m, ok = s.metric(f, q); ok {
			return m, true, ""
		}
		if reason == "" {
			reason = fmt.Sprintf("there is no value of %s: %s", name, f.needs)
		}
	}
	if reason == "" {
		reason = unknown(name, scopes)
	}
	return Metric{}, false, reason
}

// Hist returns the histogram of a name such as delivery, hold.delivery or
// hold.healthy.delivery_sent, merged as the metrics of that name are. It may
// belong to r and must not be changed; nil if nothing was recorded or there is
// no such name.
func (r *Result) Hist(name string) *tally.Hist {
	for _, s := range r.scopes() {
		base, within := strings.CutPrefix(name, s.prefix)
		if !within {
			continue
		}
		for i := range families {
			if f := &families[i]; f.hist != nil && f.name == base && (s.group < 0 || f.ofGroups) {
				return f.hist(s)
			}
		}
	}
	return nil
}

// quantiles are the parts of a histogram that are metrics.
var quantiles = []quantile{
	{".p50", func(h *tally.Hist) float64 { return finite(h.Quantile(.5)) }},
	{".p90", func(h *tally.Hist) float64 { return finite(h.Quantile(.9)) }},
	{".p99", func(h *tally.Hist) float64 { return finite(h.Quantile(.99)) }},
	{".p999", func(h *tally.Hist) float64 { return finite(h.Quantile(.999)) }},
	{".max", func(h *tally.Hist) float64 { return finite(h.Max()) }},
	{".count", func(h *tally.Hist) float64 { return float64(h.Count()) }},
}

type quantile struct {
	suffix string
	of     func(*tally.Hist) float64
}

// finite is a value in ns, +Inf for a miss.
func finite(ns int64) float64 {
	if ns == tally.MissValue {
		return math.Inf(1)
	}
	return float64(ns)
}

// metrics are those of one family.
func (s *scope) metrics(f *family) (list []Metric) {
	if s.group >= 0 && !f.ofGroups {
		return nil
	}
	if f.hist == nil {
		if m, ok := s.metric(f, nil); ok {
			list = append(list, m)
		}
		return list
	}
	for i := range quantiles {
		if m, ok := s.metric(f, &quantiles[i]); ok {
			list = append(list, m)
		}
	}
	return list
}

// metric is one of a family: quantile q of a histogram, or the value.
func (s *scope) metric(f *family, q *quantile) (Metric, bool) {
	m := Metric{Base: f.name, Unit: f.unit, Better: f.better, Phase: s.phase, Group: s.groupName(), Warmup: s.warmup}
	if f.hist != nil {
		h := f.hist(s)
		if h.Count() == 0 {
			return Metric{}, false
		}
		m.Base, m.Value = f.name+q.suffix, q.of(h)
		if q.suffix == ".count" {
			m.Unit, m.Better = "1", ""
		}
	} else {
		var ok bool
		if m.Value, m.Note, ok = f.value(s); !ok || math.IsNaN(m.Value) {
			return Metric{}, false
		}
	}
	m.Name = s.prefix + m.Base
	return m, true
}

// findFamily finds what a name without phase and group is of, and which part.
func findFamily(base string) (*family, *quantile) {
	for i := range families {
		f := &families[i]
		if f.name == base {
			return f, nil
		}
		if rest, ok := strings.CutPrefix(base, f.name); ok && f.hist != nil {
			if rest == ".p99.9" { // as people write it
				rest = ".p999"
			}
			for k := range quantiles {
				if quantiles[k].suffix == rest {
					return f, &quantiles[k]
				}
			}
		}
	}
	return nil, nil
}
