package cluster

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func memberSet(ids string) map[string]Member {
	set := map[string]Member{}
	for _, id := range strings.Fields(ids) {
		set[id] = Member{ID: id}
	}
	return set
}

func sorted[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), " ") }

// TestGuard: a table of what is seen one after the other. Each look is at a
// second, of a watch or a list, with the members that have a key, and says who
// counts as there and who is held.
func TestGuard(t *testing.T) {
	type look struct {
		at         float64
		list       bool
		keys       string
		here, held string
	}
	for name, looks := range map[string][]look{
		"the first list is believed": {{0, true, "a b c", "a b c", ""}},
		"one of three":               {{0, true, "a b c", "a b c", ""}, {1, false, "a b", "a b", ""}},
		"one of two is half":         {{0, true, "a b", "a b", ""}, {1, false, "a", "a", ""}},
		"all of one": {
			{0, true, "a", "a", ""}, {1, false, "", "a", "a"}, {2, true, "", "a", "a"}, {4, true, "", "", ""}},
		"two of three are confirmed by a list, not by a watch": {
			{0, true, "a b c", "a b c", ""}, {1, false, "a", "a b c", "b c"}, {5, false, "a", "a b c", "b c"}, {5, true, "a", "a", ""}},
		"a list that is early is no second look": {
			{0, true, "a b c", "a b c", ""}, {1, false, "a", "a b c", "b c"}, {3.9, true, "a", "a b c", "b c"}, {4, true, "a", "a", ""}},
		"back before the second look": {
			{0, true, "a b c", "a b c", ""}, {1, false, "", "a b c", "a b c"}, {2, false, "a c", "a b c", "b"}, {4, true, "a b c", "a b c", ""}},
		"one after the other counts together": {
			{0, true, "a b c d", "a b c d", ""}, {1, false, "b c d", "b c d", ""}, {2, false, "c d", "c d", ""}, {3, false, "d", "c d", "c"}},
		"one after the other, slowly": {
			{0, true, "a b c d", "a b c d", ""}, {1, false, "b c d", "b c d", ""}, {12, false, "c d", "c d", ""}, {23, false, "d", "d", ""}},
		"who comes back counts no more": {
			{0, true, "a b c d", "a b c d", ""}, {1, false, "b c d", "b c d", ""}, {2, false, "a b c d", "a b c d", ""}, {3, false, "a b", "a b", ""}},
		"who comes is let in while others are held": {
			{0, true, "a b", "a b", ""}, {1, false, "x", "a b x", "a b"}, {4, true, "x", "x", ""}},
		"held and still going": {
			{0, true, "a b c d e", "a b c d e", ""}, {1, false, "a b", "a b c d e", "c d e"}, {2, false, "a", "a b c d e", "b c d e"},
			{4, true, "a", "a b", "b"}, {5, true, "a", "a", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			set := guardSettings{window: 10 * time.Second, look: 3 * time.Second}
			begin := time.Now()
			g, here := guard{}, map[string]Member(nil)
			for _, l := range looks {
				now := begin.Add(time.Duration(l.at * float64(time.Second)))
				g, here = g.look(here, memberSet(l.keys), l.list, now, set)
				if sorted(here) != l.here || sorted(g.times()) != l.held {
					t.Fatalf("at %vs, keys %q: here %q held %q, want %q and %q", l.at, l.keys, sorted(here), sorted(g.times()), l.here, l.held)
				}
			}
		})
	}
}

// TestGuardProperties: whatever comes, members with a key are there, members that
// were never seen are not, and no look by a watch leaves less than half of those
// who were there within the window.
func TestGuardProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := guardSettings{window: 10 * time.Second, look: 3 * time.Second}
		now := time.Now()
		g, here := guard{}, map[string]Member(nil)
		seen := map[string]bool{}
		ids := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"})
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
			list := rapid.Bool().Draw(t, "list")
			keys := memberSet(strings.Join(rapid.SliceOfDistinct(ids, rapid.ID[string]).Draw(t, "keys"), " "))
			recent := 0
			for id, at := range g.left {
				if _, back := keys[id]; !back && now.Sub(at) < set.window {
					recent++
				}
			}
			before := len(here) + recent
			g, here = g.look(here, keys, list, now, set)
			for id := range keys {
				seen[id] = true
				if _, ok := here[id]; !ok {
					t.Fatalf("%s has a key and is not there", id)
				}
			}
			for id := range here {
				if !seen[id] {
					t.Fatalf("%s is there and never was", id)
				}
			}
			gone := 0
			for _, at := range g.left {
				if now.Sub(at) < set.window {
					gone++
				}
			}
			if !list && 2*gone > before && gone > recent {
				t.Fatalf("%d of %d were let go without a second look", gone, before)
			}
			if at := g.due(set); at.IsZero() != (len(g.held) == 0) {
				t.Fatalf("second look due %v with %d held", at, len(g.held))
			}
		}
	})
}
