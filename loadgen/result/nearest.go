package result

import (
	"fmt"
	"strings"
)

// unknown says that there is no such name, and which one is near.
func unknown(name string, scopes []*scope) string {
	if len(name) > 200 { // no name is; and the distance takes time
		return "no metric has so long a name"
	}
	if head, q, ok := cutLast(name); ok {
		for _, s := range scopes {
			base, within := strings.CutPrefix(head, s.prefix)
			if f, _ := findFamily(base); within && f != nil && f.hist != nil && (s.group < 0 || f.ofGroups) {
				return fmt.Sprintf("%s has no %s: it has p50, p90, p99, p999, max and count", head, q)
			}
		}
	}
	best, distance := "", max(3, len(name)/4)+1
	for _, s := range scopes {
		for i := range families {
			f := &families[i]
			if s.group >= 0 && !f.ofGroups {
				continue
			}
			names := []string{s.prefix + f.name}
			if f.hist != nil {
				for _, q := range quantiles {
					names = append(names, s.prefix+f.name+q.suffix)
				}
			}
			for _, candidate := range names {
				if d := len(candidate) - len(name); d >= distance || -d >= distance {
					continue
				}
				if d := edits(name, candidate); d < distance {
					best, distance = candidate, d
				}
			}
		}
	}
	if best != "" {
		return fmt.Sprintf("no metric is named %q: did you mean %s?", name, best)
	}
	var phases []string
	for _, s := range scopes {
		if s.phase != "" && s.group < 0 {
			phases = append(phases, s.phase)
		}
	}
	return fmt.Sprintf("no metric is named %q: docs/RESULT.md lists them; phases here are %s", name, strings.Join(phases, ", "))
}

// cutLast cuts a name at its last dot.
func cutLast(name string) (head, last string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// edits is the number of letters to insert, delete or replace to make b of a
// (Levenshtein 1966).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
