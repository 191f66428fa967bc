package result

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FirstWords lists what stands before the first dot in names of metrics that have
// one even without a phase and a group: delivery of delivery.p99, server of
// server.rss_b_per_conn.
func FirstWords() (words []string) {
	for i := range families {
		f := &families[i]
		word, _, dotted := strings.Cut(f.name, ".")
		if (dotted || f.hist != nil) && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// UnitOf returns the unit of the metric of a name: any that a run of r's phases
// and groups may have, whether or not r has a value of it. The error says what
// is wrong with the name, and which one is near.
func (r *Result) UnitOf(name string) (unit string, err error) {
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
		case f.hist == nil:
			return f.unit, nil
		case q == nil:
			return "", fmt.Errorf("%s is a histogram: say which part of it, as in %s.p99 (or p50, p90, p999, max, count)", name, name)
		case q.suffix == ".count":
			return "1", nil
		}
		return f.unit, nil
	}
	return "", errors.New(unknown(name, scopes))
}
