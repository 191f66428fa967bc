package coord

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/loadgen/live"
	"roost/loadgen/result"
	"roost/loadgen/tally"
)

func mustRun(t *testing.T, o Options) *result.Result {
	t.Helper()
	res, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// sums are what of a result must not depend on the number of workers: all that
// was counted, but for what a worker finds out about its own process, and the
// median of fan-outs, see package merge.
func sums(res *result.Result) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	hist := func(p, name string, h *tally.Hist) {
		buckets := ""
		h.Each(func(v int64, n uint64) { buckets += fmt.Sprintf(" %d:%d", v, n) })
		add("%s %s %d%s", p, name, h.Count(), buckets)
	}
	for _, p := range res.Phases {
		if p.Storm != nil {
			p.Storm.PeakDials = 0 // by the second, and seconds begin when they do
		}
		add("%s %s %+v %+v %v", p.Name, p.Outcome, p.Tally.Total(), p.Storm, p.Tally.Errors)
		for id := range tally.NumHists {
			if id != tally.Hiccup && id != tally.FanMedian {
				hist(p.Name, id.String(), p.Tally.Hists[id])
			}
		}
		for id := range tally.NumGroupHists {
			hist(p.Name, id.String(), p.Tally.Groups[0].Hists[id])
		}
	}
	return lines
}

// TestWorkersSumToOne: any number of workers count what one does, to the last
// bucket.
func TestWorkersSumToOne(t *testing.T) {
	t.Parallel()
	s := phases(t, 101, rampPhase, holdPhase, stormPhase, drainPhase, "thresholds: [storm.failed < 100]")
	one := mustRun(t, options(s, 1, "", nil))
	if one.Verdict != result.Valid {
		t.Errorf("verdict %s: %+v %+v %v", one.Verdict, one.Thresholds, one.Validity, one.Notes)
	}
	storm := one.Phases[2].Storm
	if storm == nil || storm.Cut != 51 || storm.Restored != 51 || storm.T50 < 50*time.Millisecond || storm.T100 < 140*time.Millisecond || storm.DialsPerRestored != 2 || storm.PeakDials == 0 {
		t.Errorf("storm %+v", storm)
	}
	for _, n := range []int{2, 5} {
		many := mustRun(t, options(s, n, "", nil))
		got, want := sums(many), sums(one)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%d workers counted\n%.500s\nand one\n%.500s", n, got[i], want[i])
			}
		}
		if len(many.Workers) != n || many.Workers[n-1].Clients == 0 || many.Workers[n-1].PID == 0 {
			t.Errorf("workers %+v", many.Workers)
		}
	}
	hold := one.Phases[1].Tally
	if c := hold.Total(); c.Expected != 90*101 || c.Delivered != c.Expected || c.Refused != 10 {
		t.Errorf("accounts %+v", c)
	}
	if h := hold.Hists[tally.FanLast]; h.Count() != 90 || h.Misses != 0 {
		t.Errorf("%d fan-outs with %d misses, want 90 and 0: refused ones are none", h.Count(), h.Misses)
	}
	if one.Phases[3].Connected != 0 || one.Phases[1].Connected != 101 {
		t.Errorf("connected %d after drain, %d after hold", one.Phases[3].Connected, one.Phases[1].Connected)
	}
}

// TestResultIsWhole: it can be written and read, and says what it is of.
func TestResultIsWhole(t *testing.T) {
	t.Parallel()
	s := phases(t, 10, rampPhase, "{name: hold, publish: {to: all, rate: 100/s}, for: 2500ms}")
	o := options(s, 1, "", nil)
	s.Server.Restart = "srv --token s3cret"
	o.Argv, o.Labels, o.Tool = []string{"loadgen", "run", "--token", "s3cret", "--api", "http://s3cret@127.0.0.1:1"}, map[string]string{"commit": "abc"}, result.Tool{Name: "loadgen", Go: "go1.26"}
	res := mustRun(t, o)
	file := filepath.Join(t.TempDir(), "r.json")
	if err := result.WriteFile(file, res); err != nil {
		t.Fatal(err)
	}
	back, err := result.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := os.ReadFile(file); err != nil || bytes.Contains(whole, []byte("s3cret")) {
		t.Errorf("the file holds secrets: %q and %s (%v)", back.Argv, back.Scenario.Text, err)
	}
	if back.Scenario.SHA256 != s.Hash() || back.Labels["commit"] != "abc" || back.Comparability.Hash == "" || back.ID == "" {
		t.Errorf("%+v", back)
	}
	if len(back.Series) < 2 {
		t.Fatalf("%d points in 2.7 s", len(back.Series))
	}
	for i, p := range back.Series {
		if p.At <= 0 || i > 0 && p.At <= back.Series[i-1].At || p.Connected != 10 {
			t.Errorf("point %d: %+v", i, p)
		}
	}
	if w := back.Workers[0]; w.CPU <= 0 || w.PeakRSS <= 0 {
		t.Errorf("worker %+v", w)
	}
	if back.Phases[1].Length != 2500*time.Millisecond {
		t.Errorf("the phase lasted %v", back.Phases[1].Length)
	}
}

// TestLostWorkerEndsTheRun: however it is lost, and nothing of it is valid.
func TestLostWorkerEndsTheRun(t *testing.T) {
	for how, want := range map[string]string{"dies in 1": "killed", "hangs in 1": "hangs", "fails in 1": "phase 1 is too much", "never finishes 1": "it has not finished the phase in time"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			o := options(phases(t, 20, rampPhase, holdPhase, holdAgain), 3, how, nil)
			o.Hang = 4 * time.Second
			silent := false
			o.View = viewFunc(func(f *live.Frame) { silent = silent || strings.HasPrefix(f.Silent, "worker 1 silent for ") })
			res := mustRun(t, o)
			if how == "hangs in 1" && !silent {
				t.Error("nobody was told that a worker is silent")
			}
			if res.Verdict != result.Invalid || !strings.Contains(res.Workers[1].Lost, want) {
				t.Errorf("verdict %s, worker 1 %q", res.Verdict, res.Workers[1].Lost)
			}
			if len(res.Phases) != 2 || res.Workers[0].Lost != "" {
				t.Errorf("%d phases, worker 0 %q", len(res.Phases), res.Workers[0].Lost)
			}
			if err := result.WriteFile(filepath.Join(t.TempDir(), "r.json"), res); err != nil {
				t.Error(err) // of a phase that ended before it began, too
			}
		})
	}
}

// TestNonsenseLosesTheWorker: whatever a worker says, the run has an end.
func TestNonsenseLosesTheWorker(t *testing.T) {
	for how, want := range map[string]string{
		"says only what a coordinator says": "only a coordinator says",
		"says too many groups":              "groups that there are not",
		"says nothing more":                 "it ended",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			res := mustRun(t, options(phases(t, 2, rampPhase), 2, how, nil))
			if lost := res.Workers[0].Lost + res.Workers[1].Lost; res.Verdict != result.Invalid || !strings.Contains(lost, want) {
				t.Errorf("verdict %s, lost %q, want %q", res.Verdict, lost, want)
			}
		})
	}
}

const holdAgain = "{name: again, publish: {to: all, rate: 100/s}, for: 300ms}"

// TestLossMayBeAllowed: the run goes on, says so, and nobody waits for messages
// of the one that is gone.
func TestLossMayBeAllowed(t *testing.T) {
	t.Parallel()
	s := phases(t, 20, rampPhase, holdPhase, holdAgain)
	s.Measure.Deadline = time.Minute
	o := options(s, 4, "dies in 1", nil)
	o.AllowLoss = true
	res := mustRun(t, o)
	if res.Ended.Sub(res.Started) > s.Measure.Deadline {
		t.Error("somebody waited for what never comes")
	}
	if res.Verdict != result.Valid || res.Workers[1].Lost == "" || len(res.Phases) != 3 || res.Phases[2].Outcome != done {
		t.Errorf("verdict %s, worker 1 %q, %d phases, %+v, notes %q", res.Verdict, res.Workers[1].Lost, len(res.Phases), res.Thresholds, res.Notes)
	}
	advised := false
	for _, c := range res.Validity {
		advised = advised || c.Name == "workers lost" && c.State == "advice" && c.Value == 1
	}
	if !advised {
		t.Errorf("no advice about the loss: %+v", res.Validity)
	}
	if notes := strings.Join(res.Notes, "\n"); !strings.Contains(notes, "1 of 4 workers lost") {
		t.Errorf("notes %q", notes)
	}
	// Numbers that were worker 1's to send: 25 of 100, of which 2 are refused.
	if c := res.Phases[2].Tally.Total(); c.Missing != 0 || c.Expected == 0 {
		t.Errorf("accounts %+v", c)
	}
}

// TestWorkerThatCannotBegin is an error, not a result.
func TestWorkerThatCannotBegin(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2} {
		_, err := Run(t.Context(), options(phases(t, 10, rampPhase), n, "refuses", nil))
		if err == nil || !strings.Contains(err.Error(), "has no mind to") {
			t.Errorf("%d workers: %v", n, err)
		}
	}
}

// TestTimeoutIsNoSuccess: the run ends and says how far it came, without
// waiting for what cannot come.
func TestTimeoutIsNoSuccess(t *testing.T) {
	t.Parallel()
	s := phases(t, 10, "{name: ramp, ramp: {rate: 1000/s}, timeout: 1h}", holdPhase)
	res := mustRun(t, options(s, 1, "never connects", nil))
	p := res.Phases[0]
	if len(res.Phases) != 1 || p.Outcome != timeout || res.Verdict != result.Breached {
		t.Fatalf("%d phases, outcome %s, verdict %s", len(res.Phases), p.Outcome, res.Verdict)
	}
	last := res.Thresholds[len(res.Thresholds)-1]
	if last.State != "fail" || !strings.Contains(last.Reason, "0 of 10 are connected") {
		t.Errorf("%+v", last)
	}
	if len(p.Errors) != 1 || p.Errors[0].Class != "ECONNREFUSED" || p.Errors[0].Advice == "" {
		t.Errorf("errors %+v", p.Errors)
	}
}

// TestOwnShortageIsInvalid: what fails since this machine is out of something
// says nothing about the server, also in a phase that warms up.
func TestOwnShortageIsInvalid(t *testing.T) {
	t.Parallel()
	s := phases(t, 10, "{name: ramp, warmup: true, ramp: {rate: 1000/s}, timeout: 5s}", holdPhase)
	res := mustRun(t, options(s, 1, "runs out", nil))
	failed := slices.ContainsFunc(res.Validity, func(c result.Check) bool {
		return c.Name == "local resources" && c.State == "fail" && c.Value == 1 && strings.Contains(c.Text, "EMFILE") && strings.Contains(c.Text, "ulimit -n")
	})
	if res.Verdict != result.Invalid || !failed {
		t.Errorf("verdict %s, %+v", res.Verdict, res.Validity)
	}
}

// TestRampThatFailsIsNoSuccess: also one that ends by the clock, unless failures
// are asked for.
func TestRampThatFailsIsNoSuccess(t *testing.T) {
	t.Parallel()
	const ramp = "{name: ramp, ramp: {rate: 1000/s}, for: 100ms}"
	res := mustRun(t, options(phases(t, 10, ramp), 1, "never connects", nil))
	last := res.Thresholds[len(res.Thresholds)-1]
	if res.Verdict != result.Breached || last.Value != 10 || !strings.Contains(last.Reason, "10 of 10 never were") {
		t.Errorf("verdict %s, %+v", res.Verdict, last)
	}
	res = mustRun(t, options(phases(t, 10, ramp, "thresholds: [ramp.failed == 10]"), 1, "never connects", nil))
	if res.Verdict != result.Valid {
		t.Errorf("where it is asked for: verdict %s, %+v", res.Verdict, res.Thresholds)
	}
	if res = mustRun(t, options(phases(t, 10, ramp), 1, "", nil)); res.Verdict != result.Valid {
		t.Errorf("one that succeeds: verdict %s, %+v", res.Verdict, res.Thresholds)
	}
}

// TestLossIsNoSuccess: a run without any threshold fails if a message is lost.
func TestLossIsNoSuccess(t *testing.T) {
	t.Parallel()
	res := mustRun(t, options(phases(t, 10, rampPhase, holdPhase), 1, "loses", nil))
	if res.Verdict != result.Breached || res.Thresholds[1].Text != "lost == 0" || res.Thresholds[1].Value != 1 {
		t.Errorf("verdict %s, %+v", res.Verdict, res.Thresholds)
	}
	res = mustRun(t, options(phases(t, 10, rampPhase, holdPhase, "thresholds: [delivered_ratio > 90%]"), 1, "loses", nil))
	if res.Verdict != result.Valid {
		t.Errorf("with a threshold of its own: verdict %s, %+v", res.Verdict, res.Thresholds)
	}
}

// TestThresholdEndsTheRun, as soon as it does not hold and not before it is
// due.
func TestThresholdEndsTheRun(t *testing.T) {
	t.Parallel()
	s := phases(t, 10, rampPhase, "{name: hold, publish: {to: all, rate: 100/s}, for: 1h}", "thresholds: [hold.connected < 5 abort after 1s]")
	res := mustRun(t, options(s, 1, "", nil))
	p := res.Phases[1]
	if p.Outcome != aborted || p.Length < time.Second || res.Verdict != result.Breached || !res.Thresholds[0].Aborted {
		t.Errorf("outcome %s after %v, verdict %s, %+v", p.Outcome, p.Length, res.Verdict, res.Thresholds)
	}
	if c := p.Tally.Total(); c.Expected == 0 {
		t.Error("the accounts of the phase were not closed")
	}
}

// TestInterruptedRunHasAResult of the phase that was under way.
func TestInterruptedRunHasAResult(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(phases(t, 10, rampPhase, "{name: hold, publish: {to: all, rate: 100/s}, for: 1h}", holdAgain), 2, "", nil)
	o.View = viewFunc(func(f *live.Frame) {
		if f.Phase == "hold" && f.State == "under way" {
			cancel()
		}
	})
	res, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != result.Interrupted || len(res.Phases) != 2 || res.Phases[1].Outcome != aborted {
		t.Errorf("verdict %s, %d phases", res.Verdict, len(res.Phases))
	}
	if c := res.Phases[1].Tally.Total(); c.Expected == 0 {
		t.Error("the accounts of the phase were not closed")
	}
}

// TestWhatIsOnItsWayIsNotLost: an interrupt, or a threshold that ends the run,
// does not end the wait for it.
func TestWhatIsOnItsWayIsNotLost(t *testing.T) {
	t.Parallel()
	for name, thresholds := range map[string]string{"interrupted": "", "ended by a threshold": "thresholds: [hold.connected < 5 abort]"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := options(phases(t, 10, rampPhase, "{name: hold, publish: {to: all, rate: 100/s}, for: 60s}", thresholds), 1, "delivers late", nil)
			o.View = viewFunc(func(f *live.Frame) {
				if f.Phase == "hold" && f.State == "under way" && thresholds == "" {
					cancel()
				}
			})
			res, err := Run(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if c := res.Phases[1].Tally.Total(); res.Phases[1].Outcome != aborted || c.Missing != 0 || c.Delivered != 900 {
				t.Errorf("%s, %d missing of %d", res.Phases[1].Outcome, c.Missing, c.Expected)
			}
		})
	}
}
func TestStderrOfWorkersIsShown(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	if _, err := Run(t.Context(), options(phases(t, 10, rampPhase), 2, "refuses", &log)); err == nil {
		t.Fatal("it ran")
	}
	if !strings.Contains(log.String(), "(process") {
		t.Errorf("the log says %q", log.String())
	}
}
