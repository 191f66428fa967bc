package scenario

import (
	"math"
	"testing"
	"time"
)

func TestScalars(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "1000": 1000, "1_000_000": 1e6, "100k": 1e5, "1.5k": 1500, "2M": 2e6} {
		if got, err := parseCount(text); err != nil || got != want {
			t.Errorf("count %q: %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]float64{"0/s": 0, "100/s": 100, "20_000/s": 20000, "5k/s": 5000, "30/m": .5, "0.25/s": .25} {
		got, err := parseRate(text)
		if err != nil || got != want {
			t.Errorf("rate %q: %v, %v", text, got, err)
		}
		if again, err := parseRate(formatRate(got)); err != nil || again != got {
			t.Errorf("rate %q is written %q", text, formatRate(got))
		}
	}
	for text, want := range map[string]time.Duration{"0": 0, "500ms": 500e6, "1m30s": 90e9, "7d": MaxDuration, "0.5d": 12 * time.Hour, "1_000ms": 1e9, "10us": 10e3} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("time %q: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]int{"0": 0, "128": 128, "128B": 128, "4KiB": 4096, "1.5KiB": 1536, "1MiB": 1 << 20, "4kB": 4000, "2MB": 2e6} {
		got, err := parseSize(text)
		if err != nil || got != want {
			t.Errorf("size %q: %d, %v", text, got, err)
		}
		if again, err := parseSize(formatSize(got)); err != nil || again != got {
			t.Errorf("size %q is written %q", text, formatSize(got))
		}
	}
	for text, want := range map[string]float64{"98%": .98, "99.9%": .999, "99.999%": .99999, "0.98": .98, "1": 1, "100%": 1, "0%": 0, "1.7%": .017} {
		if got, err := parseShare(text); err != nil || got != want {
			t.Errorf("share %q: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]Until{"connected": {UntilConnected, 1}, "all_connected": {UntilConnected, 1}, "restored(99.9%)": {UntilRestored, .999}, "drained(0.5)": {UntilDrained, .5}} {
		if got, err := parseUntil(text); err != nil || got != want {
			t.Errorf("until %q: %v, %v", text, got, err)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"publish", "pulish", 1}, {"publish", "pubilsh", 2}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != got {
			t.Errorf("%q and %q: %d", c.a, c.b, got)
		}
	}
}

// FuzzScalars: whatever is taken is within the bounds.
func FuzzScalars(f *testing.F) {
	for _, text := range []string{"1_000", "1e9", "NaN", "99999999999999999999k", "-1", "1.5KiB", "7d", "9223372036854775807ns", "99.9%", "restored(1)", "0.1/m", "0s 1s 2s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		bad := func(what string, v any) { t.Errorf("%s %q is taken for %v", what, text, v) }
		if n, err := parseCount(text); err == nil && (n < 0 || n > 1e15) {
			bad("count", n)
		}
		if n, err := parseSize(text); err == nil && (n < 0 || n > 1<<40) {
			bad("size", n)
		}
		for what, parse := range map[string]func(string) (float64, error){"rate": parseRate, "share": parseShare, "number": parseNumber, "byte rate": parseByteRate} {
			if x, err := parse(text); err == nil && !(x >= 0 && x <= 1<<40) || math.IsNaN(x) {
				bad(what, x)
			}
		}
		if d, err := parseDuration(text); err == nil && (d < 0 || d > MaxDuration) {
			bad("time", d)
		}
		if u, err := parseUntil(text); err == nil && !(u.Share > 0 && u.Share <= 1) {
			bad("until", u)
		}
		times, err := parseReplay([]byte(text))
		for i := range times {
			if err == nil && i > 0 && times[i] < times[i-1] {
				bad("replay", times)
			}
		}
	})
}

// TestReplayOfASpreadsheet: a mark of the byte order is no time.
func TestReplayOfASpreadsheet(t *testing.T) {
	times, err := parseReplay([]byte("\ufeff0\r\n1.5,x\r\n"))
	if err != nil || len(times) != 2 || times[1] != 1500*time.Millisecond {
		t.Errorf("%v, %v", times, err)
	}
}
