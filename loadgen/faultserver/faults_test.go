package faultserver

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Faults{
		"":                      {},
		"delay=5ms":             {Delay: 5 * time.Millisecond},
		"slow=100@100ms":        {Slow: 100, SlowBy: 100 * time.Millisecond},
		"drop=97,duplicate=3":   {Drop: 97, Duplicate: 3},
		"freeze=2s@10s":         {FreezeLength: 2 * time.Second, FreezeAt: 10 * time.Second},
		"close=4000@1s":         {CloseCode: 4000, CloseAfter: time.Second},
		"unanswered,refuse=100": {Unanswered: true, Refuse: 100},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"dela=5ms":     "want some of delay=TIME",
		"delay=5":      "5ms",
		"drop=0":       "1 to",
		"drop":         "want drop=N",
		"close=4000":   "CODE@TIME",
		"close=99@1s":  "close code",
		"unanswered=1": "no value",
		"delay=5ms,":   "want some of",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

// TestStringIsParsed: what is printed is read as the same.
func TestStringIsParsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1e9)
		d := rapid.Map(rapid.Int64Range(0, int64(longest)), func(ns int64) time.Duration { return time.Duration(ns) })
		b := Faults{Drop: n.Draw(t, "drop"), Duplicate: n.Draw(t, "duplicate"), Corrupt: n.Draw(t, "corrupt"), Swap: n.Draw(t, "swap"),
			Delay: d.Draw(t, "delay"), Refuse: n.Draw(t, "refuse"), Accept: d.Draw(t, "accept"), Unanswered: rapid.Bool().Draw(t, "unanswered"),
			ResetAfter: d.Draw(t, "reset"), StopReading: n.Draw(t, "stop reading"), StopSending: n.Draw(t, "stop sending")}
		if got, err := Parse(b.String()); err != nil || got != b {
			t.Fatalf("%q: %+v, %v", b, got, err)
		}
	})
}

// FuzzParse: nothing that is given panics, and what is taken can be printed.
func FuzzParse(f *testing.F) {
	f.Add("delay=5ms,slow=100@100ms,freeze=2s@10s")
	f.Add("close=4000@1s,unanswered")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(b.String()); err != nil || again != b {
			t.Errorf("%q is printed as %q: %+v, %v", text, b, again, err)
		}
	})
}

// TestFatesAreExact: of n deliveries n/N have the fault.
func TestFatesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		N, total := rapid.IntRange(1, 500).Draw(t, "N"), rapid.IntRange(0, 5000).Draw(t, "total")
		for _, c := range []struct {
			b    Faults
			want fate
		}{{Faults{Drop: N}, dropped}, {Faults{Duplicate: N}, duplicated}, {Faults{Corrupt: N}, corrupted}, {Faults{Swap: N}, swapped}, {Faults{Slow: N}, slowed}} {
			got := 0
			for n := range total {
				if c.b.fate(uint64(n)) == c.want {
					got++
				}
			}
			if got != total/N {
				t.Fatalf("%v: %d of %d", c.b, got, total)
			}
		}
	})
}
