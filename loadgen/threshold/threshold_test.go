package threshold

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Expr{
		"delivery.p99 < 50ms":                        {Metric: "delivery.p99", Op: Less, Value: 50e6, Unit: "ms"},
		"hold.delivery.p99.9 < 5ms":                  {Metric: "hold.delivery.p999", Op: Less, Value: 5e6, Unit: "ms"},
		"lost == 0":                                  {Metric: "lost", Op: Equal},
		"  hold.healthy.delivery.p99<=1.5s  ":        {Metric: "hold.healthy.delivery.p99", Op: LessEqual, Value: 1.5e9, Unit: "s"},
		"hold.delivered_ratio >= 99.999%":            {Metric: "hold.delivered_ratio", Op: GreaterEqual, Value: 99.999 / 100, Unit: "%"},
		"server.user_b_per_conn < 300":               {Metric: "server.user_b_per_conn", Op: Less, Value: 300},
		"storm.t99 < 20s abort":                      {Metric: "storm.t99", Op: Less, Value: 20e9, Unit: "s", Abort: true},
		"dial_rate > 20_000 abort after 1m30s":       {Metric: "dial_rate", Op: Greater, Value: 20000, Abort: true, After: 90 * time.Second},
		"loadgen.rss < 20 MiB":                       {Metric: "loadgen.rss", Op: Less, Value: 20 << 20, Unit: "MiB"},
		"half-open.silence.p50 < 2 m abort after 2s": {Metric: "half-open.silence.p50", Op: Less, Value: 120e9, Unit: "m", Abort: true, After: 2 * time.Second},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%q is written as %q and read as %+v, %v", text, got, again, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		text   string
		column int
	}{
		{"", 1},
		{"< 5", 1},
		{"delivery..p99 < 5", 10},
		{"delivery.9 < 5", 10},
		{"a.b.c.d.e.f.g.h.i < 1", 1},
		{"lost", 5},
		{"lost = 0", 6},
		{"lost != 0", 6},
		{"lost <> 0", 6},
		{"lost == ", 9},
		{"lost == x", 9},
		{"lost == -1", 9},
		{"lost == 1..2", 9},
		{"lost == _", 9},
		{"lost == NaN", 9},
		{"p99 < 50 sec", 10},
		{"p99 < 50ms stop", 12},
		{"p99 < 50ms abort before 3s", 18},
		{"p99 < 50ms abort after", 23},
		{"p99 < 50ms abort after -3s", 24},
		{"p99 < 50ms abort after 3s please", 27},
		{"ratio é 3", 7},
	} {
		_, err := Parse(c.text)
		var e *Error
		if !errors.As(err, &e) || len([]rune(c.text[:e.Offset]))+1 != c.column {
			t.Errorf("%q: %v, want an error at column %d", c.text, err, c.column)
		}
	}
}

func TestHolds(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		op                  Op
		below, equal, above bool
	}{
		{Less, true, false, false}, {LessEqual, true, true, false}, {Equal, false, true, false},
		{GreaterEqual, false, true, true}, {Greater, false, false, true}, {"?", false, false, false},
	} {
		e := Expr{Op: c.op, Value: 5}
		if e.Holds(4) != c.below || e.Holds(5) != c.equal || e.Holds(6) != c.above || e.Holds(inf) != c.above || e.Holds(math.NaN()) {
			t.Errorf("%s: %v %v %v", c.op, e.Holds(4), e.Holds(5), e.Holds(6))
		}
	}
}

// TestWrittenAndRead: what is written is read as the same, to the last bit.
func TestWrittenAndRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]string{"", "ns", "us", "ms", "s", "m", "B", "kB", "MB", "KiB", "MiB", "%"}).Draw(t, "unit")
		x := rapid.Float64Range(1e-12, 1e12).Draw(t, "x")
		v, err := scaled(strconv.FormatFloat(x, 'f', 20, 64)[:20], units[unit])
		if err != nil {
			t.Fatal(err)
		}
		e := Expr{Metric: "a.b", Op: Less, Value: v, Unit: unit, Abort: rapid.Bool().Draw(t, "abort")}
		if e.Abort {
			e.After = time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "after"))
		}
		got, err := Parse(e.String())
		if err != nil || got != e {
			t.Fatalf("%+v is written as %q and read as %+v, %v", e, e, got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"delivery.p99 < 50ms", "a == 1_0% abort after 1s", "a<", "é", "a < 1e400"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			_ = err.Error()
			return
		}
		if again, err := Parse(e.String()); err != nil || again != e {
			t.Errorf("%q: %+v is written as %q and read as %+v, %v", text, e, e, again, err)
		}
	})
}
