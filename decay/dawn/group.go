package dawn

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Node is what a group is chosen by.
type Node struct {
	ID     string
	Zone   string
	Labels map[string]string
}

// Group chooses nodes. Each kind that is given must match: one of the IDs, one of
// the Zones, and every label. They are globs: * is any text, ? any one character,
// all else itself; the whole must match. A group of nothing is an error: all
// nodes are the id *.
type Group struct {
	IDs    []string          `json:"ids,omitempty"`
	Zones  []string          `json:"zones,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

const (
	maxGlob  = 256 // bytes
	maxGlobs = 1024
)

// Validate reports what is wrong with the group.
func (g *Group) Validate() error {
	n := len(g.IDs) + len(g.Zones) + len(g.Labels)
	if n == 0 {
		return errors.New(`the group names no node; write ids: ["*"] if all are meant`)
	}
	if n > maxGlobs {
		return fmt.Errorf("the group has %d patterns, more than %d", n, maxGlobs)
	}
	for _, list := range [][]string{g.IDs, g.Zones} {
		for _, p := range list {
			if p == "" || len(p) > maxGlob || !utf8.ValidString(p) {
				return fmt.Errorf("pattern %.32q has %d bytes; 1 to %d of UTF-8 are allowed", p, len(p), maxGlob)
			}
		}
	}
	for k, p := range g.Labels {
		if k == "" || len(k) > maxGlob || len(p) > maxGlob || !utf8.ValidString(k) || !utf8.ValidString(p) {
			return fmt.Errorf("label %.32q: name and pattern have at most %d bytes of UTF-8, the name at least 1", k, maxGlob)
		}
	}
	return nil
}

// equal reports whether the groups are written alike.
func (g *Group) equal(o *Group) bool {
	return slices.Equal(g.IDs, o.IDs) && slices.Equal(g.Zones, o.Zones) && maps.Equal(g.Labels, o.Labels)
}

// Matches reports whether the node belongs to the group. No node belongs to an
// empty one.
func (g *Group) Matches(n *Node) bool {
	if len(g.IDs)+len(g.Zones)+len(g.Labels) == 0 {
		return false
	}
	if len(g.IDs) > 0 && !anyGlob(g.IDs, n.ID) || len(g.Zones) > 0 && !anyGlob(g.Zones, n.Zone) {
		return false
	}
	for k, p := range g.Labels {
		if v, ok := n.Labels[k]; !ok || !glob(p, v) {
			return false
		}
	}
	return true
}

func anyGlob(patterns []string, s string) bool {
	for _, p := range patterns {
		if glob(p, s) {
			return true
		}
	}
	return false
}

// glob matches bytes. It goes back to the last * only: an earlier one need never
// take more, so the cost is at most len(p) x len(s).
func glob(p, s string) bool {
	star, resume := -1, 0 // place of the last * and where its text ends
	i := 0
	for j := 0; j < len(s); {
		switch {
		case i < len(p) && p[i] == '*':
			star, resume = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			resume++
			i, j = star+1, resume
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
