package slots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// play is a governor with nodes, a minute a check.
type play struct {
	t   *testing.T
	g   *Governor
	now time.Duration
	hs  []Holding
}

func newPlay(t *testing.T, s Settings, hs ...Holding) *play {
	t.Helper()
	g, err := NewGovernor(s)
	if err != nil {
		t.Fatal(err)
	}
	return &play{t: t, g: g, hs: hs}
}

// check makes a check and the moves, and returns the decision and what moved.
func (p *play) check() (Decision, int) {
	p.t.Helper()
	p.now += time.Minute
	d, err := p.g.Check(p.now, p.hs)
	if err != nil {
		p.t.Fatal(err)
	}
	if d.Why == "" || (d.Plan != nil) != (len(d.Moves) > 0) || len(d.Moves) > 0 && d.State != Moving {
		p.t.Errorf("minute %v: %+v", p.now, d)
	}
	moved := 0
	for _, m := range d.Moves {
		for i := range p.hs {
			switch p.hs[i].Node {
			case m.From:
				p.hs[i].Slots -= m.Slots
			case m.To:
				p.hs[i].Slots += m.Slots
			}
		}
		moved += m.Slots
	}
	return d, moved
}

// want makes a check for each state that it names.
func (p *play) want(states string) {
	p.t.Helper()
	var got []string
	want := strings.Fields(states)
	for range want {
		d, _ := p.check()
		got = append(got, d.State.String())
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("states %v, want %v", got, want)
	}
}

// skewed and level are the two halves of what the states are about: a's 700 of
// 1,000 slots are 0.8 of sigma, and 500 are 0.
func (p *play) skewed() { p.hs[0].Slots, p.hs[1].Slots = 700, 300 }
func (p *play) level()  { p.hs[0].Slots, p.hs[1].Slots = 500, 500 }

func pair() []Holding { return []Holding{{"a", "", 500, 1}, {"b", "", 500, 1}} }

// TestChecksInARow: a check below Act begins the count anew.
func TestChecksInARow(t *testing.T) {
	p := newPlay(t, Settings{Alpha: 1}, pair()...)
	p.want("resting")
	p.skewed()
	p.want("watching watching")
	p.level()
	p.want("resting")
	p.skewed()
	p.want("watching watching moving")
}

// TestRest: between Rest and Act nothing begins, and what has begun goes on; below
// Rest it ends, though nodes are more than the threshold off.
func TestRest(t *testing.T) {
	p := newPlay(t, Settings{Alpha: 1, Checks: 1}, pair()...)
	p.hs[0].Slots, p.hs[1].Slots = 540, 460 // 0.16
	p.want("resting")
	p.skewed()
	p.want("moving")
	p.hs[0].Slots, p.hs[1].Slots = 520, 480 // 0.08
	if d, moved := p.check(); d.State != Moving || moved != 10 {
		t.Errorf("%+v at sigma 0.08", d)
	}
	p.hs[0].Slots, p.hs[1].Slots = 512, 488 // 0.048
	if d, moved := p.check(); d.State != Cooling || moved != 0 || math.Abs(d.Sigma-0.048) > 1e-9 {
		t.Errorf("%+v at sigma 0.048", d)
	}
}

// TestCooling: it lasts Cool, and nothing is counted in it: Moving is Checks away
// from its end.
func TestCooling(t *testing.T) {
	p := newPlay(t, Settings{Alpha: 1, Checks: 2, Cool: 3 * time.Minute}, pair()...)
	p.skewed()
	p.want("watching moving")
	p.level()
	p.want("cooling")
	p.skewed()
	p.want("cooling cooling watching moving")
	p.level()
	p.want("cooling cooling cooling resting")
}

// TestCoolingClocks: no clock, however far off, keeps it cooling for ever or
// overflows.
func TestCoolingClocks(t *testing.T) {
	p := newPlay(t, Settings{Alpha: 1, Checks: 1}, pair()...)
	p.now = math.MaxInt64 - 3*time.Minute
	p.skewed()
	p.want("moving")
	p.level()
	p.want("cooling cooling")
	p.now = math.MinInt64
	p.want("cooling cooling cooling cooling cooling resting")
	p.skewed()
	p.want("moving")
	p.level()
	p.want("cooling")
	p.now = math.MaxInt64 - time.Minute
	p.want("resting")
}

// TestSmallStep: one slot moves where Step is less.
func TestSmallStep(t *testing.T) {
	p := newPlay(t, Settings{Alpha: 1, Checks: 1}, Holding{"a", "", 40, 1}, Holding{"b", "", 20, 1})
	if d, moved := p.check(); moved != 1 {
		t.Errorf("%d of 60 slots at a check: %+v", moved, d)
	}
}

// TestSmoothing: known nodes are smoothed, new ones are taken as they are, and
// those that were away are new. The skew against the smoothed weights says what
// they are.
func TestSmoothing(t *testing.T) {
	p := newPlay(t, Settings{Checks: 1000}, pair()...)
	ratio := func(want float64) { // of b's slots to its target
		t.Helper()
		d, _ := p.check()
		b := 500 / (float64(p.hs[0].Slots+p.hs[1].Slots) * p.g.wishes["b"].share / (p.g.wishes["a"].share + p.g.wishes["b"].share))
		if math.Abs(b-want) > 1e-9 || math.Abs(d.Skew.Deviation-math.Abs(want-1)) > 0.5 {
			t.Errorf("b has %v of its target, want %v: %+v", b, want, d.Skew)
		}
	}
	ratio(1)
	p.hs[1].Weight = 3
	ratio(0.5 / (0.5 + 0.1*0.25)) // a tenth of the way from 0.5 to 0.75
	p.hs[1].Node = "c"
	p.check() // c is new: at 3/4 at once, and a as well
	if c := p.g.wishes["c"].share; c != 0.75 {
		t.Errorf("a new node's share is %v, want 0.75", c)
	}
	if _, there := p.g.wishes["b"]; there || len(p.g.wishes) != 2 {
		t.Errorf("b is gone, and still remembered: %v", p.g.wishes)
	}
	p.hs[1].Node, p.hs[1].Weight = "b", 1
	p.check()
	if b := p.g.wishes["b"].share; b != 0.5 {
		t.Errorf("b is back with a share of %v, want 0.5 at once", b)
	}
}

// TestOneZero: a single check at weight 0 moves nothing, resting or moving, and
// leaves no trace in what is smoothed.
func TestOneZero(t *testing.T) {
	three := []Holding{{"a", "x", 5462, 1}, {"b", "y", 5461, 1}, {"c", "z", 5461, 1}}
	for _, s := range []Settings{{}, {Act: 0.05, Rest: 0.02}} {
		p := newPlay(t, s, slices.Clone(three)...)
		p.want("resting resting")
		for _, zeros := range []int{1, 2} {
			p.hs[2].Weight = 0
			for range zeros {
				if d, moved := p.check(); d.State != Watching || moved != 0 || d.Skew.Outside != 5461 || !(d.Sigma < 1e-3) {
					t.Fatalf("after %d checks at 0: %+v", zeros, d)
				}
			}
			p.hs[2].Weight = 1
			for minute := range 60 {
				if d, moved := p.check(); d.State != Resting || moved != 0 || d.Skew.Sigma > 1e-3 {
					t.Fatalf("%d minutes after %d checks at 0: %+v", minute, zeros, d)
				}
			}
		}
	}
	// The same while it moves: it waits.
	p := newPlay(t, Settings{Checks: 2}, Holding{"a", "", 600, 1}, Holding{"b", "", 400, 1}, Holding{"c", "", 500, 1})
	p.want("watching moving")
	slots := p.hs[2].Slots
	p.hs[2].Weight = 0
	if d, moved := p.check(); d.State != Moving || moved != 0 || !strings.Contains(d.Why, `"c"`) {
		t.Errorf("c has weight 0 for the first time: %+v", d)
	}
	p.hs[2].Weight = 1
	if _, moved := p.check(); moved == 0 || p.hs[2].Slots != slots {
		t.Errorf("c's weight is back, %d slots move, it has %d of %d", moved, p.hs[2].Slots, slots)
	}
}

// TestZeroWithoutSlots: a node that has nothing to lose holds nothing up.
func TestZeroWithoutSlots(t *testing.T) {
	p := newPlay(t, Settings{Checks: 2}, Holding{"a", "", 600, 1}, Holding{"b", "", 400, 1}, Holding{"c", "", 0, 1e-3})
	p.want("watching moving")
	p.hs[2].Weight = 0
	if d, moved := p.check(); moved != 10 {
		t.Errorf("%d slots move: %+v", moved, d)
	}
}

// TestDrain: a weight that stays 0 is believed at the Checks-th check, all at
// once, and every slot goes, however few there are.
func TestDrain(t *testing.T) {
	for i, n := range []int{3, 5, 168, 1000, 1000} {
		p := newPlay(t, Settings{}, Holding{"a", "x", 8192 - n/2, 1}, Holding{"b", "y", 8192 - n + n/2, 1}, Holding{"c", "z", n, 0})
		p.hs[2].Weight = float64(n) / (Count - float64(n)) * 2
		p.want("resting")
		p.hs[2].Weight = []float64{4: 1e-320}[i] // as good as 0
		p.want("watching watching")
		if p.hs[2].Slots != n {
			t.Fatalf("%d of %d slots are left before it is sure", p.hs[2].Slots, n)
		}
		for steps := range (n+162)/163 + 1 {
			left := p.hs[2].Slots
			if d, moved := p.check(); left > 0 && (d.State != Moving || moved != min(163, left)) || left == 0 && d.State != Cooling {
				t.Fatalf("%d slots, step %d: %d were left, %d moved: %+v", n, steps, left, moved, d)
			}
		}
		if p.hs[2].Slots != 0 {
			t.Errorf("%d of %d slots are left", p.hs[2].Slots, n)
		}
	}
	// To a node that never had a share nothing is remembered: 0 is meant at once.
	p := newPlay(t, Settings{Checks: 1}, Holding{"a", "", 500, 1}, Holding{"b", "", 100, 0})
	p.want("moving")
	// What had none for long has its share at once when it comes back.
	p = newPlay(t, Settings{}, Holding{"a", "", 500, 1}, Holding{"b", "", 0, 0})
	p.want("resting resting")
	p.hs[1].Weight = 1
	if d, _ := p.check(); math.Abs(p.g.wishes["b"].share-0.5) > 1e-12 || d.State != Watching {
		t.Errorf("b's share is %v: %+v", p.g.wishes["b"].share, d)
	}
}

// TestTinyNodes: a node of one slot, whose ratio is coarse, does not make the
// governor follow the jitter of the others.
func TestTinyNodes(t *testing.T) {
	for _, tiny := range []Holding{{"tiny", "z", 2, 1e-4}, {"tiny", "z", 0, 3e-5}, {"tiny", "z", 0, 2e-3}, {"tiny", "z", 100, 1e-320}} {
		rng := rand.New(rand.NewPCG(1, 2))
		hs := []Holding{tiny}
		for i := range 12 {
			hs = append(hs, Holding{fmt.Sprintf("n%02d", i), "z", Count / 12, 1})
		}
		p := newPlay(t, Settings{}, hs...)
		sum := 0
		for range 24 * 60 {
			for i := range 12 {
				p.hs[i+1].Weight = 1 + 0.03*rng.NormFloat64()
			}
			_, moved := p.check()
			sum += moved
		}
		if sum > 200 {
			t.Errorf("%+v: %d slots move in a day", tiny, sum)
		}
	}
}

// TestFarSigma: whoever is not far off counts as right.
func TestFarSigma(t *testing.T) {
	p := newPlay(t, Settings{Alpha: 1, Checks: 1}, Holding{"a", "", 103, 1}, Holding{"b", "", 97, 1}, Holding{"c", "", 5, 0.01})
	d, _ := p.check()
	if d.State != Resting || d.Sigma != 0 || d.Skew.Sigma < 1 {
		t.Errorf("nobody is far off: %+v", d)
	}
	p.hs[0].Slots = 119
	d, _ = p.check() // 110.5 is right for a and b, 1 for c
	if share := 1 / 2.01 * 221; math.Abs(d.Sigma-(119-97)/share/((119+97)/share+1)*3) > 1e-9 {
		t.Errorf("%+v", d)
	}
}

func TestStateNames(t *testing.T) {
	if got := fmt.Sprint(Resting, Watching, Moving, Cooling, State(4), State(-1)); got != "resting watching moving cooling State(4) State(-1)" {
		t.Error(got)
	}
}
