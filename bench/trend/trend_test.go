package trend

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/bench/compare"
	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// made makes a result up in which a message costs so many ns.
func made(i int, cost float64) *result.Result {
	phase := result.Phase{Name: "hold", Length: time.Second, Outcome: "done", Tally: &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Expected: 1000, Delivered: 1000}}}},
		Servers: []result.ServerUse{{CPU: time.Duration(cost * 1000), RSS: -1, PSS: -1, Heap: -1, Stacks: -1, Slab: -1, Sock: -1}}}
	return &result.Result{Schema: result.Schema, ID: fmt.Sprintf("id/%d", i), Verdict: result.Valid, Started: time.Date(2026, 11, 1+i, 2, 17, 0, 0, time.UTC),
		Scenario:      result.Scenario{Name: "fan-out", Groups: []result.Group{{Name: "all", Share: 1, Reads: true}}},
		Comparability: result.Comparability{Hash: "0123456789"}, Labels: map[string]string{"commit": fmt.Sprintf("c%d", i/10)},
		Phases: []result.Phase{phase}, Servers: []result.Server{{Name: "s", Source: "pid"}}}
}

// history writes 30 nights: 10 at 2000 ns, 10 at 2200, 10 at 1900; one of them is
// INVALID, and beside them lie other files.
func history(t *testing.T) string {
	t.Helper()
	folder, from := t.TempDir(), t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 30 {
		r := made(i, []float64{2000, 2200, 1900}[i/10]*(1+0.01*random.NormFloat64()))
		if i == 17 {
			r.Verdict = result.Invalid
		}
		file := filepath.Join(from, "r.json")
		if err := result.WriteFile(file, r); err != nil {
			t.Fatal(err)
		}
		if name, err := Add(folder, file); err != nil || i == 0 && name != "20261101T021700Z-fan-out-id-0.json" {
			t.Fatal(name, err)
		}
	}
	for name, text := range map[string]string{"torn.json": `{"schema": 2,`, "notes.txt": "x", "experiment.json": "{}"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestTrend(t *testing.T) {
	runs, problems, err := Read(history(t))
	if err != nil || len(runs) != 30 || len(problems) != 1 || !strings.Contains(problems[0], "torn.json") {
		t.Fatalf("%d runs, problems %q, %v", len(runs), problems, err)
	}
	trend := Analyse(runs, Options{})
	trend.Problems = problems
	var s *Series
	for i := range trend.Series {
		if trend.Series[i].Metric == "server.cpu_per_msg" {
			s = &trend.Series[i]
		}
	}
	if s == nil || len(s.Points) != 29 || len(s.Steps) != 2 || trend.Invalid != 1 {
		t.Fatalf("%+v", trend)
	}
	if a, b := s.Steps[0], s.Steps[1]; a.At != 10 || a.Is != compare.Regressed || b.At != 19 || b.Is != compare.Improved {
		t.Errorf("steps %+v", s.Steps)
	}
	var text, page, js bytes.Buffer
	for _, err := range []error{trend.Text(&text), trend.HTML(&page), trend.JSON(&js)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"30 runs, 1 of them", "fan-out (comparability 01234567)", "server.cpu_per_msg         29 runs",
		"2026-11-11 02:17: regressed +10.", "(commit=c1, before: commit=c0)", "never changed", "not read: torn.json"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	for _, want := range []string{"<svg", `class="fail"`, `class="pass"`, "torn.json"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestSeriesApart: what cannot be compared is no series.
func TestSeriesApart(t *testing.T) {
	var runs []Run
	for i := range 24 {
		r := made(i, 2000+float64(i%3))
		if i >= 8 {
			r.Comparability.Hash = "another"
		}
		if i >= 16 {
			r.Labels["server"] = "B"
		}
		runs = append(runs, Run{fmt.Sprint(i), r})
	}
	trend := Analyse(runs, Options{Metrics: []string{"server.cpu_per_msg"}})
	if len(trend.Series) != 3 {
		t.Fatalf("%d series", len(trend.Series))
	}
	for _, s := range trend.Series {
		if len(s.Points) != 8 || len(s.Steps) != 0 {
			t.Errorf("%+v", s)
		}
	}
}

func TestAddKeepsWhatIsThere(t *testing.T) {
	folder, file := t.TempDir(), filepath.Join(t.TempDir(), "r.json")
	if err := result.WriteFile(file, made(1, 2000)); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(folder, file); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(folder, file); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("again: %v", err)
	}
	if err := os.WriteFile(file, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(folder, file); err == nil {
		t.Error("what is no result was added")
	}
	if names, _ := os.ReadDir(folder); len(names) != 1 {
		t.Errorf("in the folder: %v", names)
	}
}

func TestEmpty(t *testing.T) {
	trend := Analyse(nil, Options{})
	var b bytes.Buffer
	if err := trend.Text(&b); err != nil || trend.HTML(&b) != nil {
		t.Error(err)
	}
	if _, _, err := Read("/nowhere"); err == nil {
		t.Error("no folder, no error")
	}
}
