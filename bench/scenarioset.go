package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"roost/bench/compare"
	"roost/bench/experiment"
	"roost/loadgen/result"
)

// ScenariosOptions says what RunScenarios does. Zero fields mean their defaults.
type ScenariosOptions struct {
	Roostd  string        // binary; default bin/roostd
	Loadgen string        // binary; default bin/loadgen
	Out     string        // folder of results; default bench/results/scenarios-DATE
	Hold    time.Duration // of each measured phase; default 10 s
	Only    []string      // names; default all
	Quick   bool          // a tenth of the clients and short phases, to see that it works

	Command []string // recorded
}

// exercise is a scenario that comes with loadgen, as it is run here, and what
// its results are about.
type exercise struct {
	name     string // unique
	scenario string
	params   []string
	echo     bool
	metrics  []string
}

// exercises lists them with so many clients.
func (o *ScenariosOptions) exercises() []exercise {
	n := func(count int) string {
		if o.Quick {
			count /= 10
		}
		return param("count", count)
	}
	hold, warmup := param("hold", o.Hold), param("warmup", o.Hold/5)
	load := []string{n(2000), hold, warmup}
	with := func(params []string, more ...string) []string { return append(slices.Clone(params), more...) }
	cpu := "server.cpu_per_msg"
	return []exercise{
		{"idle-density", "idle-density", []string{n(10_000), param("hold", o.Hold/2), "ramp=5000/s"}, false,
			[]string{"server.user_b_per_conn", "server.kernel_b_per_conn", "loadgen.user_b_per_conn", "greeting.p99", "server.goroutines"}},
		{"echo", "echo", load, true, []string{"delivery.p50", "delivery.p99", cpu}},
		{"broadcast", "fan-out", with(load, "rate=5/s"), false, []string{"fan_first.p50", "fan_median.p50", "fan_last.p50", "delivery.p99", cpu}},
		{"targeted", "targeted-push", load, false, []string{"delivery.p50", "delivery.p99", "publish_ack.p99", cpu}},
		{"targeted-kept", "targeted-push", with(load, "class=kept"), false, []string{"delivery.p50", "delivery.p99", "publish_ack.p99", cpu}},
		{"storm", "reconnect-storm", load, false, []string{"storm.t50", "storm.t99", "storm.t100", "storm.dials_per_restored", "storm.peak_dials", "storm.gap", "after.delivery.p99"}},
		{"churn", "churn", load, false, []string{"steady.delivery.p99", "churn.delivery.p99", "churn.connect.p99", "server.files"}},
		{"drain", "drain", with(load, param("over", o.Hold/2)), false, []string{"drain.ended", "empty.connected", "empty.server.files", "empty.server.goroutines"}},
		{"slow-readers", "slow-readers", load, false, []string{"before.healthy.delivery.p99", "slow.healthy.delivery.p99", "slow.laggards.cut", "after.healthy.delivery.p99"}},
	}
}

// RunScenarios puts the scenarios that come with loadgen on a fresh roostd each,
// prints what came out, and writes it, with the results, to a folder. The same
// call with the same folder goes on where it was ended.
func RunScenarios(ctx context.Context, o ScenariosOptions, out io.Writer) error {
	setDefault(&o.Roostd, "bin/roostd")
	setDefault(&o.Loadgen, "bin/loadgen")
	if o.Quick {
		setDefault(&o.Hold, 2*time.Second)
	}
	setDefault(&o.Hold, 10*time.Second)
	all := o.exercises()
	var names []string
	for _, e := range all {
		names = append(names, e.name)
	}
	if err := checkOnly(o.Only, names); err != nil {
		return err
	}
	if err := raiseFileLimit(); err != nil {
		return err
	}
	folder, err := experiment.Folder(o.Out, "scenarios")
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# Scenarios, %s\n\n    %s\n\n", time.Now().Format(time.DateOnly), strings.Join(o.Command, " "))
	fmt.Fprintf(&text, "One run of each against a roostd of its own, on the same machine. Each folder has the result and what the node said;\n"+
		"`loadgen report FOLDER/runs/01-roost.json` shows it whole. Numbers of an INVALID run are in parentheses.\n\n"+
		"| scenario | parameters | verdict | what came out |\n|---|---|---|---|\n")
	for _, e := range all {
		if len(o.Only) > 0 && !slices.Contains(o.Only, e.name) {
			continue
		}
		fmt.Fprintf(out, "%s\n", e.name)
		var r *result.Result
		if r, err = e.run(ctx, &o, filepath.Join(folder, e.name), out); err != nil {
			err = fmt.Errorf("%s: %w", e.name, err)
			fmt.Fprintf(&text, "\nThis is not all: %v\n", err)
			break
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", e.name, strings.Join(e.params, " "), r.Verdict, e.text(r))
	}
	fmt.Fprintf(out, "\n%s\nwritten to %s\n", text.String(), folder)
	return errors.Join(err, os.WriteFile(filepath.Join(folder, "report.md"), []byte(text.String()), 0o644))
}

// run makes one run, again if it is INVALID.
func (e *exercise) run(ctx context.Context, o *ScenariosOptions, folder string, out io.Writer) (*result.Result, error) {
	s := roostd(o.Roostd, "{dir}")
	if e.echo {
		s.URL, s.Dialect = "ws://127.0.0.1:{port}/v1/echo", "plain"
	}
	x := experiment.Options{Scenario: e.scenario, Params: e.params, Servers: []experiment.Server{s}, Loadgen: o.Loadgen, Out: folder,
		Extra: []string{"--quiet", "--metrics-url", "http://127.0.0.1:{api}/metrics", "--pprof-url", "http://127.0.0.1:{api}", "--no-profile"},
		Pairs: 1, Warmups: -1, Retries: 1, Quiet: 10 * time.Second}
	if o.Quick {
		x.Quiet, x.Retries, x.Cooldown = -1, -1, time.Millisecond
	}
	if _, err := experiment.Run(ctx, x, out); err != nil {
		return nil, err
	}
	rounds, err := experiment.Rounds(folder)
	if err != nil {
		return nil, err
	}
	return result.ReadFile(rounds[0].Runs["roost"].File)
}

// text words a result: its figures, thresholds that do not hold, and checks that
// failed.
func (e *exercise) text(r *result.Result) string {
	var parts []string
	for _, name := range e.metrics {
		if m, ok, _ := r.Lookup(name); ok {
			parts = append(parts, name+" "+compare.Format(m.Value, m.Unit))
		}
	}
	text := strings.Join(parts, ", ")
	if r.Verdict == result.Invalid {
		text = "(" + text + ")"
	}
	for _, t := range r.Thresholds {
		if t.State != "pass" {
			text += "; does not hold: " + t.Text
		}
	}
	for _, c := range r.Validity {
		if c.State == "fail" {
			text += fmt.Sprintf("; %s %s, limit %s", c.Name, compare.Format(c.Value, c.Unit), compare.Format(c.Limit, c.Unit))
		}
	}
	return text
}
