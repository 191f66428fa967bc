package compare

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"roost/loadgen/result"
)

// describe is a side without its data.
func describe(s Side) SideInfo {
	info := SideInfo{Label: s.Label}
	for _, run := range s.Runs {
		r := run.Result
		i := RunInfo{File: run.File, ID: r.ID, Started: r.Started, Verdict: r.Verdict}
		for _, check := range r.Validity {
			if check.State == "fail" {
				i.Failed = append(i.Failed, fmt.Sprintf("%s %s (limit %s)", check.Name, Format(check.Value, check.Unit), Format(check.Limit, check.Unit)))
			}
		}
		info.Runs = append(info.Runs, i)
	}
	info.Server = union(s, func(r *result.Result) string {
		if len(r.Servers) == 0 {
			return ""
		}
		return r.Servers[0].Version
	})
	return info
}

// facts returns those that differ and whether the sides may be compared: each
// fact is the same in every run, or may differ. Hashes that differ under the same
// facts are a difference too.
func facts(a, b Side, o *Options) (differ []Difference, same bool) {
	differ = diff(a, b, func(r *result.Result) []result.Fact { return r.Comparability.Facts })
	hash := func(r *result.Result) string { return r.Comparability.Hash }
	if ha, hb := union(a, hash), union(b, hash); len(differ) == 0 && (ha != hb || strings.Contains(ha, or)) {
		differ = []Difference{{"comparability hash", ha, hb}}
	}
	same = true
	for _, d := range differ {
		within := strings.Contains(d.A, or) || strings.Contains(d.B, or)
		if !matches(o.Ignore, d.Name) && (within || !matches(o.Between, d.Name)) {
			same = false
		}
	}
	return differ, same
}

// matches reports whether a name is one of the patterns.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// environment is what differs between the machines, beyond facts.
func environment(a, b Side) []Difference {
	return diff(a, b, func(r *result.Result) []result.Fact { return slices.Concat(r.Environment.Host, r.Environment.Sysctl) })
}

// diff returns the facts that are not the same in every run.
func diff(a, b Side, of func(*result.Result) []result.Fact) (list []Difference) {
	var names []string
	for _, run := range slices.Concat(a.Runs, b.Runs) {
		for _, f := range of(run.Result) {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	for _, name := range names {
		value := func(r *result.Result) string {
			for _, f := range of(r) {
				if f.Name == name {
					return f.Value
				}
			}
			return "not known"
		}
		if va, vb := union(a, value), union(b, value); va != vb || strings.Contains(va, or) {
			list = append(list, Difference{name, va, vb})
		}
	}
	return list
}

// or stands between the values of runs that differ.
const or = " | "

// union is the value of all runs, or all values that there are.
func union(s Side, of func(*result.Result) string) string {
	var seen []string
	for _, run := range s.Runs {
		if v := of(run.Result); !slices.Contains(seen, v) {
			seen = append(seen, v)
		}
	}
	return strings.Join(seen, or)
}
