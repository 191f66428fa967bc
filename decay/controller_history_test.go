package decay

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// history plays random events and checks what must always hold.
type history struct {
	fatal func(string, ...any)
	p     *Pipeline
	c     *Controller
	nodes []Node
	now   time.Duration
}

// op does one event: which of them, and how, come from two numbers.
func (h *history) op(kind uint8, x float64) {
	n := Node{}
	if len(h.nodes) > 0 {
		n = h.nodes[int(7*math.Mod(math.Abs(x), 1e6))%len(h.nodes)]
	}
	switch kind % 16 {
	case 0:
		if n, err := h.p.Add(h.now, "n", math.Abs(x)); err == nil && len(h.nodes) < 40 {
			h.nodes = append(h.nodes, n)
		} else if err == nil {
			h.p.Remove(n)
		}
	case 1:
		h.p.Remove(n)
	case 2:
		h.p.Rejoin(h.now, n)
	case 3:
		h.p.SetCapacity(n, math.Abs(x))
	case 4:
		h.now += time.Duration(min(max(x, -1e5), 1e5) * float64(time.Second))
	case 5, 6:
		h.p.Put(n, Sample{h.now, x, x, 1e3 * x, 1e3 * x, x})
	default:
		h.now += time.Duration(kind) * 100 * time.Millisecond
		for i, n := range h.nodes {
			v := 50 + math.Mod(x*float64(i+1), 20)
			h.p.Put(n, Sample{h.now, v, v, 500 * v, 1e4 * v, v})
		}
	}
	h.update(x)
}

func (h *history) update(rate float64) {
	before := map[Node]float64{}
	for _, n := range h.nodes {
		before[n] = h.c.Weight(n)
	}
	r := h.c.Update(h.now, rate)
	changed := 0
	lo, hi := h.p.set.Min-1e-9, h.p.set.Max+1e-9
	for _, n := range h.nodes {
		w, live, capacity := h.c.Weight(n), h.c.LiveWeight(n), h.p.Capacity(n)
		if capacity == 0 {
			continue // gone
		}
		for _, v := range []float64{w / capacity, live / capacity, h.p.Weight(n) / capacity} {
			if !(v >= lo && v <= hi) {
				h.fatal("a weight is %v of capacity, want %v to %v", v, lo, hi)
			}
		}
		if w != before[n] {
			changed++
		}
		var e Explanation
		if !h.c.Explain(n, &e) || e.New != w || strings.Contains(e.String(), "NaN") {
			h.fatal("explained as %v", &e)
		}
		if e.Why == InBand && math.Abs(e.Smooth/e.Old-1) > h.c.set.Placement.Band+1e-9 {
			h.fatal("held within the band: %v", &e)
		}
	}
	if changed > r.Changed {
		h.fatal("%d weights changed, %d were told", changed, r.Changed)
	}
	if r.Moved > h.c.set.Live.Burst+1e-9 || !(r.Moved >= 0) {
		h.fatal("%v moved at once", r.Moved)
	}
}

func newHistory(fatal func(string, ...any), live bool) *history {
	p, err := NewPipeline(Settings{})
	if err != nil {
		fatal("%v", err)
	}
	c, err := NewController(p, ControlSettings{Live: LiveSettings{On: live}})
	if err != nil {
		fatal("%v", err)
	}
	return &history{fatal: fatal, p: p, c: c}
}

func TestAnyHistoryKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t.Fatalf, rapid.Bool().Draw(t, "live"))
		for range rapid.IntRange(1, 120).Draw(t, "events") {
			x := rapid.OneOf(rapid.Float64Range(0, 3), rapid.Float64()).Draw(t, "x")
			h.op(rapid.Uint8().Draw(t, "kind"), x)
		}
	})
}

func FuzzController(f *testing.F) {
	f.Add([]byte{0, 10, 0, 12, 0, 7, 9, 3, 9, 4, 9, 200, 5, 1, 9, 4, 2, 0, 4, 255, 9, 9}, true)
	f.Fuzz(func(t *testing.T, events []byte, live bool) {
		h := newHistory(t.Fatalf, live)
		for ; len(events) >= 2 && h.now < math.MaxInt64/4; events = events[2:] {
			h.op(events[0], (float64(events[1])-20)/16)
		}
	})
}
