package slots

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// day plays a day of checks, a minute apart, with weights that jitter by 3 %, and
// returns how many times the whole table was moved.
func day(t *testing.T, n int, step func(now time.Duration, hs []Holding) []Move) float64 {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	hs := make([]Holding, n)
	at := map[string]int{}
	for i := range hs {
		hs[i] = Holding{fmt.Sprintf("n%02d", i), fmt.Sprint("z", i%3), Count / n, 1}
		at[hs[i].Node] = i
	}
	hs[0].Slots += Count - Count/n*n
	moved := 0
	for minute := range 24 * 60 {
		for i := range hs {
			hs[i].Weight = 1 + 0.03*rng.NormFloat64()
		}
		for _, m := range step(time.Duration(minute)*time.Minute, hs) {
			hs[at[m.From]].Slots -= m.Slots
			hs[at[m.To]].Slots += m.Slots
			moved += m.Slots
		}
	}
	return float64(moved) / Count
}

// TestNoFlapping: a threshold of slots alone moves the table many times a day,
// a governor, even with thresholds as low as the noise allows, hardly ever.
func TestNoFlapping(t *testing.T) {
	for _, n := range []int{6, 12, 48} {
		naive := day(t, n, func(_ time.Duration, hs []Holding) []Move {
			p, err := Rebalance(hs, Threshold)
			if err != nil {
				t.Fatal(err)
			}
			return p.Moves
		})
		if naive < 10 {
			t.Errorf("%d nodes: without a governor the table moves %.2f times a day: the test tests nothing", n, naive)
		}
		for _, s := range []Settings{{}, {Act: 0.05, Rest: 0.02}} {
			g, err := NewGovernor(s)
			if err != nil {
				t.Fatal(err)
			}
			governed := day(t, n, func(now time.Duration, hs []Holding) []Move {
				d, err := g.Check(now, hs)
				if err != nil {
					t.Fatal(err)
				}
				return d.Moves
			})
			t.Logf("%d nodes, 3 %% jitter: the table moves %.2f times a day by threshold, %.2f with %+v", n, naive, governed, s)
			if most := 2 * s.Act; governed > most { // 0 with the defaults
				t.Errorf("%d nodes, %+v: the table moves %.2f times a day, want at most %v", n, s, governed, most)
			}
		}
	}
}

// TestGovernor: one zone loses a third of its weight; the slots follow in steps,
// then all is quiet.
func TestGovernor(t *testing.T) {
	g, err := NewGovernor(Settings{Alpha: 1})
	if err != nil {
		t.Fatal(err)
	}
	hs := []Holding{{"a", "x", 5462, 0.66}, {"b", "y", 5461, 1}, {"c", "z", 5461, 1}}
	at := map[string]int{"a": 0, "b": 1, "c": 2}
	var states []State
	steps := 0
	for minute := range 60 {
		d, err := g.Check(time.Duration(minute)*time.Minute, hs)
		if err != nil {
			t.Fatal(err)
		}
		if len(states) == 0 || states[len(states)-1] != d.State {
			states = append(states, d.State)
		}
		moved := 0
		for _, m := range d.Moves {
			hs[at[m.From]].Slots -= m.Slots
			hs[at[m.To]].Slots += m.Slots
			moved += m.Slots
		}
		if moved > Count/100 {
			t.Fatalf("%d slots at one check", moved)
		}
		if moved > 0 {
			steps++
		}
		if d.Why == "" || (d.Plan != nil) != (moved > 0) {
			t.Errorf("minute %d: %+v", minute, d)
		}
	}
	if got := fmt.Sprint(states); got != "[watching moving cooling resting]" {
		t.Errorf("states %v", got)
	}
	if s, _ := Nodes(hs); s.Sigma > 0.05 || steps < 5 {
		t.Errorf("sigma %.3f after %d steps", s.Sigma, steps)
	}
}

// TestGovernorEmpties: a node of weight 0 gives all its slots away.
func TestGovernorEmpties(t *testing.T) {
	g, _ := NewGovernor(Settings{})
	hs := []Holding{{"a", "x", 1000, 1}, {"b", "x", 900, 1}, {"c", "x", 100, 0}}
	at := map[string]int{"a": 0, "b": 1, "c": 2}
	for minute := range 60 {
		d, err := g.Check(time.Duration(minute)*time.Minute, hs)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range d.Moves {
			hs[at[m.From]].Slots -= m.Slots
			hs[at[m.To]].Slots += m.Slots
		}
	}
	if hs[2].Slots != 0 {
		t.Errorf("%v: c should be empty", hs)
	}
}

// TestGovernorClock: a clock that is set back does not keep it cooling for ever.
func TestGovernorClock(t *testing.T) {
	g, _ := NewGovernor(Settings{Alpha: 1, Checks: 1, Step: 1})
	balanced := []Holding{{"a", "", 500, 1}, {"b", "", 500, 1}}
	skewed := []Holding{{"a", "", 900, 1}, {"b", "", 100, 1}}
	check := func(now time.Duration, hs []Holding) State {
		d, err := g.Check(now, hs)
		if err != nil {
			t.Fatal(err)
		}
		return d.State
	}
	check(1000*time.Hour, skewed)
	if s := check(1000*time.Hour, balanced); s != Cooling {
		t.Fatalf("%v, want cooling", s)
	}
	if s := check(time.Hour, skewed); s != Cooling {
		t.Errorf("%v after the clock was set back, want cooling for another while", s)
	}
	if s := check(time.Hour+6*time.Minute, skewed); s != Moving {
		t.Errorf("%v, want moving", s)
	}
	if _, err := g.Check(0, []Holding{{"", "", 1, 1}}); !errors.Is(err, ErrHolding) {
		t.Errorf("a bad list: %v", err)
	}
}

func TestSettingsRefused(t *testing.T) {
	for _, s := range []Settings{{Alpha: 2}, {Alpha: -1}, {Act: -1}, {Act: 0.1, Rest: 0.1}, {Step: 2}, {Checks: -1}, {Cool: -1}, {Threshold: -1}, {Act: math.NaN()}, {Act: math.Inf(1), Rest: 1}, {Alpha: math.NaN()}} {
		if _, err := NewGovernor(s); !errors.Is(err, ErrSettings) {
			t.Errorf("%+v: error %v", s, err)
		}
	}
}
