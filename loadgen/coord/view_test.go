package coord

import (
	"sync"
	"testing"

	"roost/loadgen/live"
	"roost/loadgen/result"
)

// viewFunc is a view that only looks.
type viewFunc func(*live.Frame)

func (v viewFunc) Show(f *live.Frame)        { v(f) }
func (v viewFunc) Done(*result.Result) error { return nil }

// TestViewSeesTheRun.
func TestViewSeesTheRun(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var frames []live.Frame
	o := options(phases(t, 10, rampPhase, "{name: hold, publish: {to: all, rate: 100/s}, for: 2500ms}"), 1, "", nil)
	o.View = viewFunc(func(f *live.Frame) {
		mu.Lock()
		defer mu.Unlock()
		frames = append(frames, *f)
	})
	res := mustRun(t, o)
	if len(frames) < 2 {
		t.Fatalf("%d frames in 3 s", len(frames))
	}
	f := frames[len(frames)-1]
	if f.State != "over" || f.Point != res.Series[len(res.Series)-1] || f.Counts != res.Phases[1].Tally.Total() {
		t.Errorf("the last frame is not the run's end: %s\n%+v %+v\n%+v %+v", f.State, f.Point, f.Counts, res.Series[len(res.Series)-1], res.Phases[1].Tally.Total())
	}
	if f.Phase != "hold" || f.Index != 1 || f.Phases != 2 || f.Connected != 10 || f.Clients != 10 || f.Workers != 1 || len(f.Validity) == 0 {
		t.Errorf("%+v", f)
	}
}

// TestViewSeesShortPhases: each is shown at least once, whole.
func TestViewSeesShortPhases(t *testing.T) {
	t.Parallel()
	over := map[string]uint64{}
	o := options(phases(t, 10, rampPhase, holdPhase, holdAgain, drainPhase), 1, "", nil)
	o.View = viewFunc(func(f *live.Frame) {
		if f.State == "over" {
			over[f.Phase] = f.Counts.Delivered
		}
	})
	for _, p := range mustRun(t, o).Phases {
		if n, shown := over[p.Name]; !shown || n != p.Tally.Total().Delivered {
			t.Errorf("phase %s: shown at its end %v, with %d of %d deliveries", p.Name, shown, n, p.Tally.Total().Delivered)
		}
	}
}

// TestHooks: they run at the storm's begin, and what they say is kept.
