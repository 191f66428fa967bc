package merge

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/loadgen/tally"
)

// course is a fan-out as it was: when each subscriber of each worker had it; 0
// is never.
type course [][]int64

// draw makes a fan-out to some subscribers on some workers.
func draw(t *rapid.T) course {
	workers := rapid.IntRange(1, 5).Draw(t, "workers")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	loss := rapid.SampledFrom([]float64{0, 0, .01, .5, 1}).Draw(t, "loss")
	c := make(course, workers)
	for w := range c {
		for range rapid.IntRange(0, 40).Draw(t, "subscribers") {
			at := 1000 + rng.Int64N(50_000_000)
			if rng.Float64() < loss {
				at = 0
			}
			c[w] = append(c[w], at)
		}
	}
	return c
}

// part is what worker w saw of it.
func (c course) part(w int) tally.Round {
	r := tally.Round{Stream: 1, Seq: 2, Due: 500, Want: uint32(len(c[w]))}
	got := slices.DeleteFunc(slices.Clone(c[w]), func(at int64) bool { return at == 0 })
	slices.Sort(got)
	for _, at := range got {
		r.Deliver(at)
	}
	return r
}

// TestRoundsAgainstTheWhole: first, last and spread are those of all
// subscribers; the median is one of the true course, not before the true median
// and before at most an eighth and one subscriber of each worker after it.
func TestRoundsAgainstTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		var hists tally.Hists
		r := NewRounds(len(c), &hists)
		var times []int64
		want := 0
		for w := range c {
			r.Add(c.part(w))
			want += len(c[w])
			times = append(times, slices.DeleteFunc(slices.Clone(c[w]), func(at int64) bool { return at == 0 })...)
		}
		r.Close(func(uint16, uint32) bool { return false })
		if want == 0 {
			if hists[tally.FanFirst] != nil {
				t.Fatal("a round without subscribers was recorded")
			}
			return
		}
		slices.Sort(times)
		expect := func(id tally.HistID, from int64, low, high int64) {
			h := hists[id]
			if h.Count() != 1 {
				t.Fatalf("%v: count %d", id, h.Count())
			}
			got := h.Quantile(1)
			if low == 0 {
				if got != tally.MissValue {
					t.Fatalf("%v: %d, want a miss", id, got)
				}
				return
			}
			low, high = low-from, high-from
			if got < low-low/500-2000 || got > high+high/500+2000 {
				t.Fatalf("%v: %d, want %d to %d", id, got, low, high)
			}
		}
		if len(times) == 0 {
			expect(tally.FanFirst, 500, 0, 0)
			return
		}
		expect(tally.FanFirst, 500, times[0], times[0])
		half := (want+1)/2 - 1
		if most := half + want/8 + 2*len(c); len(times) > most {
			if len(c) == 1 {
				most = half
			}
			expect(tally.FanMedian, 500, times[half], times[most])
		} else if len(times) <= half {
			expect(tally.FanMedian, 500, 0, 0)
		}
		if len(times) == want {
			expect(tally.FanLast, 500, times[want-1], times[want-1])
			expect(tally.FanSpread, times[0], times[want-1], times[want-1])
		} else {
			expect(tally.FanLast, 500, 0, 0)
			expect(tally.FanSpread, 500, 0, 0)
		}
	})
}

// TestRefusedRoundsAreNone, but one that nobody got is a miss.
func TestRefusedRoundsAreNone(t *testing.T) {
	var hists tally.Hists
	r := NewRounds(2, &hists)
	for seq := range uint32(3) {
		for range 2 {
			r.Add(tally.Round{Seq: seq, Due: 1, Want: 5})
		}
	}
	if len(r.waiting) != 3 {
		t.Errorf("%d wait, want 3: they may have been refused", len(r.waiting))
	}
	r.Close(func(_ uint16, seq uint32) bool { return seq == 1 })
	if h := hists[tally.FanLast]; h.Count() != 2 || h.Misses != 2 {
		t.Errorf("%d recorded, %d misses, want 2 and 2", h.Count(), h.Misses)
	}
}

// TestRoundsAreBounded: what never comes together is recorded as it is.
func TestRoundsAreBounded(t *testing.T) {
	var hists tally.Hists
	r := NewRounds(2, &hists)
	const n = MaxRounds + 1000
	for seq := range uint32(n) {
		p := tally.Round{Seq: seq, Due: 1, Want: 1}
		p.Deliver(2000)
		r.Add(p)
	}
	if len(r.waiting) != MaxRounds || len(r.oldest) > 2*MaxRounds {
		t.Errorf("%d wait, %d in line", len(r.waiting), len(r.oldest))
	}
	r.Close(func(uint16, uint32) bool { return false })
	if hists[tally.FanFirst].Count() != n {
		t.Errorf("%d recorded, want %d", hists[tally.FanFirst].Count(), n)
	}
}

// TestStorm: times are of those that were cut, not of those that came back.
func TestStorm(t *testing.T) {
	at := tally.NewHist()
	for i := range 100 {
		at.Record(int64(i+1) * 10_000_000)
	}
	counts := tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Restored: 170, Redials: 400, Resumed: 90, StormRedials: 150, StormResumed: 25, Gap: 7}}}}
	counts.Hists[tally.RestoreAt] = at
	near := func(got, want time.Duration) bool { return (got - want).Abs() < want/500+time.Microsecond }
	all := Storm(100, &counts, 40)
	if !near(all.T50, 500*time.Millisecond) || !near(all.T90, 900*time.Millisecond) || !near(all.T99, 990*time.Millisecond) || !near(all.T100, time.Second) {
		t.Errorf("all came back: %+v", all)
	}
	if all.Restored != 100 || all.DialsPerRestored != 1.5 || all.ResumedShare != .25 || all.Gap != 7 || all.PeakDials != 40 {
		t.Errorf("%+v", all)
	}
	half := Storm(200, &counts, 0)
	if !near(half.T50, time.Second) || half.T90 != -1 || half.T100 != -1 {
		t.Errorf("half came back: %+v", half)
	}
	if none := Storm(10, &tally.Tally{}, 0); none.T50 != -1 || none.DialsPerRestored != 0 {
		t.Errorf("none came back: %+v", none)
	}
	if more := Storm(99, &counts, 0); more.Cut != 100 || more.Restored != 100 {
		t.Errorf("more came back than were cut: %+v", more)
	}
	if empty := Storm(0, &tally.Tally{}, 0); empty.T100 != -1 {
		t.Errorf("nobody was cut: %+v", empty)
	}
}

// TestPointLeavesOutWhoDoesNotRead: their deliveries are no latency.
func TestPointLeavesOutWhoDoesNotRead(t *testing.T) {
	group := func(ns int64) tally.Group {
		h := tally.NewHist()
		h.Record(ns)
		return tally.Group{Counts: tally.Counts{Delivered: 10, Dials: 4}, Hists: tally.GroupHists{tally.Delivery: h}}
	}
	counts := &tally.Tally{Groups: []tally.Group{group(1_000_000), group(50_000_000_000), group(3_000_000), {}}}
	counts.Errors.Count(tally.ErrorKey{Stage: "dial"}, 6)
	p := Point(counts, 2*time.Second, func(g int) bool { return g != 1 })
	if p.DeliveredRate != 15 || p.DialRate != 6 || p.ErrorRate != 3 {
		t.Errorf("rates %+v", p)
	}
	if p.Max < 3_000_000 || p.Max > 3_010_000 {
		t.Errorf("max %d", p.Max)
	}
	if first := counts.Groups[0].Hists[tally.Delivery]; first.Count() != 1 {
		t.Error("the worker's histogram was changed")
	}
	if d := Delivery(counts, func(g int) bool { return g == 3 }); d.Count() != 0 {
		t.Error("a group without deliveries has some")
	}
}
