package subject

import (
	"math"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// unequalNames are nodes whose names differ in length, so that a sum of lengths
// says which they were.
func unequalNames(n int) []Node {
	nodes := Nodes(n)
	for i := range nodes {
		nodes[i].Name += strings.Repeat("x", i%97)
	}
	return nodes
}

func build(t testing.TB, s Subject, nodes []Node) Table {
	t.Helper()
	table, err := s.New(nodes)
	if err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	return table
}

// TestConsistent: two rings of the same nodes, in another order, agree; every
// answer is a node, every node has keys, and the timed loops get these answers.
func TestConsistent(t *testing.T) {
	keys := NewKeys(4096, 1)
	nodes := unequalNames(23)
	reversed := slices.Clone(nodes)
	slices.Reverse(reversed)
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			a := build(t, s, nodes)
			b := build(t, s, nodes)
			if s.Points > 0 || s.Name == rendezvousPeer.Name {
				b = build(t, s, reversed)
			}
			counts := map[string]int{}
			var lengths uint64
			for i := range keys.Len() {
				owner := a.Owner(keys.At(i))
				counts[owner]++
				lengths += uint64(len(owner))
				if other := b.Owner(keys.At(i)); owner != other {
					t.Fatalf("key %d is of %q, and in a second ring of %q", i, owner, other)
				}
			}
			for _, n := range nodes {
				if counts[n.Name] == 0 {
					t.Errorf("%q has none of %d keys", n.Name, keys.Len())
				}
				delete(counts, n.Name)
			}
			if len(counts) > 0 {
				t.Errorf("owners that are no nodes: %v", counts)
			}
			if sum := a.Lookups(keys, keys.Len()); answersNames(s) && sum != lengths {
				t.Errorf("the timed loop's names have %d bytes, the owners' %d", sum, lengths)
			} else if sum == 0 || sum != b.Lookups(keys, keys.Len()) && !answersNames(s) && s.Points == 0 {
				t.Errorf("the timed loop's sum is %d", sum)
			}
			if a.Chain(keys, 1000) == 0 {
				t.Error("a chain of 1000 has the sum 0")
			}
		})
	}
}

// answersNames reports whether a subject's loops add up lengths of names.
func answersNames(s Subject) bool {
	return !s.Roost && !slices.Contains([]string{seedPreset.Name, jumpPeer.Name, maglev.Name}, s.Name)
}

// TestChanges: after a change and its contrary a ring answers as before, what a
// removed node had goes elsewhere, and weight gives more.
func TestChanges(t *testing.T) {
	keys := NewKeys(16384, 2)
	nodes := unequalNames(11)
	changed := nodes[4]
	heavier := Node{changed.Name, 2}
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			table := build(t, s, nodes)
			before := count(table, keys, changed.Name)
			step := func(now []Node, c Change) (Table, []Node) {
				after := c.After(now)
				next, err := s.Next(table, c, after)
				if err != nil {
					t.Fatal(err)
				}
				return next, after
			}
			var now []Node
			table, now = step(nodes, Change{Remove: changed.Name})
			if len(now) != len(nodes)-1 || count(table, keys, changed.Name) != 0 {
				t.Errorf("%d nodes, and the removed one has %d keys", len(now), count(table, keys, changed.Name))
			}
			table, now = step(now, Change{Set: &changed})
			if got := count(table, keys, changed.Name); len(now) != len(nodes) || math.Abs(float64(got-before)) > float64(before)/3 {
				t.Errorf("it comes back and has %d keys, had %d", got, before)
			}
			if !s.Weighted {
				return
			}
			table, now = step(now, Change{Set: &heavier})
			if got := count(table, keys, changed.Name); len(now) != len(nodes) || float64(got) < 1.5*float64(before) {
				t.Errorf("with twice the weight it has %d keys, had %d", got, before)
			}
			table, _ = step(now, Change{Set: &changed})
			if got := count(table, keys, changed.Name); math.Abs(float64(got-before)) > float64(before)/10 {
				t.Errorf("with its old weight it has %d keys, had %d", got, before)
			}
		})
	}
}

func count(t Table, keys Keys, name string) (n int) {
	for i := range keys.Len() {
		if t.Owner(keys.At(i)) == name {
			n++
		}
	}
	return n
}

// TestRealLibraries: what is measured is the library that the name says.
func TestRealLibraries(t *testing.T) {
	required, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range All() {
		table := build(t, s, Nodes(3))
		impl := reflect.ValueOf(table.Impl())
		from := ""
		switch impl.Kind() {
		case reflect.Func:
			from = runtime.FuncForPC(impl.Pointer()).Name()
		case reflect.Pointer:
			from = impl.Type().Elem().PkgPath()
		}
		switch {
		case s.Module != "":
			if !strings.HasPrefix(from, s.Module) {
				t.Errorf("%s is %q, want something of %s", s.Name, from, s.Module)
			}
			if !strings.Contains(string(required), "\t"+s.Module+" v") {
				t.Errorf("%s: go.mod does not require %s, so its version is not known", s.Name, s.Module)
			}
		case s.Roost && from != "roost/ring":
			t.Errorf("%s is %q", s.Name, from)
		}
	}
}

// TestRendezvousRemove: the note says that Remove panics. If that is mended the
// note, and how it is changed, must be too.
func TestRendezvousRemove(t *testing.T) {
	table := build(t, rendezvousPeer, Nodes(3)).(rendezvousTable)
	defer func() {
		if recover() == nil {
			t.Error("Remove of go-rendezvous works: use it in Next, and take it out of the note")
		}
	}()
	table.Remove(Nodes(3)[1].Name)
}
