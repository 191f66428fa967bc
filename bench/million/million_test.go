package million

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
	"roost/server/testbin"
)

// TestNodesFor: no node is asked for more than its descriptors, and none is
// started for nothing.
func TestNodesFor(t *testing.T) {
	for _, c := range []struct{ connections, files, want int }{
		{1, 1024, 1}, {18_600, 20_000, 1}, {18_601, 20_000, 2}, {1_000_000, 20_000, 54}, {1_000_000, 1_048_576, 2},
	} {
		got := nodesFor(c.connections, c.files)
		if got != c.want || c.connections > got*c.files {
			t.Errorf("%d connections with %d descriptors: %d nodes, want %d", c.connections, c.files, got, c.want)
		}
	}
}

// TestMillionEndToEnd: few devices on two nodes. What is measured is not looked
// at, but that all are held and reached, and that it is written down.
func TestMillionEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs roostd and loadgen")
	}
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // what loadgen keeps between runs
	if err := testbin.Into(dir, "roostd", "loadgen"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	x := &run{out: &out, opt: Options{Roostd: dir + "/roostd", Loadgen: dir + "/loadgen", Out: dir, Connections: 100, Rate: 1000,
		Deliveries: 500, Hold: 200 * time.Millisecond, Command: []string{"bench", "million"}}}
	err := x.with(t.Context(), 2)
	var failure *Failure
	if errors.As(err, &failure) && failure.Verdict == result.Invalid {
		t.Log(err) // on a busy machine
	} else if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	report, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"100 devices on one machine", "2 roostd processes", "100 of 100 devices connected", "| broadcast | ", "| push | 100 | 100 | 100 | 0 | 0 |"} {
		if !strings.Contains(string(report), want) {
			t.Errorf("%q is not in\n%s", want, report)
		}
	}
	for _, name := range []string{"result.json", "report.html", "scenario.yaml", "nodes/00.log", "nodes/01.log"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestJudge: what ends with success has held and reached all.
func TestJudge(t *testing.T) {
	lost := &result.Result{Verdict: result.Valid, Phases: []result.Phase{{Name: "push", Tally: &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Expected: 10, Delivered: 9, Missing: 1}}}}}}}
	for name, c := range map[string]struct {
		r    *result.Result
		want string
	}{
		"all well":  {&result.Result{Verdict: result.Valid}, ""},
		"lost":      {lost, "valid: 1 messages were lost"},
		"a check":   {&result.Result{Verdict: result.Invalid, Validity: []result.Check{{Name: "own CPU", State: "fail", Text: "more cores"}, {Name: "x", State: "pass"}}}, "INVALID: own CPU: more cores"},
		"a promise": {&result.Result{Verdict: result.Breached, Thresholds: []result.Threshold{{Text: "lost == 0", State: "fail", Value: 3}}}, "breached: lost == 0 does not hold: 3"},
		"ended":     {&result.Result{Verdict: result.Interrupted}, "interrupted: see report.md"},
	} {
		got := ""
		if err := judge(c.r); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestLatency: a process with a processor is as punctual as in any run, of those
// that share one each adds as much.
func TestLatency(t *testing.T) {
	for _, c := range []struct {
		processes, cores int
		want             time.Duration
	}{{2, 2, 10 * time.Millisecond}, {2, 64, 10 * time.Millisecond}, {12, 2, 60 * time.Millisecond}, {108, 2, 540 * time.Millisecond}} {
		if got := latency(c.processes, c.cores); got != c.want {
			t.Errorf("%d processes on %d: %v, want %v", c.processes, c.cores, got, c.want)
		}
	}
}
