package cluster

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/ring"
)

// planView is a view of members by id, each "id" or "id=weight in devices".
func planView(activation int64, members string) *View {
	v := &View{Revision: 100, Members: map[string]Member{}, Weights: map[string]Weight{}, Pointer: Pointer{Activation: activation, Stable: 1}}
	for _, f := range strings.Fields(members) {
		id, weight, published := strings.Cut(f, "=")
		v.Members[id] = member(id)
		if published {
			var w Weight
			if _, err := fmt.Sscan(weight, &w.Value); err != nil {
				panic(err)
			}
			v.Weights[id] = w
		}
	}
	return v
}

// said is a decision in short: kind, what is set with its weight, what is removed.
func said(d Decision) string {
	change := func(c ring.Change) string {
		var s []string
		for _, n := range c.Set {
			s = append(s, fmt.Sprintf("%s=%v", n.ID, n.Weight))
		}
		for _, id := range c.Remove {
			s = append(s, "-"+id)
		}
		return strings.Join(s, " ")
	}
	s := d.Kind.String() + ": " + change(d.Stable)
	if c := change(d.Canary); c != "" {
		s += " / " + c
	}
	return strings.TrimSuffix(s, ": ")
}

// TestDecide: what is decided at once, and what after how long. Every case asks
// again and again, as time passes, until something is decided.
func TestDecide(t *testing.T) {
	abc := built(t, 1, "a", "b", "c")
	abcd := built(t, 2, "a", "b", "c", "d")
	drained, err := abc.Apply(3, ring.Change{Set: []ring.Node{{ID: "c", Addr: member("c").Addr, Zone: "a", Capacity: 10_000}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		stable, canary *ring.Ring
		members        string
		change         func(*View)
		want           string
		after          time.Duration
	}{
		"nobody":                    {nil, nil, "", nil, "nothing", 0},
		"first ring":                {nil, nil, "a b=5000", nil, "first: a=1 b=0.5", time.Second},
		"as it should be":           {abc, nil, "a b c", nil, "nothing", 0},
		"a weight within the band":  {abc, nil, "a=10900 b c", nil, "nothing", 0},
		"a weight over the band":    {abc, nil, "a=8000 b=9700 c=9900", nil, "weights: a=0.8 b=0.97", 5 * time.Minute},
		"a weight that expired":     {abc, nil, "a b c", func(v *View) { v.Weights["x"] = Weight{Value: 5} }, "nothing", 0},
		"join":                      {abc, nil, "a b c d=2500", nil, "join: d=0.25", time.Second},
		"join while a weight is":    {abc, nil, "a=5000 b c d", nil, "join: d=1", time.Second},
		"join that drains":          {abc, nil, "a b c d=0", nil, "nothing", 0},
		"one is dead":               {abc, nil, "a c", nil, "urgent: -b", 200 * time.Millisecond},
		"most are dead":             {abc, nil, "a", nil, "urgent: -b -c", 15 * time.Second},
		"all are dead":              {abc, nil, "", nil, "nothing", 0},
		"all are dead, others come": {abc, nil, "x", nil, "urgent: x=1 -a -b -c", 15 * time.Second},
		"drain":                     {abc, nil, "a b c=0", nil, "urgent: c=0", 200 * time.Millisecond},
		"all drain":                 {abc, nil, "a=0 b=0 c=0", nil, "nothing", 0},
		"back from draining":        {drained, nil, "a b c=10000", nil, "join: c=1", time.Second},
		"drained, says nothing":     {drained, nil, "a b c", nil, "nothing", 0},
		"still draining":            {drained, nil, "a b c=0", nil, "nothing", 0},
		"dead during a trial":       {abc, abcd, "a c d", nil, "urgent: -b / -b", 200 * time.Millisecond},
		"the one on trial is dead":  {abc, abcd, "a b c", nil, "urgent:  / -d", 200 * time.Millisecond},
		"join during a trial":       {abc, abcd, "a b c d e", nil, "nothing", 0},
		"another address": {abc, nil, "a b c", func(v *View) {
			m := v.Members["b"]
			m.Addr = "ws://other"
			v.Members["b"] = m
		}, "urgent: b=1", 200 * time.Millisecond},
		"etcd is not heard":   {abc, nil, "a", func(v *View) { v.Stale = time.Now() }, "nothing", 0},
		"nothing listed yet":  {abc, nil, "a", func(v *View) { v.Revision = 0 }, "nothing", 0},
		"the pointer is gone": {abc, nil, "a", func(v *View) { v.Pointer = Pointer{} }, "restored", time.Second},
		"after a rollback": {abc, nil, "a b c d", func(v *View) { v.Pointer.Back = planBegin },
			"join: d=1", 10*time.Minute + time.Second},
		"dead after a rollback": {abc, nil, "a b", func(v *View) { v.Pointer.Back = planBegin }, "urgent: -c", 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			v := planView(50, c.members)
			if c.change != nil {
				c.change(v)
			}
			d, after := decideInTime(v, c.stable, c.canary)
			if said(d) != strings.TrimSuffix(c.want, ": ") || after != c.after {
				t.Errorf("decided %q after %v (%s), want %q after %v", said(d), after, d.Why, c.want, c.after)
			}
			if d.Why == "" {
				t.Error("it does not say why")
			}
		})
	}
}

var planBegin = time.Date(2026, 11, 27, 2, 0, 0, 0, time.UTC)

// decideInTime asks until something is decided, or nothing is waited for.
func decideInTime(v *View, stable, canary *ring.Ring) (Decision, time.Duration) {
	now, mem := planBegin, PlanMemory{}
	for range 100 {
		var d Decision
		d, mem = Decide(PlanInput{View: v, Stable: stable, Canary: canary, Now: now}, mem, PlanSettings{})
		if d.Kind != Nothing {
			return d, now.Sub(planBegin)
		}
		if d.Wait <= 0 {
			return d, 0
		}
		now = now.Add(d.Wait)
	}
	return Decision{Why: "never"}, 0
}

// TestDecideDebounce: nodes that come one after the other are one version, as soon
// as it is quiet for a second, and after five at the latest.
func TestDecideDebounce(t *testing.T) {
	for _, c := range []struct {
		every, until time.Duration // a node each, until
		want         time.Duration
		nodes        int
	}{
		{300 * time.Millisecond, 1200 * time.Millisecond, 2200 * time.Millisecond, 5},
		{900 * time.Millisecond, time.Minute, 5 * time.Second, 6},
	} {
		mem, members := PlanMemory{}, ""
		count := 0
		for at := time.Duration(0); at < time.Minute; at += 100 * time.Millisecond {
			if at%c.every == 0 && at <= c.until {
				members += fmt.Sprintf(" n%d", count)
				count++
			}
			var d Decision
			d, mem = Decide(PlanInput{View: planView(0, members), Now: planBegin.Add(at)}, mem, PlanSettings{})
			if d.Kind == Nothing {
				continue
			}
			if at != c.want || len(d.Stable.Set) != c.nodes {
				t.Errorf("a node each %v: %d nodes after %v, want %d after %v", c.every, len(d.Stable.Set), at, c.nodes, c.want)
			}
			break
		}
	}
}

// TestPureDecideConverges: whatever the view, carrying out what is decided leads to a
// ring with nothing more to do, which holds those who are there, and who may own.
func TestPureDecideConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.SampledFrom(strings.Fields("a b c d e f g h")), 0, 8, rapid.ID[string])
		var stable *ring.Ring
		if nodes := ids.Draw(t, "ring"); len(nodes) > 0 {
			var list []ring.Node
			for _, id := range nodes {
				list = append(list, ring.Node{ID: id, Weight: rapid.Float64Range(0, 4).Draw(t, "weight of "+id)})
			}
			var err error
			if stable, err = ring.Build(1, list, ring.Options{TableBits: 10}); err != nil {
				t.Fatal(err)
			}
		}
		v := planView(1, "")
		for _, id := range ids.Draw(t, "members") {
			m := member(id)
			m.Capacity = rapid.SampledFrom([]float64{0, 1, 5000, 1e5, 1e6}).Draw(t, "capacity")
			v.Members[id] = m
			if rapid.Bool().Draw(t, "publishes") {
				v.Weights[id] = Weight{Value: rapid.SampledFrom([]float64{0, 0.001, 4000, 1e6}).Draw(t, "published")}
			}
		}
		converges(t, v, stable)
	})
}

func converges(t *rapid.T, v *View, stable *ring.Ring) {
	able := ableTo(v, stable)
	now, mem := planBegin, PlanMemory{}
	for range 64 {
		var d Decision
		d, mem = Decide(PlanInput{View: v, Stable: stable, Now: now}, mem, PlanSettings{})
		now = now.Add(max(d.Wait, time.Second))
		var err error
		switch {
		case d.Kind == Nothing && d.Wait > 0:
			continue
		case d.Kind == Nothing:
			checkConverged(t, v, stable, able)
			return
		case d.Kind == First:
			stable, err = ring.Build(1, d.Stable.Set, ring.Options{TableBits: 10})
		default:
			stable, err = stable.Apply(stable.Version()+1, d.Stable)
		}
		if err != nil {
			t.Fatalf("%s: %v", said(d), err)
		}
	}
	t.Fatal("it never has enough")
}

// ableTo lists the members who may own something: not those who drain, nor those
// who did and say nothing since.
func ableTo(v *View, r *ring.Ring) (able []string) {
	for id := range v.Members {
		published, says := v.Weights[id]
		weight := 1.0
		if says {
			weight = published.Value
		} else if r != nil && r.Find(id) != ring.None {
			weight = r.Node(r.Find(id)).Weight
		}
		if weight > 0 {
			able = append(able, id)
		}
	}
	return able
}

func checkConverged(t *rapid.T, v *View, stable *ring.Ring, able []string) {
	if len(able) == 0 {
		return // the last ring stays
	}
	for _, n := range stable.Nodes() {
		if _, there := v.Members[n.ID]; !there {
			t.Fatalf("%s is in the ring and not there", n.ID)
		}
		if w, says := v.Weights[n.ID]; says && w.Value == 0 && n.Weight > 0 {
			t.Fatalf("%s drains and has a weight of %v", n.ID, n.Weight)
		}
	}
	for _, id := range able {
		if n := stable.Node(stable.Find(id)); n == nil || n.Weight == 0 {
			t.Fatalf("%s may own something and does not", id)
		}
	}
}

// TestPlanSettings: settings that cannot be are refused.
func TestPlanSettings(t *testing.T) {
	if err := (PlanSettings{}).Validate(); err != nil {
		t.Error(err)
	}
	if err := (TrialSettings{}).Validate(); err != nil {
		t.Error(err)
	}
	for i, s := range []PlanSettings{
		{Unit: -1}, {Unit: math.NaN()}, {Unit: math.Inf(1)}, {Band: 1}, {Band: 0.01, Inner: 0.02}, {Share: -1}, {Share: 10_001},
		{Quiet: 10 * time.Second}, {MostGone: -1}, {TableBits: 99}, {PointsPerUnit: -1},
	} {
		if err := s.Validate(); err == nil {
			t.Errorf("%d: %+v was taken", i, s)
		}
	}
	for i, s := range []TrialSettings{{Hold: -1}, {Hold: time.Hour, Longest: time.Minute}, {Bound: 1}, {Bound: math.NaN()}, {MissBound: 2}, {Slower: 0.5}, {SlowerBy: -1}} {
		if err := s.Validate(); !errors.Is(err, ErrOptions) {
			t.Errorf("%d: %+v was taken: %v", i, s, err)
		}
	}
}

// TestJudge: what becomes of a canary.
func TestJudge(t *testing.T) {
	side := func(attempts, failures, misses uint64, p99 time.Duration) Side {
		return Side{Attempts: attempts, Failures: failures, Misses: misses, P99: p99}
	}
	ms := time.Millisecond
	for name, c := range map[string]struct {
		share, rest Side
		age         time.Duration
		want        Action
	}{
		"well, but early":                  {side(5000, 0, 0, 5*ms), side(9e4, 0, 0, 5*ms), 4*time.Minute + 59*time.Second, On},
		"well":                             {side(5000, 2, 9, 5*ms), side(9e4, 0, 0, 5*ms), 5 * time.Minute, Promote},
		"few attempts":                     {side(50, 0, 0, 5*ms), side(9e4, 0, 0, 5*ms), 10 * time.Minute, On},
		"few attempts, for ever":           {side(50, 0, 0, 5*ms), side(9e4, 0, 0, 5*ms), 30 * time.Minute, Promote},
		"none at all, for ever":            {side(0, 0, 0, 0), side(0, 0, 0, 0), 30 * time.Minute, Promote},
		"few attempts, one of them failed": {side(50, 1, 0, 5*ms), side(9e4, 0, 0, 5*ms), 30 * time.Minute, RollBack},
		"clearly bad, at once":             {side(400, 40, 0, 5*ms), side(9e4, 9, 0, 5*ms), 10 * time.Second, RollBack},
		"one failure is no proof":          {side(20, 1, 0, 5*ms), side(9e4, 9, 0, 5*ms), 10 * time.Second, On},
		"a little bad, at the end":         {side(5000, 8, 0, 5*ms), side(9e4, 9, 0, 5*ms), 5 * time.Minute, RollBack},
		"all fail alike":                   {side(400, 40, 0, 5*ms), side(9e4, 9e3, 0, 5*ms), 10 * time.Minute, On},
		"all fail alike, for ever":         {side(400, 40, 0, 5*ms), side(9e4, 9e3, 0, 5*ms), 30 * time.Minute, RollBack},
		"misses":                           {side(5000, 0, 900, 5*ms), side(9e4, 0, 100, 5*ms), 5 * time.Minute, RollBack},
		"misses everywhere":                {side(5000, 0, 900, 5*ms), side(9e4, 0, 2e4, 5*ms), 5 * time.Minute, Promote},
		"slow":                             {side(5000, 0, 0, 80*ms), side(9e4, 0, 0, 5*ms), 5 * time.Minute, RollBack},
		"slow, as the rest":                {side(5000, 0, 0, 800*ms), side(9e4, 0, 0, 600*ms), 5 * time.Minute, Promote},
		"not known how slow":               {side(5000, 0, 0, 800*ms), side(0, 0, 0, 0), 5 * time.Minute, Promote},
	} {
		if v := Judge(Counts{Trial: 1, Share: c.share, Rest: c.rest}, c.age, TrialSettings{}); v.Action != c.want || v.Why == "" {
			t.Errorf("%s: %v (%s), want %v", name, v.Action, v.Why, c.want)
		}
	}
}

// TestSum: only counts of the trial that is on are added up.
func TestSum(t *testing.T) {
	v := &View{Weights: map[string]Weight{
		"a": {Trial: &Counts{Trial: 7, Share: Side{10, 1, 2, 5, 1}, Rest: Side{100, 0, 0, 9, 2}}},
		"b": {Trial: &Counts{Trial: 7, Share: Side{20, 2, 0, 7, 2}, Rest: Side{200, 4, 0, 3, 1}}},
		"c": {Trial: &Counts{Trial: 6, Share: Side{Attempts: 1000, Failures: 1000}}},
		"d": {},
	}}
	want := Counts{Trial: 7, Share: Side{30, 3, 2, 7, 2}, Rest: Side{300, 4, 0, 9, 2},
		Seen: []Seen{{Side{10, 1, 2, 5, 1}, Side{100, 0, 0, 9, 2}}, {Side{20, 2, 0, 7, 2}, Side{200, 4, 0, 3, 1}}}}
	if got := Sum(v, 7); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestJudgeOfSlowNodes: a node that is slow itself sees both parts slow, and hides nothing of what
// the others see: with the worst of each part a canary that gave a node that stood still half of
// its time more devices was promoted, 393 ms beside 393 ms.
func TestJudgeOfSlowNodes(t *testing.T) {
	const ms = time.Millisecond
	type p99s struct{ share, rest time.Duration }
	for name, c := range map[string]struct {
		seen []p99s
		want Action
	}{
		"the node that gains is slow":         {[]p99s{{220 * ms, 4 * ms}, {200 * ms, 5 * ms}, {393 * ms, 393 * ms}}, RollBack},
		"of two nodes":                        {[]p99s{{220 * ms, 4 * ms}, {393 * ms, 393 * ms}}, RollBack},
		"one publishes to slow devices":       {[]p99s{{5 * ms, 4 * ms}, {5 * ms, 4 * ms}, {393 * ms, 4 * ms}}, Promote},
		"one is slow, and the share is not":   {[]p99s{{5 * ms, 4 * ms}, {5 * ms, 4 * ms}, {393 * ms, 393 * ms}}, Promote},
		"who knows of one part is not asked":  {[]p99s{{0, 4 * ms}, {0, 4 * ms}, {200 * ms, 5 * ms}}, RollBack},
		"nobody knows":                        {[]p99s{{0, 4 * ms}, {200 * ms, 0}}, Promote},
		"all far away":                        {[]p99s{{300 * ms, 280 * ms}, {310 * ms, 300 * ms}}, Promote},
		"slower by less than 50 ms, all fast": {[]p99s{{50 * ms, 4 * ms}, {51 * ms, 4 * ms}}, Promote},
	} {
		for _, median := range []bool{false, true} {
			counts := Counts{Trial: 1, Share: Side{Attempts: 5000}, Rest: Side{Attempts: 5000}}
			for _, l := range c.seen {
				seen := Seen{Side{P99: l.share}, Side{P99: l.rest}}
				if median && l.share > 0 && l.rest > 0 { // a cluster so busy that all P99 are bad
					seen = Seen{Side{P99: time.Second, P50: l.share}, Side{P99: time.Second, P50: l.rest}}
				}
				counts.Seen = append(counts.Seen, seen)
			}
			if v := Judge(counts, 5*time.Minute, TrialSettings{}); v.Action != c.want {
				t.Errorf("%s, by the median %v: %v (%s), want %v", name, median, v.Action, v.Why, c.want)
			}
		}
	}
}

// TestBackoff: between a quarter and all of 100 ms, twice that, up to 5 s.
func TestBackoff(t *testing.T) {
	var most []time.Duration
	for n := range 100 {
		low, high := backoff(n, 0), backoff(n, math.Nextafter(1, 0))
		if low <= 0 || low > high || high > mostBackoff || high < 3*low {
			t.Fatalf("after %d failures %v to %v", n, low, high)
		}
		most = append(most, high)
	}
	if !slices.IsSorted(most) || most[99] < 4*time.Second {
		t.Errorf("%v", most[:10])
	}
}
