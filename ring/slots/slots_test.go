package slots

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestGivenCase: 7210, 5120 and 4054 slots under 40, 35 and 25 %. The report
// prints 5735 and 3995 for the second and third, which lose 100 slots.
func TestGivenCase(t *testing.T) {
	hs := []Holding{{"a", "a", 7210, 0.40}, {"b", "b", 5120, 0.35}, {"c", "c", 4054, 0.25}}
	p, err := Rebalance(hs, Threshold)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{6554, 5734, 4096}; !slices.Equal(p.Targets, want) || !slices.Equal(p.After, want) {
		t.Errorf("targets %v, after %v, want %v", p.Targets, p.After, want)
	}
	if got := fmt.Sprintf("%.3f -> %.3f", p.Before.Sigma, p.Later.Sigma); got != "0.208 -> 0.000" {
		t.Errorf("sigma %s, want 0.208 -> 0.000", got)
	}
	// The given form sees 0.58 before and 0.45 after: it never reaches 0.
	if p.Before.Given < 0.577 || p.Before.Given > 0.579 || p.Later.Given < 0.449 || p.Later.Given > 0.451 {
		t.Errorf("the given sigma is %.4f before and %.4f after, want 0.578 and 0.450", p.Before.Given, p.Later.Given)
	}
	if p.Moved != 656 || p.Moved != p.Minimum || p.Across != 656 || p.Before.Most != 0 || p.Before.Least != 1 {
		t.Errorf("%+v", p)
	}
	if want := []Move{{"a", "b", 614, true}, {"a", "c", 42, true}}; !slices.Equal(p.Moves, want) {
		t.Errorf("moves %v, want %v", p.Moves, want)
	}
}

func TestZoneShares(t *testing.T) {
	shares, err := ZoneShares([]Capacity{{"a", 64, 16}, {"b", 64, 8}, {"c", 32, 8}})
	if err != nil {
		t.Fatal(err)
	}
	// Memory 0.4, 0.4, 0.2; CPU 0.5, 0.25, 0.25: the scarcer are 0.4, 0.25, 0.2.
	for i, want := range []float64{0.4 / 0.85, 0.25 / 0.85, 0.2 / 0.85} {
		if math.Abs(shares[i]-want) > 1e-12 {
			t.Errorf("share %d is %v, want %v", i, shares[i], want)
		}
	}
	for _, bad := range [][]Capacity{nil, {{"a", 0, 0}}, {{"a", -1, 1}}, {{"a", math.NaN(), 1}}, {{"a", 1, 0}, {"b", 0, 1}}, {{"a", math.Inf(1), 1}}} {
		if _, err := ZoneShares(bad); !errors.Is(err, ErrHolding) {
			t.Errorf("%v: error %v", bad, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, hs := range map[string][]Holding{
		"number 2 has no node":  {{"a", "", 1, 1}, {"", "", 1, 1}},
		`"a" is there twice`:    {{"a", "", 1, 1}, {"a", "", 1, 1}},
		"has -1 slots":          {{"a", "", -1, 1}},
		"more than":             {{"a", "", math.MaxInt, 1}, {"b", "", math.MaxInt, 1}, {"c", "", 2, 1}},
		"weight NaN":            {{"a", "", 1, math.NaN()}},
		"weight +Inf":           {{"a", "", 1, math.Inf(1)}},
		"weight -1":             {{"a", "", 1, -1}},
		"the weights sum to 0":  {{"a", "", 1, 0}},
		"the weights sum to +I": {{"a", "", 1, math.MaxFloat64}, {"b", "", 1, math.MaxFloat64}},
	} {
		if _, err := Rebalance(hs, 5); !errors.Is(err, ErrHolding) || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want one with %q", err, text)
		}
	}
	if _, err := Rebalance([]Holding{{"a", "", 10, 1}, {"b", "", 3, 1}}, -1); !errors.Is(err, ErrSettings) {
		t.Errorf("a threshold of -1: %v", err)
	}
	for _, total := range []int{-1, math.MaxInt} {
		if total == maxSlots { // where int has 32 bits
			continue
		}
		if _, err := Targets([]Holding{{"a", "", 1, 1}}, total); !errors.Is(err, ErrHolding) {
			t.Errorf("%d slots in all: %v", total, err)
		}
	}
	if p, err := Rebalance(nil, 5); err != nil || p.Moved != 0 {
		t.Errorf("nobody: %v, %v", p, err)
	}
}

func TestThreshold(t *testing.T) {
	// a is 6 over; the others lack 2 each: it gives to them, nearest home first.
	p, err := Rebalance([]Holding{{"a", "x", 106, 1}, {"b", "y", 98, 1}, {"c", "x", 98, 1}, {"d", "y", 98, 1}}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Move{{"a", "c", 2, false}, {"a", "b", 2, true}, {"a", "d", 2, true}}; !slices.Equal(p.Moves, want) {
		t.Errorf("moves %v, want %v", p.Moves, want)
	}
	// Nobody is more than 5 off.
	p, err = Rebalance([]Holding{{"a", "", 105, 1}, {"b", "", 95, 1}}, 5)
	if err != nil || p.Moved != 0 || p.Minimum != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestSkewEdges(t *testing.T) {
	for _, s := range []Skew{SkewOf(nil, nil), SkewOf([]float64{0, 0}, []float64{1, 1}), SkewOf([]float64{1}, []float64{0}), SkewOf([]float64{math.Inf(1)}, []float64{1}), SkewOf([]float64{math.NaN()}, []float64{1})} {
		if s != (Skew{Least: -1, Most: -1}) {
			t.Errorf("%+v, want nothing", s)
		}
	}
	for _, s := range []Skew{SkewOf([]float64{3, -1}, []float64{1, 1}), SkewOf([]float64{3, 1}, []float64{2, -1}), SkewOf([]float64{math.MaxFloat64, math.MaxFloat64}, []float64{1, 1})} {
		if s != (Skew{Least: -1, Most: -1}) {
			t.Errorf("%+v, want nothing", s)
		}
	}
	s := SkewOf([]float64{10, 10, 5}, []float64{2, 2, 0})
	if s.Outside != 5 || math.Abs(s.Deviation-0.2) > 1e-12 || s.Sigma != 0 {
		t.Errorf("%+v: 5 of 25 lie where none should", s)
	}
}

// TestSkewValues: 30, 10 and 20 where 20 each are right: ratios 1.5, 0.5 and 1.
func TestSkewValues(t *testing.T) {
	s := SkewOf([]float64{30, 10, 20}, []float64{7, 7, 7})
	want := Skew{Sigma: 1, Deviation: 0.5, StdDev: math.Sqrt(0.5 / 3), Given: 1, Least: 1, Most: 0}
	for _, v := range [][2]float64{{s.Sigma, want.Sigma}, {s.Deviation, want.Deviation}, {s.StdDev, want.StdDev}, {s.Given, want.Given}, {s.Outside, 0}} {
		if math.Abs(v[0]-v[1]) > 1e-12 {
			t.Errorf("%+v, want %+v", s, want)
			break
		}
	}
	if s.Least != 1 || s.Most != 0 {
		t.Errorf("%+v, want %+v", s, want)
	}
}

// TestSkewOfNearlyNothing: a target that is next to nothing is none. Its ratio was
// infinite, and sigma no number or 0.
func TestSkewOfNearlyNothing(t *testing.T) {
	for _, test := range []struct {
		counts, targets []float64
		outside, sigma  float64
	}{
		{[]float64{16000, 284, 100}, []float64{1, 1, 1e-320}, 100, 2 * 15716. / 16284},
		{[]float64{16384, 0, 0}, []float64{1e300, 1e300, 1e-30}, 0, 2},
		{[]float64{5e-324, 0}, []float64{1, 1}, 0, 2},
		{[]float64{1, 1}, []float64{5e-324, 5e-324}, 0, 0},
	} {
		s := SkewOf(test.counts, test.targets)
		if math.Abs(s.Sigma-test.sigma) > 1e-12 || s.Outside != test.outside || !(s.StdDev >= 0) || !(s.Deviation >= 0) || !(s.Given >= 0) {
			t.Errorf("%v for %v: %+v, want sigma %v and %v outside", test.counts, test.targets, s, test.sigma, test.outside)
		}
	}
}

func TestZones(t *testing.T) {
	zones := Zones([]Holding{{"a", "x", 3, 1}, {"b", "", 4, 1}, {"c", "x", 5, 2}})
	if want := []Holding{{"x", "x", 8, 3}, {"(no zone)", "", 4, 1}}; !slices.Equal(zones, want) {
		t.Errorf("zones %v, want %v", zones, want)
	}
	// A zone may have just the name that no zone is given.
	zones = Zones([]Holding{{"a", "", 1, 1}, {"b", "(no zone)", 1, 1}})
	if want := []Holding{{"((no zone))", "", 1, 1}, {"(no zone)", "(no zone)", 1, 1}}; !slices.Equal(zones, want) {
		t.Errorf("zones %v, want %v", zones, want)
	}
	if _, err := Nodes(zones); err != nil {
		t.Error(err)
	}
}

func TestRedisLines(t *testing.T) {
	a, b := strings.Repeat("a1", 20), strings.Repeat("b2", 20)
	hs := []Holding{{a, "x", 10000, 0.5}, {b, "y", 6384, 0.5}}
	p, err := Rebalance(hs, Threshold)
	if err != nil {
		t.Fatal(err)
	}
	line, err := RedisRebalance("127.0.0.1:7000", hs, p.Targets)
	if want := "redis-cli --cluster rebalance 127.0.0.1:7000 --cluster-weight " + a + "=8192 " + b + "=8192 --cluster-use-empty-masters --cluster-threshold 0.06"; err != nil || line != want {
		t.Errorf("%s, %v; want %s", line, err, want)
	}
	lines, err := RedisReshard("[::1]:7000", hs, p.Moves)
	if want := "redis-cli --cluster reshard [::1]:7000 --cluster-from " + a + " --cluster-to " + b + " --cluster-slots 1808 --cluster-yes"; err != nil || len(lines) != 1 || lines[0] != want {
		t.Errorf("%s, %v; want %s", lines, err, want)
	}
	for _, entry := range []string{"", "host; rm -rf /", "$(x)"} {
		if _, err := RedisRebalance(entry, hs, p.Targets); err == nil {
			t.Errorf("entry %q is taken", entry)
		}
	}
	if _, err := RedisRebalance("h:1", []Holding{{"short", "", 1, 1}}, []int{1}); err == nil {
		t.Error("a node name that is no id is taken")
	}
	if _, err := RedisReshard("h:1", hs, []Move{{a, "c", 1, false}}); err == nil {
		t.Error("a move to nobody is taken")
	}
	for _, targets := range [][]int{{1}, {8192, 8191}, {8192, 8193}, {16385, -1}, {-1, 16385}, {math.MaxInt, math.MaxInt}, nil} {
		if line, err := RedisRebalance("h:1", hs, targets); !errors.Is(err, ErrHolding) {
			t.Errorf("targets %v for two nodes: %q, %v", targets, line, err)
		}
	}
	three := []Holding{{Node: a}, {Node: b}, {Node: strings.Repeat("c3", 20)}}
	if line, err := RedisRebalance("h:1", three, []int{math.MaxInt, math.MaxInt, Count + 2}); !errors.Is(err, ErrHolding) {
		t.Errorf("targets that sum to %d by overflow: %q, %v", Count, line, err)
	}
}
