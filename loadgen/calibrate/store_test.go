package calibrate

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/validity"
)

// store counts its measurements.
func store(t *testing.T, ceilings ...float64) (*Store, *int) {
	n := 0
	return &Store{Dir: filepath.Join(t.TempDir(), "a", "b"), Facts: []result.Fact{{Name: "cpu", Value: "x"}}, Say: io.Discard,
		Measure: func(context.Context, int) (*validity.Ceiling, error) {
			c := ceilings[min(n, len(ceilings)-1)]
			n++
			if c < 0 {
				return nil, errors.New("no")
			}
			return &validity.Ceiling{Deliveries: c, Sends: c, Dials: c}, nil
		}}, &n
}

func (s *Store) mustBe(t *testing.T, sc *scenario.Scenario, workers int, want float64) {
	t.Helper()
	if c, err := s.Of(t.Context(), sc, workers); err != nil || c.Deliveries != want {
		t.Fatalf("%+v, %v, want %v", c, err, want)
	}
}

// plan is a scenario of so many messages a second.
func plan(t *testing.T, rate string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("x.yaml", []byte("name: x\ntarget: {dialect: plain}\nclients: {count: 10}\nphases: [{name: a, ramp: {to: 10}}, {name: b, publish: {to: self, rate: "+rate+"}, for: 5s}]"), scenario.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCeilingIsMeasuredOnce, for each number of workers, machine and build.
func TestCeilingIsMeasuredOnce(t *testing.T) {
	s, n := store(t, 1000, 2000, 3000, 4000)
	s.mustBe(t, nil, 1, 1000)
	s.mustBe(t, nil, 1, 1000)
	s.mustBe(t, nil, 2, 2000)
	s.Facts = []result.Fact{{Name: "cpu", Value: "y"}}
	s.mustBe(t, nil, 1, 3000)
	s.Refresh = true
	s.mustBe(t, nil, 1, 4000)
	if *n != 4 {
		t.Errorf("measured %d times", *n)
	}
}

// TestBadFileIsMeasuredAgain, whatever is wrong with it.
func TestBadFileIsMeasuredAgain(t *testing.T) {
	s, n := store(t, 1000)
	s.mustBe(t, nil, 1, 1000)
	for i, text := range []string{"", "{", "null", "[]", `{"version":1,"workers":1}`, `{"version":9}`,
		`{"version":1,"workers":2,"ceiling":{"Deliveries":9,"Sends":9,"Dials":9},"measured":"2026-01-01T00:00:00Z"}`,
		`{"version":1,"workers":1,"ceiling":{"Deliveries":-9,"Sends":9,"Dials":9},"measured":"2026-01-01T00:00:00Z"}`} {
		if err := os.WriteFile(s.path(1), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.mustBe(t, nil, 1, 1000)
		if *n != i+2 {
			t.Errorf("%q was believed", text)
		}
	}
	s.mustBe(t, nil, 1, 1000)
	if *n != 9 {
		t.Errorf("measured %d times", *n)
	}
}

// TestTooLowIsMeasuredAgain: the machine may have been busy; the better one
// counts, and one that is new is believed.
func TestTooLowIsMeasuredAgain(t *testing.T) {
	s, n := store(t, 1000, 500, 5000)
	s.mustBe(t, nil, 1, 1000)
	s.mustBe(t, plan(t, "400/s"), 1, 1000) // enough: twice the plan
	s.mustBe(t, plan(t, "600/s"), 1, 1000) // too low, and new
	if *n != 1 {
		t.Fatalf("measured %d times", *n)
	}
	k, _ := s.read(1)
	age := func() {
		k.Measured = time.Now().Add(-time.Hour)
		if err := s.write(k); err != nil {
			t.Fatal(err)
		}
	}
	age()
	s.mustBe(t, plan(t, "600/s"), 1, 1000) // 500 is less
	age()
	s.mustBe(t, plan(t, "600/s"), 1, 5000)
	if k, _ := s.read(1); *n != 3 || k.Before == nil || k.Before.Deliveries != 1000 {
		t.Errorf("measured %d times, kept %+v", *n, k)
	}
}

// TestFolderThatCannotBe is no error: it is measured each time.
func TestFolderThatCannotBe(t *testing.T) {
	s, n := store(t, 1000)
	s.Dir = filepath.Join(os.DevNull, "x")
	s.mustBe(t, nil, 1, 1000)
	s.mustBe(t, nil, 1, 1000)
	s.Dir = ""
	s.mustBe(t, nil, 1, 1000)
	if *n != 3 {
		t.Errorf("measured %d times", *n)
	}
}

// TestFailureIsAnError, and nothing is kept.
func TestFailureIsAnError(t *testing.T) {
	s, n := store(t, -1, 1000)
	if _, err := s.Of(t.Context(), nil, 1); err == nil {
		t.Error("no error")
	}
	s.mustBe(t, nil, 1, 1000)
	if *n != 2 {
		t.Error(*n)
	}
}

// TestCeiling with real processes: there is one, and it is far above nothing.
func TestCeiling(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the measurement of the ceiling (5 s)")
	}
	tl := tools(t)
	c, err := tl.Ceiling(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f deliveries, %.0f sends, %.0f dials a second", c.Deliveries, c.Sends, c.Dials)
	if _, err := tl.Ceiling(t.Context(), 0); err == nil {
		t.Error("0 workers have a ceiling")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tl.Ceiling(ctx, 1); err == nil {
		t.Error("a measurement that was ended has a result")
	}
}

// TestCeilingOfResult: rates for each second of processor time.
func TestCeilingOfResult(t *testing.T) {
	res := &result.Result{Phases: []result.Phase{{Name: "dials"}, {Name: "echo"}, {Name: "fan-out"}}, Series: []result.Point{
		{At: 1e9, Phase: 0, ReadyRate: 500, WorkerCPU: .1},
		{At: 2e9, Phase: 1, SentRate: 1000, DeliveredRate: 1000, WorkerCPU: .25},
		{At: 4e9, Phase: 1, SentRate: 4000, DeliveredRate: 4000, WorkerCPU: .5}, // two seconds
		{At: 5e9, Phase: 2, SentRate: 10, DeliveredRate: 90_000, WorkerCPU: .3},
	}}
	c, err := ceilingOf(res, 2)
	if want := (validity.Ceiling{Dials: 10_000, Sends: 14_400, Deliveries: 600_000}); err != nil || *c != want {
		t.Errorf("%+v, %v", c, err)
	}
	res.Series[3].WorkerCPU = 0
	if c, err := ceilingOf(res, 2); err == nil {
		t.Errorf("without processor time: %+v", c)
	}
}
