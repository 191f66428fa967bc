package bench

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"roost/bench/experiment"
	"roost/bench/stats"
	"roost/loadgen/result"
	"roost/loadgen/usage"
)

// KeptOptions says what RunKept does. Zero fields mean their defaults.
type KeptOptions struct {
	Roostd  string // binary; default bin/roostd
	Loadgen string // binary; default bin/loadgen
	Out     string // folder of results; default bench/results/kept-DATE
	Data    string // folder where stores are made: a real disk; default that of temporary files

	Rounds     int           // default 3
	Hold       time.Duration // of each load; default 10 s
	Settle     time.Duration // before memory is read; default 6 s
	SingleRate float64       // kept pushes a second, one a request; default 4,400
	BatchRate  float64       // the same in batches; default 53,000
	Only       []string      // parts: push, broadcast, recovery, crash, idle; default all
	Quick      bool          // one round, a tenth of the devices and short loads, to see that it works

	Command []string // recorded
}

func (o KeptOptions) withDefaults() KeptOptions {
	if o.Quick {
		setDefault(&o.Rounds, 1)
		setDefault(&o.Hold, 2*time.Second)
		setDefault(&o.Settle, time.Second)
	}
	setDefault(&o.Roostd, "bin/roostd")
	setDefault(&o.Loadgen, "bin/loadgen")
	setDefault(&o.Data, os.TempDir())
	setDefault(&o.Rounds, 3)
	setDefault(&o.Hold, 10*time.Second)
	setDefault(&o.Settle, 6*time.Second)
	setDefault(&o.SingleRate, singleRate)
	setDefault(&o.BatchRate, batchRate)
	return o
}

// keptRun is one RunKept under way.
type keptRun struct {
	opt   KeptOptions
	gen   generator
	out   io.Writer
	scale int           // divides numbers of devices
	lazy  time.Duration // see lazyTime
	text  bytes.Buffer
	cells []*keptCell
	notes []string
}

// keptCell is one run of one load, and what beside the generator was read.
type keptCell struct {
	Name    string             `json:"name"`
	Round   int                `json:"round"`
	Tries   int                `json:"tries"`
	Invalid []string           `json:"invalid,omitempty"` // why it does not count
	Faults  []string           `json:"faults,omitempty"`  // what the node did wrong
	Moved   map[string]float64 `json:"metrics,omitempty"` // by how much the node's metrics have moved
	Result  *result.Result     `json:"-"`
}

// counts reports whether the run is a result.
func (c *keptCell) counts() bool { return len(c.Invalid)+len(c.Faults) == 0 }

// keptLoad is a scenario with its parameters.
type keptLoad struct {
	file   string
	params []string
}

// RunKept measures kept messages on one node: CPU and latency of pushes,
// broadcasts with acknowledgements, recovery after a crash, and the memory of
// idle devices. It prints a report to out and writes it, with the raw results,
// to a folder. If it is ended by an error or by ctx, what there was until then is
// written.
func RunKept(ctx context.Context, opt KeptOptions, out io.Writer) error {
	if err := checkOnly(opt.Only, sectionNames((*keptRun)(nil).sections())); err != nil {
		return err
	}
	x, err := newKeptRun(opt, out)
	if err != nil {
		return err
	}
	err = runSections(ctx, x.sections(), x.opt.Only)
	if err != nil {
		x.printf("\nThis is not all: %v\n", err)
	}
	return errors.Join(err, x.finish())
}

// sections are in the order of the report.
func (x *keptRun) sections() []section {
	return []section{{"push", x.push}, {"broadcast", x.broadcast}, {"recovery", x.recovery}, {"crash", x.crash}, {"idle", x.idle}}
}

// newKeptRun makes the folder and the report's head.
func newKeptRun(opt KeptOptions, out io.Writer) (*keptRun, error) {
	x := &keptRun{opt: opt.withDefaults(), out: out, scale: 1, lazy: lazyTime}
	if x.opt.Quick {
		x.scale = 10
	}
	if err := raiseFileLimit(); err != nil {
		return nil, err
	}
	var err error
	if x.opt.Out, err = resultFolder(opt.Out, "kept"); err != nil {
		return nil, err
	}
	if err := writeScenarios(filepath.Join(x.opt.Out, "scenarios")); err != nil {
		return nil, err
	}
	x.gen = generator{path: x.opt.Loadgen, folder: filepath.Join(x.opt.Out, "runs")}
	return x, x.writeHead()
}

// finish writes what there is.
func (x *keptRun) finish() error {
	x.writeNotes()
	if err := x.writeJSON("cells", x.cells); err != nil {
		return err
	}
	fmt.Fprintf(x.out, "\nwritten to %s\n", x.opt.Out)
	return os.WriteFile(filepath.Join(x.opt.Out, "report.md"), x.text.Bytes(), 0o644)
}

// writeHead writes what was measured where.
func (x *keptRun) writeHead() error {
	disk, err := readDisk(x.opt.Data)
	if err != nil {
		return err
	}
	x.printf("# Kept messages, %s\n\n    %s\n\n%s\n\n%sStores on %s.\n", time.Now().Format(time.DateOnly), strings.Join(x.opt.Command, " "),
		usage.ReadEnv(), revision(x.opt.Roostd), disk)
	x.printf("%d rounds of %v each; median [min-max]. us: CPU of roostd's process in microseconds. A run that other work disturbed by more than %.2f cores,\nor whose generator was the limit, is tried %d times and counts only if it was undisturbed then; in parentheses what it read.\n",
		x.opt.Rounds, x.opt.Hold, maxOther, attempts)
	return nil
}

// revision says which commit a binary was built from, where that is in it.
func revision(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return fmt.Sprintf("roostd is of %s. ", s.Value[:min(len(s.Value), 12)])
		}
	}
	return ""
}

// fileSystems names those that a store may be on, by the magic number that
// statfs gives.
var fileSystems = map[int64]string{0xef53: "ext4", 0x01021994: "tmpfs (no disk: syncs cost nothing)", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x794c7630: "overlayfs"}

// readDisk describes a folder's file system and how long it takes to sync.
func readDisk(folder string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return "", fmt.Errorf("data %s: %w", folder, err)
	}
	name := fileSystems[int64(fs.Type)]
	setDefault(&name, fmt.Sprintf("file system %#x", fs.Type))
	f, err := os.CreateTemp(folder, "bench")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const n, size = 200, 300
	block := make([]byte, n*size) // written once before: appending would sync the file's length too
	if _, err := f.WriteAt(block, 0); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	var took []float64
	for i := range n {
		began := time.Now()
		if _, err := f.WriteAt(block[:size], int64(i*size)); err != nil {
			return "", err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return "", err
		}
		took = append(took, float64(time.Since(began).Microseconds()))
	}
	s := stats.Summarize(took)
	return fmt.Sprintf("%s (%s); 300 bytes and fdatasync there: median %.0f us [%.0f-%.0f]", folder, name, s.Median, s.Min, s.Max), nil
}

// printf writes to the report and shows it.
func (x *keptRun) printf(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	x.text.WriteString(s)
	_, _ = io.WriteString(x.out, s)
}

// start starts a roostd with a store of a kind.
func (x *keptRun) start(ctx context.Context, store, dir string) (*server, error) {
	logs := filepath.Join(x.opt.Out, "nodes")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, err
	}
	return startServer(ctx, x.opt.Roostd, store, x.opt.Data, dir, logs)
}

// counted are the metrics whose movement is recorded.
var counted = []string{`roost_kept_messages_total{from="published"}`, `roost_store_commits_total{result="stored"}`,
	"roost_kept_sends_total", syncsMetric, messagesIn, heartbeatsIn, `roost_api_request_seconds_count{route="publish",status="200"}`}

// messagesIn and heartbeatsIn count what devices say: the rest are
// acknowledgements.
const (
	messagesIn   = "roost_messages_in_total"
	heartbeatsIn = "roost_heartbeats_total"
)

// syncsMetric counts how often the store has synced, where the node says so.
const syncsMetric = "roost_store_syncs_total"

// load puts one load on a fresh node and keeps the cell.
func (x *keptRun) load(ctx context.Context, round int, name, store string, l keptLoad) (*keptCell, error) {
	cell, err := x.undisturbed(ctx, round, name, store, l)
	if err == nil {
		x.cells = append(x.cells, cell)
	}
	return cell, err
}

// undisturbed puts a load on a node, again if it does not count. Every try has a
// node of its own: what one leaves must not weigh on the next.
func (x *keptRun) undisturbed(ctx context.Context, round int, name, store string, l keptLoad) (*keptCell, error) {
	for try := 1; ; try++ {
		cell, err := x.try(ctx, round, try, name, store, l)
		if err != nil {
			return nil, err
		}
		if cell.counts() || try == attempts || x.opt.Quick {
			return cell, nil
		}
		select { // what disturbed it may be over by then
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(try) * retryPause):
		}
	}
}

func (x *keptRun) try(ctx context.Context, round, try int, name, store string, l keptLoad) (cell *keptCell, err error) {
	v, err := x.start(ctx, store, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = stopped(err, v) }()
	return x.on(ctx, v, round, try, name, l)
}

// stopped joins an error with that of stopping the server.
func stopped(err error, v *server) error {
	if end := v.stop(); err == nil {
		return end
	}
	return err
}

// on puts one load on a node.
func (x *keptRun) on(ctx context.Context, v *server, round, try int, name string, l keptLoad) (*keptCell, error) {
	before, err := v.metrics(ctx)
	if err != nil {
		return nil, err
	}
	r, other, err := x.gen.observed(ctx, fmt.Sprintf("round%d-%s-%d", round+1, name, try), v, l.file, l.params)
	if err != nil {
		return nil, err
	}
	after, err := v.metrics(ctx)
	if err != nil {
		return nil, err
	}
	judged := newCell(r, experiment.Counted{Other: other})
	cell := &keptCell{Name: name, Round: round, Tries: try, Invalid: judged.Invalid, Faults: judged.Failures, Result: r, Moved: map[string]float64{}}
	for _, m := range counted {
		if value, ok := after[m]; ok {
			cell.Moved[m] = value - before[m]
		}
	}
	return cell, nil
}

// number writes the median of what the rounds of a load read; in parentheses if
// none of them counts.
func (x *keptRun) number(name, format string, value func(c *keptCell) float64) string {
	s, counts := x.spread(name, value)
	if !counts && s.N > 0 {
		return "(" + text(s, format) + ")"
	}
	return text(s, format)
}

// spread summarizes the rounds that count, or all of them when none does.
func (x *keptRun) spread(name string, value func(c *keptCell) float64) (s stats.Spread, counts bool) {
	var good, all []float64
	for _, c := range x.cells {
		if c.Name != name {
			continue
		}
		all = append(all, value(c))
		if c.counts() {
			good = append(good, value(c))
		}
	}
	if len(good) > 0 {
		return stats.Summarize(good), true
	}
	return stats.Summarize(all), false
}

// writeNotes lists what did not count and why.
func (x *keptRun) writeNotes() {
	left := 0
	for _, c := range x.cells {
		if !c.counts() {
			left++
			x.notes = append(x.notes, fmt.Sprintf("%s, round %d: %s", c.Name, c.Round+1, strings.Join(slices.Concat(c.Invalid, c.Faults), "; ")))
		}
	}
	x.printf("\n%d runs, %d of them do not count.\n", len(x.cells), left)
	for _, n := range x.notes {
		x.printf("- %s\n", n)
	}
}

// writeJSON writes v beside the runs.
func (x *keptRun) writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(x.opt.Out, "runs", name+".json"), append(data, '\n'), 0o644)
}
