package dawn

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// size is how large a model is. Everything runs with ROOST_MODEL=full (a
// minute on two shared cores); the small ones also with -short and under the
// race detector.
type size uint8

const (
	small size = iota
	medium
	large
)

func (s size) skip(t *testing.T) {
	most := medium
	if testing.Short() || raceEnabled {
		most = small
	}
	if s > most && os.Getenv("ROOST_MODEL") != "full" {
		t.Skip("long; ROOST_MODEL=full runs it")
	}
}

// modelNight is a night of one window whose steps are a tick apart: decided at 0,
// floor at 1, end at 2, clear at 3.
func modelNight(windows int) Night {
	n := Night{Date: 20260314, Environment: "production"}
	start := time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)
	for i := range windows {
		curve := Curve{Floor: 0.1, Lead: Alive - Notice, Recovery: Alive}
		n.Openings = append(n.Openings, Opening{
			Window: fmt.Sprint("w", i), Nodes: Group{IDs: []string{"a"}}, Curve: curve,
			Begin: start.Add(-curve.Lead), Start: start, End: start.Add(Alive),
		})
	}
	return n
}

// modelSetup is nodes whose clocks are off by skews. Time ends when all of them
// have seen the last step come due.
func modelSetup(b budget, skews ...int) *setup {
	s := &setup{night: modelNight(1), env: "production", last: 3 - slices.Min(skews), limit: 6e6, skews: skews, budget: b}
	rules := DefaultRules
	rules.Spread = 0
	for i, skew := range skews {
		if skew > 0 { // who is ahead and believes to be right skips what is not too late
			s.unsure = append(s.unsure, i)
		}
		s.nodes = append(s.nodes, Config{
			Node: string(rune('a' + i)), Life: 1, Environment: "production", Rules: rules,
			Limits: Limits{MaxUse: 0.8, Spare: 1, Retry: Alive, Postpones: 1},
		})
	}
	return s
}

func (s *setup) withScarce() *setup        { s.scarce = true; return s }
func (s *setup) withTravel() *setup        { s.travel = true; return s }
func (s *setup) withWindows(n int) *setup  { s.night = modelNight(n); return s }
func (s *setup) withAborts(n int) *setup   { s.aborts = n; return s }
func (s *setup) broken(v variant) *setup   { s.variant = v; return s }
func (s *setup) really(env string) *setup  { s.env = env; return s }
func (s *setup) believe(env string) *setup { return s.each(func(c *Config) { c.Environment = env }) }

// withLater adds a window whose fall is decided after so many ticks. The first
// nodes get to know it when they read the calendar again, at any time, the others
// never do.
func (s *setup) withLater(ticks, readers int) *setup {
	s.old, s.readers = s.night, readers
	late := s.night.Openings[0]
	by := time.Duration(ticks) * Alive
	late.Window, late.Begin, late.Start, late.End = "later", late.Begin.Add(by), late.Start.Add(by), late.End.Add(by)
	s.night.Openings = append(slices.Clone(s.night.Openings), late)
	s.last += ticks
	return s
}

func (s *setup) each(f func(*Config)) *setup {
	for i := range s.nodes {
		f(&s.nodes[i])
	}
	return s
}

// TestModel goes through all that can happen to the nodes in a night: that every
// step takes effect once, under the lock of who makes it, in order, and that the
// night can always be finished.
func TestModel(t *testing.T) {
	tests := []struct {
		name string
		size size
		set  *setup
	}{
		{"1 node; it dies, a message is lost or late", small, modelSetup(budget{1, 1, 0}, 0).withScarce()},
		{"2 nodes, one clock is late", medium, modelSetup(budget{}, 0, -2)},
		{"2 nodes", small, modelSetup(budget{}, 0, 0)},
		{"1 node; it dies, messages are lost, late and doubled", medium, modelSetup(budget{1, 1, 1}, 0).withScarce()},
		{"1 node; all of that twice", medium, modelSetup(budget{2, 2, 1}, 0).withScarce()},
		{"1 node, 2 windows; it dies, a message is lost or late", medium, modelSetup(budget{1, 1, 0}, 0).withWindows(2)},
		{"1 node, a window is added", small, modelSetup(budget{0, 1, 0}, 0).withLater(1, 1)},
		{"1 node, it is told to end the night", small, modelSetup(budget{0, 1, 0}, 0).withAborts(1)},
		{"1 node, a window is added; it dies, a message is lost or late", medium, modelSetup(budget{1, 1, 0}, 0).withLater(2, 1)},
		{"1 node, it is told to end the night; it dies, a message is lost or late", medium, modelSetup(budget{1, 1, 1}, 0).withAborts(1)},
		{"1 node, a window is added, the night is ended twice", large, modelSetup(budget{0, 1, 0}, 0).withLater(1, 1).withAborts(2)},
		{"2 nodes, a window is added at its time", medium, modelSetup(budget{}, 0, 0).withLater(0, 1)},
		{"1 node, a window is added when all is done; it dies, a message is lost or late", medium, modelSetup(budget{1, 1, 0}, 0).withLater(4, 1)},
		{"2 nodes, one is told to end the night", medium, modelSetup(budget{}, 0, 0).withAborts(1)},
		{"2 nodes, one clock is hours ahead and does not know it", medium, modelSetup(budget{}, 0, 3)},
		{"2 nodes, one clock is hours ahead, a window is added", medium, modelSetup(budget{}, 0, 3).withLater(1, 1)},
		{"2 nodes, a window is added; one dies", large, modelSetup(budget{1, 0, 0}, 0, 0).withLater(0, 1)},
		{"2 nodes, one is told to end the night; one dies", large, modelSetup(budget{1, 0, 0}, 0, 0).withAborts(1)},
		{"2 nodes, short of headroom", medium, modelSetup(budget{}, 0, 0).withScarce()},
		{"2 nodes, answers take time", medium, modelSetup(budget{}, 0, 0).withTravel()},
		{"2 nodes, 2 windows", medium, modelSetup(budget{}, 0, 0).withWindows(2)},
		{"2 nodes; one dies", medium, modelSetup(budget{1, 0, 0}, 0, 0)},
		{"2 nodes, one clock is early, one late; one dies", medium, modelSetup(budget{1, 0, 0}, 1, -1)},
		{"2 nodes; a message is lost or late, one doubled", medium, modelSetup(budget{0, 1, 1}, 0, 0)},
		{"2 nodes; one dies, a message is lost or late", large, modelSetup(budget{1, 1, 0}, 0, 0)},
		{"2 nodes; two messages are lost or late", large, modelSetup(budget{0, 2, 0}, 0, 0)},
		{"3 nodes", large, modelSetup(budget{}, 0, 0, 0)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.size.skip(t)
			r := explore(test.set)
			if r.wrong != nil {
				t.Fatal(r)
			}
			t.Log(r)
		})
	}
}

// TestModelWrongEnvironment: nothing takes effect in a cluster that is not the
// one named, whether its nodes know its name or not.
func TestModelWrongEnvironment(t *testing.T) {
	for _, believed := range []string{"production", "staging"} {
		set := modelSetup(budget{0, 1, 0}, 0).really("staging").believe(believed)
		r := explore(set)
		if r.wrong != nil || r.done != 0 {
			t.Errorf("nodes believe %s: %d nights were done: %v", believed, r.done, r)
		}
	}
}

// TestModelCanFail breaks one rule at a time. The search has to find out, else it
// proves nothing.
func TestModelCanFail(t *testing.T) {
	tests := []struct {
		variant variant
		set     *setup
		want    string
	}{
		{variant{name: "commits do not compare the record's revision", ignoreRevision: true}, modelSetup(budget{0, 0, 1}, 0), "takes effect twice"},
		{variant{name: "commits do not compare the lock", ignoreFence: true}, modelSetup(budget{}, 0, 0), "but lock"},
		{variant{name: "commits do not compare the environment", ignoreEnvironment: true}, modelSetup(budget{}, 0).really("staging"), "wrong environment"},
		{variant{name: "a commit without an answer counts as made", believe: true}, modelSetup(budget{0, 1, 0}, 0), "never done|left out|before the night is done"},
		{variant{name: "there is a lock and no record", forget: true, ignoreRevision: true}, modelSetup(budget{}, 0, 0), "takes effect twice"},
		{variant{name: "a night that has begun is not resumed", begunIsDone: true}, modelSetup(budget{1, 0, 0}, 0, 0), "before the night is done"},
		{variant{name: "the given rule: only with a lock that is there and has 300 s left", given: true}, modelSetup(budget{}, 0, 0), "never done"},
		{variant{name: "what is in the record is all there is", deaf: true}, modelSetup(budget{}, 0).withLater(4, 1), "before the night is done|never done"},
		{variant{name: "who adds a window writes the record anew", replaces: true}, modelSetup(budget{}, 0).withLater(1, 1), "loses openings|changes what is recorded"},
		{variant{name: "windows are added without comparing the revision", ignoreRevision: true}, modelSetup(budget{0, 0, 1}, 0).withLater(4, 1), "takes effect twice"},
		{variant{name: "a clock that is ahead is taken for right", sure: true}, modelSetup(budget{}, 0, 2), "before its time"},
		{variant{name: "an abort without an answer counts as made", believe: true}, modelSetup(budget{0, 1, 0}, 0).withAborts(1), "forgets the abort|before the night is done|never done|left out"},
		{variant{name: "the lock stays when its holder has died", eternal: true}, modelSetup(budget{1, 0, 0}, 0, 0), "never done"},
	}
	for _, test := range tests {
		t.Run(test.variant.name, func(t *testing.T) {
			if test.variant.eternal {
				medium.skip(t) // it is found out only when all worlds have been seen
			}
			r := explore(test.set.broken(test.variant))
			if r.wrong == nil {
				t.Fatalf("the search finds nothing wrong with it: %v", r)
			}
			if !slices.ContainsFunc(strings.Split(test.want, "|"), func(s string) bool { return strings.Contains(r.wrong.Error(), s) }) {
				t.Fatalf("the search finds something else: %v", r)
			}
			t.Log(r)
		})
	}
}

// TestModelKeys checks what explore rests on: worlds with the same key can do the
// same things. Whenever a world turns up whose key is known, where it leads is
// compared with where the first one led.
func TestModelKeys(t *testing.T) {
	worlds := 1000
	if os.Getenv("ROOST_MODEL") == "full" {
		worlds = 30_000
	}
	for _, set := range []*setup{
		modelSetup(budget{1, 1, 1}, 0).withScarce(),
		modelSetup(budget{1, 1, 0}, 0).withTravel(),
		modelSetup(budget{1, 1, 0}, 0, 0).withTravel().withScarce(),
		modelSetup(budget{1, 1, 1}, 0, -1),
		modelSetup(budget{1, 1, 0}, 0, 2).withLater(1, 1).withAborts(1),
	} {
		if err := checkKeys(set, worlds); err != nil {
			t.Error(err)
		}
	}
}

// checkKeys looks at the first worlds of a setup.
func checkKeys(s *setup, worlds int) error {
	var k keyer
	after := func(w *world) (keys []string) {
		for _, mv := range w.moves(nil) {
			next := w.clone()
			if err := next.do(mv); err != nil {
				panic(err)
			}
			next.tidy()
			keys = append(keys, fmt.Sprint(mv.kind)+string(k.key(next)))
		}
		slices.Sort(keys)
		return keys
	}
	known := map[string][]string{}
	queue := []*world{newWorld(s)}
	for len(queue) > 0 && len(known) < worlds {
		w := queue[0]
		queue = queue[1:]
		key := string(k.key(w))
		next := after(w)
		if first, ok := known[key]; ok {
			if !slices.Equal(first, next) {
				return fmt.Errorf("two worlds of key %q lead to %d and %d others that differ", key, len(first), len(next))
			}
			continue
		}
		known[key] = next
		for _, mv := range w.moves(nil) {
			n := w.clone()
			_ = n.do(mv)
			n.tidy()
			queue = append(queue, n)
		}
	}
	return nil
}
