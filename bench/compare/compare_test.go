package compare

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"roost/loadgen/result"
)

var update = flag.Bool("update", false, "write the golden files anew")

// same are two sides of n equal runs.
func same(m made, n int) (a, b Side) {
	a, b = Side{Label: "A"}, Side{Label: "B"}
	for i := range n {
		a.Runs = append(a.Runs, m.run("a", i))
		b.Runs = append(b.Runs, m.run("b", i))
	}
	return a, b
}

// plain is a run with nothing odd about it.
var plain = made{cpu: 2000, latency: 4, kernel: "6.18"}

// verdicts has one case for each word, and the odd ones.
var verdicts = []struct {
	name  string
	sides func() (a, b Side)
	o     Options
	want  Verdict
	says  string
}{
	{"regressed", func() (a, b Side) { return sides(10, 1.05, 0.005, 1) }, Options{}, Regressed, "server.cpu_per_msg +"},
	{"improved", func() (a, b Side) { return sides(10, 0.95, 0.005, 1) }, Options{}, Improved, "server.cpu_per_msg -"},
	{"within noise", func() (a, b Side) { return sides(10, 1, 0.005, 1) }, Options{}, WithinNoise, ""},
	{"real but small", func() (a, b Side) { return sides(10, 1.01, 0.0005, 1) }, Options{}, WithinNoise, ""},
	{"noisy", func() (a, b Side) { return sides(10, 1, 0.06, 1) }, Options{}, Inconclusive, "more pairs would tell"},
	{"a smaller effect asked for", func() (a, b Side) { return sides(10, 1.01, 0.0005, 1) }, Options{MinEffect: 0.005}, Regressed, ""},
	{"too few pairs", func() (a, b Side) { return sides(5, 1.2, 0.005, 1) }, Options{}, Inconclusive, "too few"},
	{"one pair", func() (a, b Side) { return sides(1, 2, 0, 1) }, Options{}, Inconclusive, "one pair proves nothing"},
	{"identical runs", func() (a, b Side) { return same(plain, 10) }, Options{}, WithinNoise, ""},
	{"identical run", func() (a, b Side) { return same(plain, 1) }, Options{}, Inconclusive, ""},
	{"primary chosen", func() (a, b Side) { return sides(10, 1.05, 0.005, 1) }, Options{Primary: "hold.delivery.p50"}, Regressed, "the primary metric, hold.delivery.p50, is within noise"},
	{"no probe: delivery.p99", func() (a, b Side) { m := plain; m.cpu = 0; return same(m, 8) }, Options{}, WithinNoise, "delivery.p99"},
	{"invalid", func() (a, b Side) {
		a, b = sides(10, 1.05, 0.005, 1)
		a.Runs[3] = made{cpu: 2000, latency: 4, kernel: "6.18", verdict: result.Invalid}.run("bad", 9)
		return a, b
	}, Options{}, Invalid, "1 of 20 runs"},
	{"another kernel", func() (a, b Side) {
		a, b = sides(10, 1.05, 0.005, 1)
		b.Runs[3] = made{cpu: 2000, latency: 4, kernel: "6.19"}.run("b4", 9)
		return a, b
	}, Options{}, NotComparable, "differ"},
	{"another kernel, ignored", func() (a, b Side) {
		a, b = sides(10, 1.05, 0.005, 1)
		b.Runs[3] = made{cpu: 2100, latency: 4, kernel: "6.19"}.run("b4", 9)
		return a, b
	}, Options{Ignore: []string{"kernel"}}, Regressed, ""},
	{"another kernel on one side", func() (a, b Side) {
		a, b = sides(10, 1.05, 0.005, 1)
		for i := range b.Runs {
			b.Runs[i] = made{cpu: 2200, latency: 4, kernel: "6.19"}.run("b", i)
		}
		return a, b
	}, Options{Between: []string{"ker*"}}, Regressed, ""},
	{"another kernel within a side", func() (a, b Side) {
		a, b = sides(10, 1.05, 0.005, 1)
		b.Runs[3] = made{cpu: 2100, latency: 4, kernel: "6.19"}.run("b4", 9)
		return a, b
	}, Options{Between: []string{"kernel"}}, NotComparable, ""},
	{"unpaired", func() (a, b Side) {
		a, b = sides(10, 1.5, 0.005, 1)
		b.Runs = b.Runs[:8]
		return a, b
	}, Options{}, Regressed, "Mann-Whitney, unpaired"},
	{"never", func() (a, b Side) {
		a, b = same(plain, 10)
		for i := range b.Runs {
			b.Runs[i] = made{cpu: 2000, latency: 4, kernel: "6.18", misses: 5000}.run("b", i)
		}
		return a, b
	}, Options{Primary: "delivery.p99"}, Regressed, "never against"},
	{"never, both", func() (a, b Side) {
		m := plain
		m.misses = 5000
		return same(m, 10)
	}, Options{Primary: "delivery.p99"}, WithinNoise, "never against never"},
	{"lost where nothing was", func() (a, b Side) {
		a, b = same(plain, 10)
		for i := range b.Runs {
			b.Runs[i] = made{cpu: 2000, latency: 4, kernel: "6.18", lost: uint64(1 + i)}.run("b", i)
		}
		return a, b
	}, Options{}, Regressed, "lost +inf"},
	{"missing on one side", func() (a, b Side) {
		a, b = same(plain, 10)
		for i := range b.Runs {
			b.Runs[i] = made{latency: 4, kernel: "6.18"}.run("b", i)
		}
		return a, b
	}, Options{Primary: "server.cpu_per_msg"}, Inconclusive, "no run with a value on both sides"},
	{"missing in one run", func() (a, b Side) {
		a, b = same(plain, 10)
		b.Runs[2] = made{latency: 4, kernel: "6.18"}.run("b", 2)
		return a, b
	}, Options{Primary: "server.cpu_per_msg"}, Inconclusive, "1 of 10 have no value"},
}

func TestVerdicts(t *testing.T) {
	for _, c := range verdicts {
		t.Run(c.name, func(t *testing.T) {
			a, b := c.sides()
			got, err := Compare(a, b, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != c.want || !strings.Contains(got.Reason, c.says) {
				t.Errorf("%s: %s\nwant %s: ...%s", got.Verdict, got.Reason, c.want, c.says)
			}
			var out bytes.Buffer
			for _, err := range []error{got.Text(&out, true), got.Markdown(&out), got.JSON(&out), got.HTML(&out)} {
				if err != nil {
					t.Error(err)
				}
			}
			if strings.Contains(out.String(), "NaN") {
				t.Error("NaN is shown")
			}
		})
	}
}

func TestCompareErrors(t *testing.T) {
	a, b := sides(6, 1, 0.01, 1)
	for name, c := range map[string]struct {
		a, b Side
		o    Options
		says string
	}{
		"no runs":           {Side{}, b, Options{}, "at least one run"},
		"no such metric":    {a, b, Options{Primary: "delivery.p98"}, "delivery has no p98"},
		"without direction": {a, b, Options{Primary: "dials"}, "neither more nor less"},
	} {
		if _, err := Compare(c.a, c.b, c.o); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOrderIsNotTested: at load it is the generator's own.
func TestOrderIsNotTested(t *testing.T) {
	if slices.Contains(TestedMetrics(), "reordered") {
		t.Error("reordered is tested")
	}
}

// TestSecondaryIsBounded: what so few pairs cannot tell is not tested.
func TestSecondaryIsBounded(t *testing.T) {
	for _, n := range []int{1, 5, 6, 7, 10} {
		a, b := sides(n, 1, 0.01, 1)
		c, err := Compare(a, b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		most := int(0.05 * math.Exp2(float64(n-1)))
		got := 0
		for i := range c.Tested[1:] {
			if !c.Tested[1+i].constant() {
				got++
			}
		}
		if got > most {
			t.Errorf("%d pairs: %d secondary metrics are tested, at most %d can be told", n, got, most)
		}
	}
}

// TestJudgeIsTotal: every evidence has a verdict, and a regression is never
// called without p and size.
func TestJudgeIsTotal(t *testing.T) {
	ratio := rapid.SampledFrom([]float64{0, 0.5, 0.97, 0.99, 1, 1.01, 1.03, 2, math.Inf(1)})
	rapid.Check(t, func(t *rapid.T) {
		lo, mid, hi := ratio.Draw(t, "lo"), ratio.Draw(t, "mid"), ratio.Draw(t, "hi")
		e := evidence{pairs: rapid.IntRange(0, 20).Draw(t, "pairs"), missing: rapid.IntRange(0, 1).Draw(t, "missing"), lo: min(lo, mid), ratio: mid, hi: max(mid, hi),
			coverage: rapid.SampledFrom([]float64{0, 0.9, 0.97}).Draw(t, "coverage"), p: rapid.Float64Range(0, 1).Draw(t, "p"),
			confidence: 0.95, alpha: 0.05, effect: 0.02, better: rapid.SampledFrom([]string{"lower", "higher"}).Draw(t, "better")}
		v, why := e.judge()
		switch v {
		case Improved, Regressed:
			if e.p >= e.alpha || math.Abs(e.ratio-1) < e.effect || e.missing > 0 {
				t.Fatalf("%s of %+v", v, e)
			}
		case Inconclusive:
			if why == "" {
				t.Fatalf("inconclusive without a reason: %+v", e)
			}
		case WithinNoise:
		default:
			t.Fatalf("%q of %+v", v, e)
		}
	})
}

func TestNumberRoundTrip(t *testing.T) {
	b, err := json.Marshal([]Number{1.5, Number(math.Inf(1)), 0})
	if err != nil || string(b) != `[1.5,"+Inf",0]` {
		t.Fatalf("%s %v", b, err)
	}
	var back []Number
	if err := json.Unmarshal(b, &back); err != nil || back[0] != 1.5 || !math.IsInf(float64(back[1]), 1) {
		t.Errorf("%v %v", back, err)
	}
}

// TestGolden: the text and Markdown forms, to be read.
func TestGolden(t *testing.T) {
	a, b := sides(10, 1.04, 0.008, 3)
	b.Runs[0].Result.Environment.Host[0].Value = "23 GiB"
	regressed, err := Compare(a, b, Options{Notes: []string{"2 invalid runs were repeated"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Runs[3] = made{cpu: 2000, latency: 4, kernel: "6.19", verdict: result.Invalid}.run("b4", 9)
	apart, err := Compare(a, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	invalid, err := Compare(a, b, Options{Ignore: []string{"kernel"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"regressed.txt":     func(w *bytes.Buffer) error { return regressed.Text(w, true) },
		"regressed.md":      func(w *bytes.Buffer) error { return regressed.Markdown(w) },
		"notcomparable.txt": func(w *bytes.Buffer) error { return apart.Text(w, false) },
		"invalid.txt":       func(w *bytes.Buffer) error { return invalid.Text(w, false) },
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s is\n%s\nwant\n%s\n(-update writes it anew)", name, got.Bytes(), want)
		}
	}
}

// TestHTML: what servers and users say is escaped, nothing is loaded from
// elsewhere, and the page is well formed.
func TestHTML(t *testing.T) {
	a, b := sides(10, 1.04, 0.008, 3)
	b.Label = `<script>alert("b")</script>`
	a.Runs[0].Result.Environment.Host[0].Value = `"><img src=x onerror=alert(1)>`
	c, err := Compare(a, b, Options{Notes: []string{"</body><script>"}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.HTML(&out); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	if os.Getenv("BENCH_PAGE") != "" {
		if err := os.WriteFile(os.Getenv("BENCH_PAGE"), out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []string{"<script", "<img", "http://", "https://", "url(", "@import", "NaN", "%!"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	for _, want := range []string{"<circle", "<polyline", "regressed", "Noise floor", "Latency: delivery", "prefers-color-scheme", "&lt;script&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, tag := range []string{"svg", "table", "tr", "td", "div", "text", "circle", "details", "section"} {
		if open, closed := strings.Count(page, "<"+tag+" ")+strings.Count(page, "<"+tag+">"), strings.Count(page, "</"+tag+">"); open != closed {
			t.Errorf("%d <%s>, %d closed", open, tag, closed)
		}
	}
}
