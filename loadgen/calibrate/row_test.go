package calibrate

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/loadgen/tally"
)

func TestRows(t *testing.T) {
	for name, c := range map[string]struct {
		row       Row
		ok, below bool
	}{
		"same count":   {exact("x", 3, 3), true, false},
		"one too few":  {exact("x", 3, 2), false, false},
		"near":         {near("x", 1000, 1100, 100), true, false},
		"too long":     {near("x", 1000, 1101, 100), false, false},
		"too short":    {near("x", 1000, 899, 100), false, true},
		"never":        {near("x", 1000, tally.MissValue, 100), false, false},
		"same share":   {share("x", .99, .99), true, false},
		"other share":  {share("x", .99, .9899), false, false},
		"no share":     {share("x", .99, 0/zero), false, false},
		"same word":    {same("x", "a", "a"), true, false},
		"another word": {same("x", "a", "b"), false, false},
	} {
		if c.row.OK != c.ok || c.row.Below != c.below {
			t.Errorf("%s: %+v", name, c.row)
		}
	}
	if n := Failed([]Row{exact("x", 1, 1), exact("x", 1, 2)}); n != 1 {
		t.Error(n)
	}
	if n := TooLong([]Row{exact("x", 1, 2), near("x", 1000, 2000, 1), near("x", 1000, 1, 1), near("x", 1, 1, 1)}); n != 1 {
		t.Error(n)
	}
	var out bytes.Buffer
	if err := WriteTable(&out, []Row{exact("x", 1, 2)}); err != nil || !strings.Contains(out.String(), "+1 of 0") || !strings.Contains(out.String(), "FAILED") {
		t.Error(out.String(), err)
	}
}

var zero float64

// TestLateIsThePercentile: the formula against the messages themselves, one each
// 10 ms, of which those in the hold-up wait for its end.
func TestLateIsThePercentile(t *testing.T) {
	if got := late(.99, 2*time.Second, time.Minute); got != int64(1400*time.Millisecond) {
		t.Errorf("2 s of a minute: %v", time.Duration(got))
	}
	rapid.Check(t, func(t *rapid.T) {
		length := time.Duration(rapid.IntRange(1, 120).Draw(t, "s")) * time.Second
		held := time.Duration(rapid.Float64Range(.02, .5).Draw(t, "share") * float64(length))
		h := tally.NewHist()
		begin := length / 4
		for at := time.Duration(0); at < length; at += time.Second / perSecond {
			wait := int64(0)
			if at >= begin && at < begin+held {
				wait = int64(begin + held - at)
			}
			h.Record(wait)
		}
		got, want := h.Quantile(.99), late(.99, held, length)
		if off, most := got-want, gap+want/1000; off > most || off < -most { // a histogram has three digits
			t.Fatalf("%v held up in %v: p99 is %v, the formula says %v", held, length, time.Duration(got), time.Duration(want))
		}
	})
}
