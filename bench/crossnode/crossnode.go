package crossnode

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"roost/bench/experiment"
	"roost/loadgen/usage"
)

// Options say what Run does. Zero fields mean their defaults.
type Options struct {
	Roostd  string        // binary; default bin/roostd
	Out     string        // folder of results; default bench/results/cluster-latency-DATE
	Devices int           // default 200
	Warm    time.Duration // of each load, not measured; default 3 s
	Length  time.Duration // measured; default 20 s
	Fsync   string        // Redis' appendfsync: always, everysec (default) or no
	Only    []string      // names of loads; default all
	Quick   bool          // 1 s and 2 s, to see that it works

	Command []string // recorded
}

func (o Options) withDefaults() Options {
	if o.Quick {
		o.Warm, o.Length, o.Devices = cmp.Or(o.Warm, time.Second), cmp.Or(o.Length, 2*time.Second), cmp.Or(o.Devices, 50)
	}
	o.Roostd, o.Fsync, o.Devices = cmp.Or(o.Roostd, "bin/roostd"), cmp.Or(o.Fsync, "everysec"), cmp.Or(o.Devices, 200)
	o.Warm, o.Length = cmp.Or(o.Warm, 3*time.Second), cmp.Or(o.Length, 20*time.Second)
	return o
}

func (o *Options) validate() error {
	for _, name := range o.Only {
		if !slices.ContainsFunc(loads, func(l load) bool { return l.Name == name }) {
			return fmt.Errorf("no load is named %q: single, batched, offered, offered-50", name)
		}
	}
	switch {
	case o.Devices < 1 || o.Devices > 5000:
		return fmt.Errorf("%d devices: 1 to 5,000", o.Devices)
	case o.Warm < 0 || o.Length < 100*time.Millisecond || o.Length > time.Hour:
		return fmt.Errorf("%v measured after %v: 100 ms to an hour", o.Length, o.Warm)
	case !slices.Contains([]string{"always", "everysec", "no"}, o.Fsync):
		return fmt.Errorf("appendfsync %q: always, everysec or no", o.Fsync)
	}
	_, err := os.Stat(o.Roostd)
	return err
}

// results is results.json.
type results struct {
	Command  []string   `json:"command"`
	Env      usage.Env  `json:"env"`
	Devices  int        `json:"devices"`
	Fsync    string     `json:"redis_appendfsync"`
	Length   float64    `json:"seconds"`
	Outcomes []*Outcome `json:"outcomes"`
}

// The goals of a message from a publisher to a device on another node, of the loads that
// are not stress.
const (
	goalP50 = time.Millisecond
	goalP99 = 5 * time.Millisecond
)

// ok says what is not as it should be.
func (r *results) ok() error {
	var all error
	for _, o := range r.Outcomes {
		if o.Missing > 0 {
			all = errors.Join(all, fmt.Errorf("%s, %s: %d accepted messages did not arrive", o.Load.Name, o.Mode, o.Missing))
		}
		p50, p99 := time.Duration(o.Latency.Quantile(0.5)), time.Duration(o.Latency.Quantile(0.99))
		if !o.Load.Stress && (p50 > goalP50 || p99 > goalP99) {
			all = errors.Join(all, fmt.Errorf("%s, %s: p50 %v, p99 %v: want %v and %v", o.Load.Name, o.Mode, p50, p99, goalP50, goalP99))
		}
	}
	return all
}

// Run measures all loads, prints a report to out and writes it with results.json to a
// folder. The error is also that of a goal that was missed.
func Run(ctx context.Context, o Options, out io.Writer) error {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return fmt.Errorf("bench cluster-latency: %w", err)
	}
	folder, err := experiment.Folder(o.Out, "cluster-latency")
	if err != nil {
		return err
	}
	r := &results{Command: o.Command, Env: usage.ReadEnv(), Devices: o.Devices, Fsync: o.Fsync, Length: o.Length.Seconds()}
	if err := own(func(own *owner) error { return r.run(ctx, own, &o, logsIn(folder)) }); err != nil {
		return err
	}
	var text bytes.Buffer
	r.report(&text)
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	_, said := out.Write(text.Bytes())
	return errors.Join(said,
		os.WriteFile(filepath.Join(folder, "results.json"), append(raw, '\n'), 0o644),
		os.WriteFile(filepath.Join(folder, "report.md"), text.Bytes(), 0o644),
		r.ok())
}

// run measures all loads in one cluster.
func (r *results) run(ctx context.Context, own *owner, o *Options, logs string) error {
	s, err := start(ctx, own, o, logs)
	if err != nil {
		return err
	}
	number := 0
	for _, l := range loads {
		if len(o.Only) > 0 && !slices.Contains(o.Only, l.Name) {
			continue
		}
		for _, mode := range []string{modeAny, modeRing} {
			number++
			outcome, err := s.measure(ctx, number, l, mode, o.Warm, o.Length)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", l.Name, mode, err)
			}
			r.Outcomes = append(r.Outcomes, outcome)
			pause(ctx, time.Second)
		}
	}
	return ctx.Err()
}

func (r *results) report(w io.Writer) {
	fmt.Fprintf(w, "# From a publisher to a device on another node, %s\n\n    %s\n\n%s\n\n", time.Now().Format(time.DateOnly), strings.Join(r.Command, " "), r.Env)
	fmt.Fprintf(w, "Two nodes, etcd, one Redis (appendonly, appendfsync %s), %d devices, all on node B and B's by the ring, and the publisher on one machine. any: requests go to node A, which stores and "+
		"has B told of it: where Redis is one server, by the script that stores it. ring: server/publisher posts to B. Kept messages, each acknowledged by its device; %.0f s each. From due to the device's client, which is the publisher's process. Redis: its time in scripts, microseconds a delivery, puts and acknowledgements.\n\n", r.Fsync, r.Devices, r.Length)
	fmt.Fprint(w, "| load | mode | delivered/s | p50 ms | p90 | p99 | max | answer p50 ms | p99 | missing | Redis us |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, o := range r.Outcomes {
		q := func(of interface{ Quantile(float64) int64 }, q float64) float64 { return float64(of.Quantile(q)) / 1e6 }
		fmt.Fprintf(w, "| %s: %.0f/s, %d a request | %s | %.0f | %.2f | %.2f | %.2f | %.1f | %.2f | %.2f | %d | %.1f |\n", o.Load.Name, o.Load.Rate, o.Load.Batch, o.Mode,
			float64(o.Latency.Count())/o.Seconds, q(o.Latency, 0.5), q(o.Latency, 0.9), q(o.Latency, 0.99), q(o.Latency, 1), q(o.Answer, 0.5), q(o.Answer, 0.99), o.Missing, inScripts(o.Redis))
	}
	fmt.Fprint(w, "\n## CPU\n\nMicroseconds of each process per delivery.\n\n| load | mode |")
	var names []string
	if len(r.Outcomes) > 0 {
		names = slices.Sorted(maps.Keys(r.Outcomes[0].CPU))
	}
	for _, name := range names {
		fmt.Fprintf(w, " %s |", name)
	}
	fmt.Fprintf(w, "\n|---|---|%s\n", strings.Repeat("---|", len(names)))
	for _, o := range r.Outcomes {
		fmt.Fprintf(w, "| %s | %s |", o.Load.Name, o.Mode)
		for _, name := range names {
			fmt.Fprintf(w, " %.1f |", o.CPU[name])
		}
		fmt.Fprintln(w)
	}
	r.reportStages(w)
}

// reportStages writes what the nodes say of their publishes.
func (r *results) reportStages(w io.Writer) {
	fmt.Fprint(w, "\n## Stages of a publish\n\nBy the histograms of the node that took the requests (roost_publish_stage_seconds), a request each; upper bounds of buckets, -1 above all.\n\n"+
		"| load | mode | stage | requests | p50 ms | p99 ms |\n|---|---|---|---|---|---|\n")
	for _, o := range r.Outcomes {
		for _, stage := range slices.Sorted(maps.Keys(o.Stages)) {
			s := o.Stages[stage]
			fmt.Fprintf(w, "| %s | %s | %s | %d | %.2f | %.2f |\n", o.Load.Name, o.Mode, stage, s.Count, s.P50, s.P99)
		}
	}
	fmt.Fprint(w, "\n## Redis\n\nCalls per delivery and microseconds a call, by INFO commandstats; a script's commands count beside it.\n\n")
	for _, o := range r.Outcomes {
		fmt.Fprintf(w, "- %s, %s:", o.Load.Name, o.Mode)
		for _, name := range slices.Sorted(maps.Keys(o.Redis)) {
			fmt.Fprintf(w, " %s %.2f x %.1f,", name, o.Redis[name].PerDelivery, o.Redis[name].Micros)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\n## Answers\n\n")
	for _, o := range r.Outcomes {
		fmt.Fprintf(w, "- %s, %s: %d published, %d were due and not sent:", o.Load.Name, o.Mode, o.Published, o.Unsent)
		for _, word := range slices.Sorted(maps.Keys(o.Statuses)) {
			fmt.Fprintf(w, " %d %s,", o.Statuses[word], word)
		}
		fmt.Fprintf(w, " %d delivered; %d requests, %d messages again, %d answers by another ring\n", o.Delivered, o.Requests, o.Repeats, o.Disagree)
	}
}
