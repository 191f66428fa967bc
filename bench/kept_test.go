package bench

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
	"roost/server/testbin"
)

// buildRoost builds roostd and the generator into a folder.
func buildRoost(t *testing.T) (dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs servers")
	}
	dir = t.TempDir()
	if err := testbin.Into(dir, "roostd", "loadgen"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tinyKept is a run of few devices and moments: what it measures is not looked
// at, but that everything is measured.
func tinyKept(t *testing.T) (*keptRun, *bytes.Buffer) {
	dir := buildRoost(t)
	var out bytes.Buffer
	x, err := newKeptRun(KeptOptions{Roostd: dir + "/roostd", Loadgen: dir + "/loadgen", Out: dir + "/out", Data: dir, Quick: true,
		Hold: 200 * time.Millisecond, Settle: time.Millisecond, Command: []string{"bench", "kept"}}, &out)
	if err != nil {
		t.Fatal(err)
	}
	x.scale = 500
	return x, &out
}

func TestRunKeptEndToEnd(t *testing.T) {
	t.Parallel()
	x, out := tinyKept(t)
	ctx := context.Background()
	rows := []pushRow{{store: "file", batch: 5, publishers: 2, rate: 5000, target: 2}} // enough for a profile to have samples
	if _, err := x.load(ctx, 0, rows[0].name(), "file", rows[0].load(x, x.opt.Hold)); err != nil {
		t.Fatal(err)
	}
	p, err := x.profilePush(ctx, rows[0])
	if err != nil {
		t.Fatal(err)
	}
	x.reportPush(rows, []*pushProfile{p})
	for _, part := range []func(context.Context) error{x.broadcast, x.idle} {
		if err := part(ctx); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if err := x.finish(); err != nil {
		t.Fatal(err)
	}
	for _, c := range x.cells {
		if len(c.Faults) > 0 { // that it is INVALID here may be
			t.Errorf("%s: %q", c.Name, c.Faults)
		}
		sum := 0.0
		for i := range c.Result.Phases {
			sum += accepted(&c.Result.Phases[i])
		}
		if strings.HasPrefix(c.Name, "push-") && c.Moved[counted[0]] != sum {
			t.Errorf("%s: the node counts %v published, the generator %v", c.Name, c.Moved[counted[0]], sum)
		}
	}
	text := out.String()
	for _, want := range []string{"| file | 5000/s, 5 a request | ", "| live | json | ", "| kept | bin | ", "\n| **", "fdatasync there: median", "\n5 runs, "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	for _, file := range []string{"report.md", "runs/cells.json", "runs/push-file-batch5.pb.gz", "runs/round1-cast-kept-json-1.json"} {
		if _, err := os.Stat(filepath.Join(x.opt.Out, file)); err != nil {
			t.Error(err)
		}
	}
}

// TestKeptRecoveryFindsEverything that was there when the node was killed.
func TestKeptRecoveryFindsEverything(t *testing.T) {
	t.Parallel()
	x, out := tinyKept(t)
	if err := x.recovery(context.Background()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(x.notes) > 0 {
		t.Errorf("%q", x.notes)
	}
	for _, want := range []string{"\n| 0 | 0 | 0.", "\n| 100 | 0 | 0.", "\n| 200 | 0 | 0.", "\n| 200 | 1000 | 0.", "\n| 200 | 2000 | 0."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(x.opt.Data, "bench*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestWhatIsDisturbedStandsInParentheses, and does not move the median of what
// is not.
func TestWhatIsDisturbedStandsInParentheses(t *testing.T) {
	x := &keptRun{}
	add := func(name string, us float64, invalid ...string) {
		x.cells = append(x.cells, &keptCell{Name: name, Invalid: invalid, Result: &result.Result{Phases: []result.Phase{{
			Tally: &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Delivered: 10}}}}, Servers: []result.ServerUse{{CPU: time.Duration(us * 10_000)}}}}}})
	}
	add("a", 3)
	add("a", 99, "other work took 1.00 cores")
	add("a", 5)
	add("b", 7, "other work took 1.00 cores")
	micros := func(c *keptCell) float64 { return serverMicros(cpuOf)(c.Result) }
	for name, want := range map[string]string{"a": "4.0 [3.0-5.0]", "b": "(7.0)", "c": "-"} {
		if got := x.number(name, "%.1f", micros); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestSlopesAreOfEachRound: rounds differ in where they begin.
func TestSlopesAreOfEachRound(t *testing.T) {
	x := &keptRun{opt: KeptOptions{Rounds: 2}}
	var all []recovered
	for round, at0 := range []int64{1000, 5000} {
		for _, n := range []int{0, 10, 20} {
			all = append(all, recovered{stage: stage{Devices: n}, Round: round, Settled: at0 + int64(60*n)})
		}
	}
	all = append(all, recovered{stage: stage{Devices: 30}, Settled: 1e9, Invalid: "half of it is gone"})
	got := x.slopes(all, func(r recovered) int64 { return r.Settled }, func(r recovered) (float64, bool) { return float64(r.Devices), true })
	if got != "60 [60-60]" {
		t.Errorf("slope is %s", got)
	}
}

// TestKeptCrashLosesNothing: kill -9 under load, and everything that was accepted
// has come.
func TestKeptCrashLosesNothing(t *testing.T) {
	x, out := tinyKept(t)
	x.scale = 20 // 50 devices
	if err := x.crash(context.Background()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(out.String(), "| **0** |") {
		t.Errorf("lost:\n%s\n%q", out, x.notes)
	}
	r, err := result.ReadFile(filepath.Join(x.opt.Out, "runs/round1-crash.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Thresholds { // once, and in order
		if c.State != "pass" {
			t.Errorf("%s: %s, %v %s", c.Text, c.State, c.Value, c.Reason)
		}
	}
	if n := r.Phases[2].Tally.Total(); n.Delivered < 10 {
		t.Errorf("the kill was under no load: %+v", n)
	}
	if len(r.Phases) != 4 || r.Phases[2].Storm == nil || r.Phases[2].Storm.Cut != 50 || r.Phases[2].Storm.Restored != 50 {
		t.Errorf("%+v", r.Phases)
	}
	if left, _ := filepath.Glob(filepath.Join(x.opt.Data, "bench-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
