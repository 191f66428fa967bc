package decay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// oracle watches a controller from outside: after each Update it compares what is
// published with what was, and knows of times, steps, bands and budgets what the
// settings say.
type oracle struct {
	t    *testing.T
	seed uint64
	p    *Pipeline
	c    *Controller
	ps   Settings
	set  ControlSettings

	nodes   map[Node]bool
	before  map[Node]published
	started bool
	now     time.Duration
	// Times of the last decision and publication about placements; once there was one.
	decided, at  time.Duration
	any          bool // there was a decision
	lived        time.Duration
	tokens       float64
	members, was int // of all time: to tell updates at which none came or went
}

// never is before every time of a test.
const never = time.Duration(math.MinInt64)

type published struct {
	weight, live, capacity float64
	state                  NodeState
}

func (o *oracle) fatalf(format string, args ...any) {
	o.t.Helper()
	o.t.Fatalf("seed %d: %s\n%+v\n%+v", o.seed, fmt.Sprintf(format, args...), o.ps, o.set)
}

// update makes one and checks it.
func (o *oracle) update(now time.Duration, rate float64) {
	r := o.c.Update(now, rate)
	if !o.started || now < o.now {
		o.lived = now
	}
	if o.started && now < o.now {
		o.decided, o.at, o.any = now, now, true
	}
	after := map[Node]published{}
	for n := range o.nodes {
		after[n] = published{o.c.Weight(n), o.c.LiveWeight(n), o.p.Capacity(n), o.c.NodeState(n)}
	}
	even := o.was == o.members && o.started // nobody came, went or was resized
	placed, changed, live := false, 0, 0
	for n, a := range after {
		o.bounds(a)
		b, known := o.before[n]
		if !known || a.capacity != b.capacity {
			even = false
			continue
		}
		if a.weight != b.weight {
			changed++
		}
		if a.live != b.live {
			live++
		}
		if r.State == Storm {
			if a.weight != a.capacity || a.live != b.live {
				o.fatalf("in a storm: %+v became %+v", b, a)
			}
			continue
		}
		if s := o.set.Live.Step; s > 0 && math.Abs(a.live/b.live-1) > s+1e-9 {
			o.fatalf("a live weight from %v to %v", b.live, a.live)
		}
		if a.weight != b.weight {
			placed = true
			o.placement(n, b, a)
		}
	}
	o.times(now, placed, r.State == Storm, r.State == Storm && changed > 0)
	o.budget(now, r.Moved, even, after)
	if even && (changed != r.Changed || live != r.LiveChanged) {
		o.fatalf("%d and %d weights changed, told are %+v", changed, live, r)
	}
	o.before, o.now, o.started, o.was = after, now, true, o.members
}

func (o *oracle) bounds(a published) {
	for _, w := range []float64{a.weight, a.live} {
		if !(w/a.capacity >= o.ps.Min*(1-1e-12) && w/a.capacity <= o.ps.Max*(1+1e-12)) {
			o.fatalf("a weight of %v, the capacity is %v", w, a.capacity)
		}
	}
}

// placement checks one weight that has changed outside of a storm.
func (o *oracle) placement(n Node, b, a published) {
	set := &o.set.Placement
	if set.Step > 0 && math.Abs(a.weight/b.weight-1) > set.Step+1e-9 {
		o.fatalf("a weight from %v to %v", b.weight, a.weight)
	}
	var e Explanation
	o.c.Explain(n, &e)
	if a.state != Following || b.state == Held && math.Abs(e.Smooth/b.weight-1) <= set.Band-1e-9 {
		o.fatalf("published, though %v within the band: %v", a.state, &e)
	}
}

// times checks that decisions and publications keep their distance.
func (o *oracle) times(now time.Duration, placed, storm, stormed bool) {
	if placed {
		if o.any && now-o.decided < o.set.Placement.Update {
			o.fatalf("decided %v after the last time", now-o.decided)
		}
		if o.at != never && now-o.at < o.set.Placement.CoolDown {
			o.fatalf("published %v after the last time", now-o.at)
		}
	}
	if placed || stormed {
		o.at = now
	}
	if placed || storm {
		o.decided, o.any = now, true
	}
}

// budget checks what was moved: told as it is, and no more than there was.
func (o *oracle) budget(now time.Duration, told float64, even bool, after map[Node]published) {
	l := &o.set.Live
	o.tokens = min(o.tokens+l.Budget*elapsed(o.lived, now)/60, l.Burst)
	o.lived = now
	if told > o.tokens*(1+1e-9)+1e-12 {
		o.fatalf("%v moved, %v was allowed", told, o.tokens)
	}
	o.tokens -= told
	sumB, sumA, moved := 0.0, 0.0, 0.0
	for n, a := range after {
		sumA += a.live
		sumB += o.before[n].live
	}
	for n, a := range after {
		moved += max(a.live/sumA-o.before[n].live/sumB, 0)
	}
	if even && math.Abs(moved-told) > 1e-9 {
		o.fatalf("%v moved, told is %v", moved, told)
	}
}

// recompute checks an explanation by hand, after a step.
func (o *oracle) recompute(n Node) {
	var e Explanation
	if !o.p.Explain(n, &e) || e.Target != o.p.Weight(n) || e.Status != o.p.Status(n) {
		o.fatalf("explained as %v, the weight is %v", &e, o.p.Weight(n))
	}
	if e.Status != Measured {
		return
	}
	z, own, atMean, weights := 0.0, 0.0, 0.0, 0.0
	for s, g := range e.Signals {
		if !g.Used {
			continue
		}
		level := g.Smoothed
		if o.ps.CutOwn {
			level = g.Cut
		}
		want := min(max((level-g.Mean)/g.Sigma, -o.ps.ZClip), o.ps.ZClip)
		if o.ps.Form == ZScore && math.Abs(g.Z-want) > 1e-5*(1+math.Abs(want)) && g.Sigma > 1e-7*math.Abs(g.Mean) {
			o.fatalf("%v: z %v, by hand %v", Signal(s), g.Z, want)
		}
		z, own, atMean = z+g.Weight*g.Z, own+g.Weight*g.Score, atMean+g.Weight*g.AtMean
		weights += g.Weight
	}
	relative := math.Exp(-o.ps.Beta * z)
	if o.ps.Form != ZScore {
		relative = own / atMean
		if own < 1e-290 && atMean < 1e-290 {
			return // what is left of such numbers depends on the order of multiplication
		}
		relative = min(relative, math.MaxFloat64)
	}
	share := min(max(relative, o.ps.Min), o.ps.Max, e.JoinCap)
	if math.Abs(weights-1) > 1e-9 || math.Abs(e.Relative/relative-1) > 1e-5 || math.Abs(e.Share/share-1) > 1e-5 {
		o.fatalf("weights %v, relative %v by hand %v, share %v by hand %v", weights, e.Relative, relative, e.Share, share)
	}
}

// extremes draws settings from the ends of what is allowed.
func extremes(r *rand.Rand) (Settings, ControlSettings) {
	pick := func(v ...float64) float64 { return v[r.IntN(len(v))] }
	lasts := func(v ...float64) time.Duration { return time.Duration(pick(v...)) }
	for {
		s := Settings{
			Form: Form(r.IntN(3)), Tau: lasts(0, Off, 1e9, 1e6, 8.64e13), CutLow: pick(0, Off, 1e-9, 0.45), CutHigh: pick(0, Off, 1e-9, 0.45),
			CutOwn: r.IntN(2) == 0, Window: int(pick(0, 1, 5, 1024)), SigmaFloor: pick(0, Off, 1e-300, 10), ScaleFloor: pick(0, Off, 1e-300, 10),
			ZClip: pick(0, 0.1, 30), Beta: pick(0, 0.001, 10), Min: pick(0, 0.001, 1), Max: pick(0, 1, 1000), Unknown: Unknown(r.IntN(2)),
			Expire: lasts(0, 1e9, 8.64e13), Blackout: lasts(0, Off, 1, 3.6e12), JoinCap: pick(0, Off, 0.01, 1000, 1), JoinTime: lasts(0, Off, 1, 8.64e13),
		}
		for i := range s.Signals {
			s.Signals[i] = SignalSettings{pick(0, 0, 1, 1e6, 1e-6), pick(0, 0, 1e-6, 1e15)}
		}
		c := ControlSettings{
			Placement: PlacementSettings{Update: lasts(0, 1e7, 1e9, 6e10), Alpha: pick(0, 0.001, 1), Step: pick(0, Off, 0.001, 1),
				Band: pick(0, Off, 1e-9, 1), Inner: pick(0, 0, Off, 1e-9), CoolDown: lasts(0, Off, 1, 1e10)},
			Live: LiveSettings{On: true, Update: lasts(0, 1e9, 1e10), Gain: pick(0, 0.001, 1), Band: pick(0, Off, 1, 1e-9),
				Step: pick(0, Off, 1, 0.001), Budget: pick(0, 1e-6, 1), Burst: pick(0, 1e-6, 1)},
			Storm: StormSettings{Multiple: pick(0, 1, 1e6), Floor: pick(0, 1e-9, 1e9), Quiet: lasts(0, 1, 1e12), Longest: lasts(0, 1e9),
				Tau: lasts(0, 1e9), Off: r.IntN(3) == 0},
		}
		if s.Validate() == nil && c.Validate() == nil {
			return s, c
		}
	}
}

// TestControllerKeepsItsWord plays random clusters under random and under default
// settings, with a clock that jumps.
func TestControllerKeepsItsWord(t *testing.T) {
	seeds := uint64(1500)
	if testing.Short() {
		seeds = 300
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 77))
		ps, cs := extremes(r)
		if r.IntN(2) == 0 {
			ps, cs = Settings{}, ControlSettings{Live: LiveSettings{On: true}}
		}
		p, err := NewPipeline(ps)
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewController(p, cs)
		if err != nil {
			t.Fatal(err)
		}
		o := &oracle{t: t, seed: seed, p: p, c: c, ps: ps.WithDefaults(), set: cs.WithDefaults(), nodes: map[Node]bool{}, at: never}
		o.play(r)
	}
}

// play makes sixty random events and an update after each.
func (o *oracle) play(r *rand.Rand) {
	var list []Node
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 5e-324, 1e-300, 1e15, math.MaxFloat64, math.Copysign(0, -1)}
	value := func(usual float64) float64 {
		if r.IntN(12) == 0 {
			return odd[r.IntN(len(odd))]
		}
		return usual * (0.5 + r.Float64())
	}
	now, still := time.Duration(0), r.IntN(6) == 0
	for range 60 {
		switch k := r.IntN(20); {
		case still:
		case k == 0:
			now -= time.Duration(r.Int64N(int64(time.Hour)))
		case k == 1:
			now += time.Duration(r.Int64N(int64(100 * time.Hour)))
		case k < 10:
			now += time.Duration(r.Int64N(int64(2 * time.Second)))
		default:
			now += time.Duration(r.Int64N(int64(20 * time.Second)))
		}
		if len(list) < 3 || r.IntN(8) == 0 && len(list) < 45 {
			joined := now - time.Duration(r.Int64N(int64(time.Hour)))
			if n, err := o.p.Add(joined, "n", []float64{1e-6, 0.7, 1, 1.3, 1e6}[r.IntN(5)]); err == nil {
				o.nodes[n] = true
				list = append(list, n)
				o.members++
			}
		}
		switch k := r.IntN(len(list)); r.IntN(12) {
		case 0:
			o.p.Remove(list[k])
			delete(o.nodes, list[k])
			list = append(list[:k], list[k+1:]...)
			o.members++
		case 1:
			o.p.SetCapacity(list[k], []float64{1e-6, 1, 2, 1e6}[r.IntN(4)])
			o.members++
		case 2:
			o.p.Rejoin(now, list[k])
		}
		for _, n := range list {
			if r.IntN(10) > 0 {
				o.p.Put(n, Sample{now - time.Duration(r.IntN(5))*time.Second, value(50), value(5), value(20_000), value(1e5), value(1)})
			}
		}
		rate := 100.0
		switch r.IntN(15) {
		case 0:
			rate = 1e4
		case 1:
			rate = odd[r.IntN(len(odd))]
		}
		steps := o.p.steps
		o.update(now, rate)
		if o.p.steps != steps {
			for n := range o.nodes {
				o.recompute(n)
			}
		}
	}
}
