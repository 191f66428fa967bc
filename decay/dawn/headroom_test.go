package dawn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHeadroom(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	three := func(a, b, c float64) []Load {
		return []Load{{Node{ID: "a"}, a, 100}, {Node{ID: "b"}, b, 100}, {Node{ID: "c"}, c, 100}}
	}
	at := given(Linear).Begin
	for _, test := range []struct {
		name      string
		loads     []Load
		others    []string // ids that are falling for another opening
		postponed int
		now       time.Time
		lim       func(*Limits)
		verdict   Verdict
		want      string
	}{
		{"room: 80 of one node when the other has failed", three(30, 30, 20), nil, 0, at, nil, Go, "the rest (2 nodes) may carry 80 with 1 of them gone, 80 is there"},
		{"one too many", three(30, 30, 21), nil, 0, at, nil, Postpone, "until 01:40:00 UTC (1 of 6): the rest (2 nodes) may carry 80 with 1 of them gone, but 81 is there"},
		{"decided ahead of the fall", three(30, 30, 21), nil, 0, at.Add(-Notice), nil, Postpone, "until 01:40:00 UTC (1 of 6)"},
		{"two nodes, one of them in hand", three(1, 1, 1)[:2], nil, 0, at, nil, Postpone, "may carry 0 with 1"},
		{"two nodes, none in hand", three(1, 1, 1)[:2], nil, 0, at, func(l *Limits) { l.Spare = 0 }, Go, "may carry 80"},
		{"no node in hand asked for", three(60, 60, 40), nil, 0, at, func(l *Limits) { l.Spare = 0 }, Go, "may carry 160"},
		{"the spare one is the largest", append(three(10, 10, 10), Load{Node{ID: "d"}, 120, 1000}), nil, 0, at, nil, Go, "may carry 160 with 1"},
		{"two in hand", append(three(10, 10, 10), Load{Node{ID: "d"}, 120, 1000}), nil, 0, at, func(l *Limits) { l.Spare = 2 }, Postpone, "may carry 80 with 2"},
		{"more in hand than there are", three(1, 1, 1), nil, 0, at, func(l *Limits) { l.Spare = 9 }, Postpone, "may carry 0 with 9"},
		{"another falls already", three(30, 20, 20), []string{"b"}, 0, at, nil, Postpone, "the rest (1 nodes) may carry 0"},
		{"all others fall already", three(1, 1, 1), []string{"*"}, 0, at, nil, Skip, "no node is left"},
		{"the group is all", []Load{{Node{ID: "a"}, 1, 100}}, nil, 0, at, nil, Skip, "no node is left"},
		{"the group is nobody", three(1, 1, 1)[1:], nil, 0, at, nil, Skip, "no node matches"},
		{"nothing is known", nil, nil, 0, at, nil, Postpone, "the load of the cluster is not known"},
		{"a load is not known: full", three(0, nan, 0), nil, 0, at, nil, Postpone, "but 100 is there"},
		{"negative is not known", three(0, -5, 0), nil, 0, at, nil, Postpone, "but 100 is there"},
		{"a capacity is not known: none", append(three(10, 10, 10), Load{Node{ID: "d"}, 10, inf}), nil, 0, at, nil, Go, "may carry 80 with 1 of them gone, 40 is there"},
		{"neither is known", append(three(0, 0, 0), Load{Node{ID: "d"}, nan, nan}), nil, 0, at, nil, Postpone, `neither load nor capacity of node "d" is known`},
		{"an id twice", append(three(30, 30, 20), Load{Node{ID: "b"}, 30, 100}), nil, 0, at, nil, Go, "2 nodes"},
		{"sums beyond numbers", []Load{{Node{ID: "a"}, math.MaxFloat64, math.MaxFloat64}, {Node{ID: "b"}, math.MaxFloat64, math.MaxFloat64}, {Node{ID: "c"}, 1, math.MaxFloat64}, {Node{ID: "d"}, 1, math.MaxFloat64}}, nil, 0, at, nil, Postpone, "may carry"},
		{"postponed often enough", three(30, 30, 21), nil, 6, at, nil, Skip, "postponed 6 times, and still: the rest"},
		{"the last time", three(30, 30, 21), nil, 5, at, nil, Postpone, "(6 of 6)"},
		{"no time for another try", three(30, 30, 21), nil, 0, at.Add(115 * time.Minute), nil, Skip, "at 03:35:00 UTC it would be too late"},
		{"late, but in time", three(30, 30, 20), nil, 0, at.Add(2 * time.Hour), nil, Go, ""},
		{"too late", three(30, 30, 20), nil, 0, at.Add(2*time.Hour + 1), nil, Skip, "too late: the floor would be reached after the maintenance ends at 04:00:00 UTC"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := given(Linear)
			o.Nodes = Group{IDs: []string{"a"}}
			var others []Opening
			if test.others != nil {
				x := given(Linear)
				x.Nodes = Group{IDs: test.others}
				others = append(others, x)
			}
			lim := DefaultLimits
			if test.lim != nil {
				test.lim(&lim)
			}
			d := Headroom(&o, others, test.postponed, test.loads, test.now, lim)
			if d.Verdict != test.verdict || d.Late != strings.Contains(d.Reason, "too late") || !strings.Contains(d.Reason, test.want) {
				t.Errorf("%v: %s", d.Verdict, d.Reason)
			}
			from := later(test.now, o.Begin)
			if (d.Verdict == Postpone) != d.Until.Equal(from.Add(lim.Retry)) || (d.Verdict != Postpone) != d.Until.IsZero() {
				t.Errorf("%v until %v", d.Verdict, d.Until)
			}
		})
	}
}

// TestHeadroomApart: an opening whose plan is over before this one begins takes
// nothing from the rest.
func TestHeadroomApart(t *testing.T) {
	o, x := given(Linear), given(Linear)
	o.Nodes, x.Nodes = Group{IDs: []string{"a"}}, Group{IDs: []string{"b"}}
	loads := []Load{{Node{ID: "a"}, 10, 100}, {Node{ID: "b"}, 10, 100}, {Node{ID: "c"}, 10, 100}}
	move := func(d time.Duration) {
		x.Begin, x.Start, x.End = x.Begin.Add(d), x.Start.Add(d), x.End.Add(d)
	}
	move(o.Begin.Sub(x.Clear()))
	if d := Headroom(&o, []Opening{x}, 0, loads, o.Begin, DefaultLimits); d.Verdict != Go {
		t.Errorf("%v: %s", d.Verdict, d.Reason)
	}
	move(1)
	if d := Headroom(&o, []Opening{x}, 0, loads, o.Begin, DefaultLimits); d.Verdict == Go {
		t.Errorf("%v: %s", d.Verdict, d.Reason)
	}
}

// TestHeadroomTwin compares the figures with the plain way: sort and sum.
func TestHeadroomTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := given(Linear)
		o.Nodes = Group{IDs: []string{"g*"}}
		lim := DefaultLimits
		lim.Spare = rapid.IntRange(0, 4).Draw(t, "spare")
		var loads []Load
		var rest []float64
		need := 0.0
		for i := range rapid.IntRange(0, 12).Draw(t, "nodes") {
			l := Load{Node{ID: fmt.Sprint("n", i)}, float64(rapid.IntRange(0, 100).Draw(t, "used")), float64(rapid.IntRange(0, 200).Draw(t, "capacity"))}
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				l.Node.ID = "g" + l.Node.ID
			} else {
				rest = append(rest, l.Capacity)
			}
			need += l.Used
			loads = append(loads, l)
		}
		slices.Sort(rest)
		have := 0.0
		for _, c := range rest[:max(0, len(rest)-lim.Spare)] {
			have += c
		}
		d := Headroom(&o, nil, 0, loads, o.Begin, lim)
		if d.Need != need || d.Have != have*lim.MaxUse || d.Rest != len(rest) {
			t.Fatalf("%+v, want need %v, have %v, rest %d", d, need, have*lim.MaxUse, len(rest))
		}
		if group := len(loads) - len(rest); group > 0 && len(rest) > 0 && (d.Verdict == Go) != (need <= have*lim.MaxUse) {
			t.Fatalf("%+v", d)
		}
	})
}

func TestLimitsErrors(t *testing.T) {
	for name, spoil := range map[string]func(*Limits){
		"use 0": func(l *Limits) { l.MaxUse = 0 }, "use": func(l *Limits) { l.MaxUse = 1.1 }, "NaN": func(l *Limits) { l.MaxUse = math.NaN() },
		"spare": func(l *Limits) { l.Spare = -1 }, "many spare": func(l *Limits) { l.Spare = maxSpare + 1 },
		"retry": func(l *Limits) { l.Retry = 0 }, "long": func(l *Limits) { l.Retry = maxRamp + 1 },
		"postpones": func(l *Limits) { l.Postpones = -1 }, "many": func(l *Limits) { l.Postpones = 101 },
	} {
		l := DefaultLimits
		spoil(&l)
		if l.Validate() == nil {
			t.Errorf("%s: %+v is valid", name, l)
		}
	}
	if DefaultLimits.Validate() != nil || Verdict(9).String() != "skip" {
		t.Error("defaults")
	}
}
