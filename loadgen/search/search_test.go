package search

import (
	"errors"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server holds up to a limit, always.
func server(limit int64) func(Step) (Outcome, string, error) {
	return func(s Step) (Outcome, string, error) {
		if s.Value > limit {
			return Breaks, "p99 is too long", nil
		}
		return Holds, "", nil
	}
}

// TestFindsTheLimit, to the precision, with few runs, and never says more than
// what held.
func TestFindsTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{From: rapid.Int64Range(1, 1000).Draw(t, "from"), Precision: rapid.Float64Range(.001, .3).Draw(t, "precision"), Confirm: rapid.IntRange(1, 4).Draw(t, "confirm")}
		o.To = o.From + rapid.Int64Range(0, 1_000_000).Draw(t, "more")
		limit := rapid.Int64Range(0, 2_000_000).Draw(t, "limit")
		f, err := Run(o, server(limit))
		if err != nil {
			t.Fatal(err)
		}
		reach := min(limit, o.To)
		switch {
		case limit < o.From:
			if f.Best != 0 {
				t.Fatalf("found %d, and nothing holds", f.Best)
			}
		case f.Best > reach || float64(f.Best) < float64(reach)*(1-o.Precision)-1:
			t.Fatalf("found %d of %d, precision %g", f.Best, reach, o.Precision)
		}
		held := 0
		for _, s := range f.Steps {
			if s.Value == f.Best && s.Outcome == Holds {
				held++
			}
		}
		if f.Best != 0 && held != o.Confirm {
			t.Fatalf("the winner held %d times, want %d", held, o.Confirm)
		}
		if len(f.Steps) > 50 {
			t.Fatalf("%d runs", len(f.Steps))
		}
	})
}

// TestShakyWinnerIsNoWinner: one that breaks when it is confirmed is given up
// for one below.
func TestShakyWinnerIsNoWinner(t *testing.T) {
	f, err := Run(Options{From: 100, To: 10_000}, func(s Step) (Outcome, string, error) {
		if s.Value > 1000 || s.Value > 500 && s.Confirm > 1 {
			return Breaks, "", nil
		}
		return Holds, "", nil
	})
	if err != nil || f.Best > 500 || f.Best < 450 {
		t.Errorf("found %+v, %v", f, err)
	}
	// Nothing holds more than once.
	tried := map[int64]int{}
	f, err = Run(Options{From: 100, To: 1000}, func(s Step) (Outcome, string, error) {
		if tried[s.Value]++; tried[s.Value] > 1 {
			return Breaks, "", nil
		}
		return Holds, "", nil
	})
	if err != nil || f.Best != 0 {
		t.Errorf("found %+v, %v", f, err)
	}
}

// TestInvalidIsTriedAgain: one disturbed run in between changes nothing.
func TestInvalidIsTriedAgain(t *testing.T) {
	tried := map[int64]int{}
	f, err := Run(Options{From: 100, To: 10_000}, func(s Step) (Outcome, string, error) {
		if tried[s.Value]++; tried[s.Value] <= 3 {
			if s.Again != tried[s.Value]-1 {
				t.Errorf("%+v is number %d", s, tried[s.Value])
			}
			return Invalid, "send lag", nil
		}
		return server(700)(s)
	})
	if err != nil || f.Limited != 0 || f.Best < 665 || f.Best > 700 || f.Held != f.Best || f.Again != 3*len(tried) {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestGeneratorIsTheLimit: it is no failure of the server, and what has held is
// confirmed.
func TestGeneratorIsTheLimit(t *testing.T) {
	for _, c := range []struct {
		out     Outcome
		retries int
		again   int
	}{{Invalid, 0, 3}, {Invalid, 1, 1}, {Invalid, -1, 0}, {Beyond, 0, 0}} {
		f, err := Run(Options{From: 100, To: 10_000, Retries: c.retries}, func(s Step) (Outcome, string, error) {
			if s.Value > 700 {
				return c.out, "send lag", nil
			}
			return Holds, "", nil
		})
		if err != nil || f.Limited != 800 || f.Best != 400 || f.Held != 400 || f.Broke != 0 || f.Again != c.again {
			t.Errorf("%+v: %+v, %v", c, f, err)
		}
	}
}

// TestUnconfirmedIsSaidApart: one that held, and could not be confirmed.
func TestUnconfirmedIsSaidApart(t *testing.T) {
	f, err := Run(Options{From: 100, To: 10_000}, func(s Step) (Outcome, string, error) {
		if s.Confirm > 0 {
			return Invalid, "send lag", nil
		}
		return server(700)(s)
	})
	if err != nil || f.Best != 0 || f.Held < 665 || f.Held > 700 || f.Limited != f.Held {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestErrorsEndTheSearch, with what was found so far.
func TestErrorsEndTheSearch(t *testing.T) {
	fail := errors.New("no server")
	f, err := Run(Options{From: 1, To: 10}, func(s Step) (Outcome, string, error) {
		if s.Value == 4 {
			return 0, "", fail
		}
		return Holds, "", nil
	})
	if !errors.Is(err, fail) || len(f.Steps) != 2 || f.Best != 0 || f.Held != 2 {
		t.Errorf("%+v, %v", f, err)
	}
	for _, o := range []Options{{From: 0, To: 1}, {From: 2, To: 1}} {
		if _, err := Run(o, server(1)); !errors.Is(err, ErrRange) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
