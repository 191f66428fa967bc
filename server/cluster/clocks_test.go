package cluster

import (
	"testing"
	"time"
)

// TestClockOf: who is no node goes by the nodes' clocks, where its own is off by more than they can be told by.
func TestClockOf(t *testing.T) {
	now := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	v := &View{Weights: map[string]Weight{}}
	if got := ClockOf(v, now); !got.Equal(now) {
		t.Errorf("without nodes: %v", got)
	}
	for id, ago := range map[string]time.Duration{"a": 2 * time.Second, "b": 9 * time.Second, "c": 40 * time.Minute} {
		v.Weights[id] = Weight{At: now.Add(-ago)}
	}
	for _, tt := range []struct{ off, want time.Duration }{{0, 0}, {-5 * time.Second, -5 * time.Second}, {6 * time.Second, 6 * time.Second}, {time.Hour, 6 * time.Second}, {-time.Hour, -9 * time.Second}} {
		if got := ClockOf(v, now.Add(tt.off)).Sub(now); got != tt.want {
			t.Errorf("a clock that is %v off: %v, want %v", tt.off, got, tt.want)
		}
	}
}

// TestTrialByAnotherClock: a trial lasts as long as it is seen, whatever the clock of who began it
// says. Until 2026-11 an operator's clock four minutes behind made a trial of five one of one.
func TestTrialByAnotherClock(t *testing.T) {
	now := planBegin
	var s sighting
	if got := s.age(7, now); got != 0 {
		t.Errorf("at the first look it is %v old", got)
	}
	if got := s.age(7, now.Add(4*time.Minute)); got != 4*time.Minute {
		t.Errorf("after four minutes it is %v old", got)
	}
	if got := s.age(7, now.Add(-time.Minute)); got != 0 {
		t.Errorf("the clock was set back: %v", got)
	}
	if got := s.age(8, now.Add(5*time.Minute)); got != 0 {
		t.Errorf("another trial is %v old", got)
	}
}

// TestRestByAnotherClock: after a rollback nothing is tried for ten minutes, whatever the clock of who
// took it back says. Until 2026-11 a clock that was ahead by a second had the planner try again at once.
func TestRestByAnotherClock(t *testing.T) {
	const rest = 10 * time.Minute
	for _, off := range []time.Duration{0, time.Second, 5 * time.Minute, time.Hour, -time.Second, -5 * time.Minute, -time.Hour} {
		var r resting
		r, _ = r.left(&Pointer{}, planBegin, rest)
		seen := planBegin.Add(time.Minute)
		p := &Pointer{Back: seen.Add(off)}
		for _, after := range []time.Duration{0, time.Minute, rest - time.Second, rest, time.Hour} {
			var left time.Duration
			if r, left = r.left(p, seen.Add(after), rest); left != max(rest-after, 0) {
				t.Errorf("the clock is off by %v: %v after the rollback %v are left", off, after, left)
			}
		}
		// Another one, while that is over.
		again := seen.Add(2 * time.Hour)
		if _, left := r.left(&Pointer{Back: again.Add(off)}, again, rest); left != rest {
			t.Errorf("the clock is off by %v: after a second rollback %v are left", off, left)
		}
	}
	// One that was there at the first look, of a planner that takes over, is as old as it says.
	for off, want := range map[time.Duration]time.Duration{4 * time.Minute: 6 * time.Minute, rest: 0, time.Hour: 0, 1000 * time.Hour: 0, -time.Second: rest, -5 * time.Minute: rest, -time.Hour: 0} {
		var r resting
		if _, left := r.left(&Pointer{Back: planBegin.Add(-off)}, planBegin, rest); left != want {
			t.Errorf("a rollback %v before the first look: %v are left, want %v", off, left, want)
		}
	}
}

// TestDecideRestsByAnotherClock is the same in what is decided.
func TestDecideRestsByAnotherClock(t *testing.T) {
	before, after := planView(50, "a b c"), planView(51, "a b c d")
	stable := built(t, 1, "a", "b", "c")
	_, mem := Decide(PlanInput{View: before, Stable: stable, Now: planBegin}, PlanMemory{}, PlanSettings{})
	after.Pointer.Back = planBegin.Add(3 * time.Second) // by a clock that is ahead
	now := planBegin.Add(time.Second)
	var d Decision
	for now.Sub(planBegin) < 10*time.Minute {
		if d, mem = Decide(PlanInput{View: after, Stable: stable, Now: now}, mem, PlanSettings{}); d.Kind != Nothing {
			t.Fatalf("%v after a rollback: %v, %s", now.Sub(planBegin), d.Kind, d.Why)
		}
		now = now.Add(500 * time.Millisecond)
	}
}
