package bench

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"roost/bench/cpuprofile"
	"roost/loadgen/result"
)

// What our own part of a kept push may cost, in microseconds.
const (
	targetSingle = 5.0
	targetBatch  = 2.0
)

// pushRow is one load of kept pushes.
type pushRow struct {
	store      string // file or memory
	batch      int
	publishers int     // requests under way, at most
	rate       float64 // messages a second
	target     float64
}

func (r pushRow) name() string {
	kind := "single"
	if r.batch > 1 {
		kind = "batch" + strconv.Itoa(r.batch)
	}
	return "push-" + r.store + "-" + kind
}

func (r pushRow) words() string { return fmt.Sprintf("%.0f/s", r.rate) }

// load is the row's scenario.
func (r pushRow) load(x *keptRun, hold time.Duration) keptLoad {
	return keptLoad{"kept-push.yaml", []string{param("count", 1000/x.scale), param("hold", hold), param("batch", r.batch), param("in_flight", r.publishers),
		rate(r.rate / float64(r.batch))}}
}

// Rates of the two kinds of requests, in messages a second: half of what as many
// publishers did who each made the next request when the last was answered
// (bench/results/kept-2026-11-22). They are fixed, so that results of different
// days and revisions are of the same load; loadgen search finds what a machine
// does at most.
const (
	singleRate = 4_400
	batchRate  = 53_000
)

// Publishers of the two kinds of requests: each has one request under way, so
// it takes several to keep a disk busy.
const (
	singlePublishers = 16
	batchPublishers  = 4
	batchSize        = 100
)

// push measures kept pushes to connected devices.
func (x *keptRun) push(ctx context.Context) error {
	rows := x.pushRows()
	for round := range x.opt.Rounds {
		for _, i := range runOrder(len(rows), round) {
			if _, err := x.load(ctx, round, rows[i].name(), rows[i].store, rows[i].load(x, x.opt.Hold)); err != nil {
				return err
			}
			fmt.Fprintf(x.out, "round %d  %s\n", round+1, rows[i].name())
		}
	}
	profiles := make([]*pushProfile, len(rows))
	for i, row := range rows {
		var err error
		for try := 1; try == 1 || try <= attempts && len(profiles[i].Invalid) > 0 && !x.opt.Quick; try++ {
			if profiles[i], err = x.profilePush(ctx, row); err != nil {
				return err
			}
		}
		for _, why := range profiles[i].Invalid { // shares stand more than times do
			x.notes = append(x.notes, fmt.Sprintf("profile of %s: %s", row.name(), why))
		}
	}
	if err := x.writeJSON("profiles", profiles); err != nil {
		return err
	}
	x.reportPush(rows, profiles)
	return nil
}

// pushRows plans the loads.
func (x *keptRun) pushRows() (rows []pushRow) {
	x.printf("\n## Kept pushes to connected devices\n\n128 bytes to %d devices in turn, JSON, acknowledged, at fixed rates; at most %d requests under way, with batches %d.\n",
		1000/x.scale, singlePublishers, batchPublishers)
	for _, store := range []string{"file", "memory"} {
		rows = append(rows, pushRow{store, 1, singlePublishers, x.opt.SingleRate, targetSingle}, pushRow{store, batchSize, batchPublishers, x.opt.BatchRate, targetBatch})
	}
	return rows
}

// pushProfile is the profile of one row, and what else only a run of its own
// can be asked for.
type pushProfile struct {
	Row       string   `json:"row"`
	Profile   *profile `json:"profile"`
	Syncs     float64  `json:"fdatasyncs_per_message"` // negative: unknown
	PerSecond float64  `json:"messages_per_second"`
	Invalid   []string `json:"invalid,omitempty"`
}

// profilePush repeats a row's load with a CPU profile, and with the count of
// fdatasync if perf is there to count: both cost something, so this run is not
// measured otherwise.
func (x *keptRun) profilePush(ctx context.Context, row pushRow) (p *pushProfile, err error) {
	v, err := x.start(ctx, row.store, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = stopped(err, v) }()
	type ended struct {
		cell *keptCell
		err  error
	}
	done := make(chan ended, 1)
	// The load outlasts the profile, which begins with the warm-up before it.
	go func() {
		cell, err := x.on(ctx, v, 0, 1, "profiled-"+row.name(), row.load(x, profileTime(x.opt.Hold)+time.Second))
		done <- ended{cell, err}
	}()
	p = &pushProfile{Row: row.name(), Syncs: -1}
	file := filepath.Join(x.opt.Out, "runs", row.name()+".pb.gz")
	err = x.profile(ctx, v, file, p)
	e := <-done
	if err != nil {
		return nil, err
	}
	if e.err != nil {
		return nil, e.err
	}
	p.Invalid = slices.Concat(e.cell.Invalid, e.cell.Faults)
	if n := acceptedPerSecond(e.cell.Result); n > 0 {
		p.PerSecond = n
		if p.Syncs >= 0 {
			p.Syncs /= n
		}
	}
	if p.Profile, err = readProfile(file); err != nil {
		return nil, err
	}
	return p, nil
}

// profile takes a CPU profile, beginning when messages flow, and counts
// syncs meanwhile.
func (x *keptRun) profile(ctx context.Context, v *server, file string, p *pushProfile) error {
	for end := time.Now().Add(startTime); ; time.Sleep(50 * time.Millisecond) {
		m, err := v.metrics(ctx)
		if err != nil {
			return err
		}
		if m[`roost_kept_messages_total{from="published"}`] > 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("profile: no message within %v", startTime)
		}
	}
	syncs := make(chan float64, 1)
	go func() { syncs <- countSyncs(ctx, v.PID(), profileTime(x.opt.Hold)) }()
	defer func() { p.Syncs = <-syncs }()
	length := profileTime(x.opt.Hold)
	return cpuprofile.Take(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", v.API(), int(length.Seconds())), length, file)
}

// profileTime is how long a profile is taken: at 100 samples a second of CPU
// time, twice as long as a load is held gives shares to a twentieth.
func profileTime(hold time.Duration) time.Duration {
	return max(2*hold.Truncate(time.Second), time.Second)
}

// countSyncs returns a process's fdatasync calls a second, negative if they
// cannot be counted: that takes perf and the right to trace.
func countSyncs(ctx context.Context, pid int, d time.Duration) float64 {
	out, err := exec.CommandContext(ctx, "perf", "stat", "-x", ",", "-e", "syscalls:sys_enter_fdatasync", "-p", strconv.Itoa(pid),
		"--", "sleep", fmt.Sprint(d.Seconds())).CombinedOutput()
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(line, ","); len(f) > 2 && strings.Contains(f[2], "fdatasync") {
			if n, err := strconv.ParseFloat(f[0], 64); err == nil {
				return n / d.Seconds()
			}
		}
	}
	return -1
}

// reportPush writes the tables.
func (x *keptRun) reportPush(rows []pushRow, profiles []*pushProfile) {
	x.printf("\nThe user part is divided by a CPU profile from a run of its own: by the innermost frame on each stack that is roost's or net/http's.\nHTTP: net/http, server/api, server/metrics and what they call. Runtime: scheduler and collector, on no stack of either. Kernel: system time,\nand how much of it is for whom by the same profile.\n")
	x.printf("\n| store | load | accepted/s | total us | HTTP | **ours** | target | runtime | kernel | of it HTTP | ours | runtime | generator us |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for i, row := range rows {
		p := profiles[i].Profile
		micros := func(of func(r *result.Result) float64) string {
			return x.number(row.name(), "%.2f", func(c *keptCell) float64 { return of(c.Result) })
		}
		user := func(of part) string {
			return micros(func(r *result.Result) float64 { return serverMicros(userOf)(r) * p.userShare(of) })
		}
		kernel := func(of part) string {
			return micros(func(r *result.Result) float64 { return serverMicros(systemOf)(r) * p.kernelShare(of) })
		}
		x.printf("| %s | %s, %d a request | %s | %s | %s | **%s** | %.0f | %s | %s | %s | %s | %s | %s |\n", row.store, row.words(), row.batch,
			x.number(row.name(), "%.0f", func(c *keptCell) float64 { return acceptedPerSecond(c.Result) }),
			micros(serverMicros(cpuOf)), user(partHTTP), user(partOurs), row.target, user(partRuntime),
			micros(serverMicros(systemOf)), kernel(partHTTP), kernel(partOurs), kernel(partRuntime),
			micros(clientMicros))
	}
	x.reportLatency(rows, profiles)
	x.reportHot(rows, profiles)
}

// reportLatency writes what publishers and devices see, and what the disk does.
func (x *keptRun) reportLatency(rows []pushRow, profiles []*pushProfile) {
	x.printf("\nDelivery: from when the message was due until its device had it; answer: until its publisher had that. A commit is one request's.\n")
	x.printf("\n| store | load | delivery p50 ms | p99 | answer p50 ms | p99 | commits/s | fdatasync/message | fdatasync/s | acks/message |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for i, row := range rows {
		value := func(format string, of func(c *keptCell) float64) string { return x.number(row.name(), format, of) }
		time := func(name string) string {
			return value("%.2f", func(c *keptCell) float64 { return millis(name)(c.Result) })
		}
		perMessage, perSecond := "-", "-"
		if p := profiles[i]; p.Syncs >= 0 {
			perMessage, perSecond = fmt.Sprintf("%.3f", p.Syncs), fmt.Sprintf("%.0f", p.Syncs*p.PerSecond)
		}
		if x.moved(row.name(), syncsMetric) {
			perMessage = value("%.3f", func(c *keptCell) float64 { return c.perMessage(syncsMetric) })
			perSecond = value("%.0f", func(c *keptCell) float64 { return c.perMessage(syncsMetric) * acceptedPerSecond(c.Result) })
		}
		x.printf("| %s | %s, %d a request | %s | %s | %s | %s | %s | %s | %s | %s |\n", row.store, row.words(), row.batch,
			time("delivery.p50"), time("delivery.p99"), time("publish_ack.p50"), time("publish_ack.p99"),
			value("%.0f", func(c *keptCell) float64 { return c.perMessage(counted[1]) * acceptedPerSecond(c.Result) }), perMessage, perSecond,
			value("%.2f", func(c *keptCell) float64 {
				return c.perMessage(messagesIn) - c.perMessage(heartbeatsIn)
			}))
	}
}

// perMessage returns how much a metric has moved for each message published.
func (c *keptCell) perMessage(metric string) float64 {
	return c.Moved[metric] / max(c.Moved[counted[0]], 1)
}

// moved reports whether a metric was there in a load's runs.
func (x *keptRun) moved(name, metric string) bool {
	for _, c := range x.cells {
		if _, ok := c.Moved[metric]; ok && c.Name == name {
			return true
		}
	}
	return false
}

// reportHot names the functions where the user time goes.
func (x *keptRun) reportHot(rows []pushRow, profiles []*pushProfile) {
	x.printf("\nWhere it goes: us per message by the innermost function of roost or net/http (of the runtime where there is none), with what it calls outside; kernel: its system calls.\n")
	for i, row := range rows {
		p := profiles[i].Profile
		total, _ := x.spread(row.name(), func(c *keptCell) float64 { return serverMicros(cpuOf)(c.Result) })
		share, _ := x.spread(row.name(), func(c *keptCell) float64 { return serverMicros(systemOf)(c.Result) / serverMicros(cpuOf)(c.Result) })
		x.printf("\n%s, %s, %d a request (kernel: %.0f %% of %d samples, %.0f %% by the kernel's own count):\n\n", row.store, row.words(), row.batch,
			100*(p.Kernel[partHTTP]+p.Kernel[partOurs]+p.Kernel[partRuntime]), p.Samples, 100*share.Median)
		for _, h := range p.Top[:min(len(p.Top), 12)] {
			kernel := ""
			if h.Kernel {
				kernel = " (kernel)"
			}
			x.printf("- %.2f us %s%s\n", h.Share*total.Median, h.Function, kernel)
		}
	}
}
