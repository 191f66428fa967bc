package bench

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"roost/bench/compare"
	"roost/bench/experiment"
	"roost/loadgen/result"
)

// PeersOptions says what RunPeers does. Zero fields mean their defaults.
type PeersOptions struct {
	Roostd   string // binary; default bin/roostd
	Loadgen  string // binary; default bin/loadgen
	PeersDir string // built servers; default bench/peers/bin
	Out      string // folder of results; default bench/results/peers-DATE

	Rounds          int           // default 3
	Connections     int           // of idle and broadcast; default 15,000
	EchoConnections int           // default 1,000
	Deliveries      float64       // planned per second; default 45,000
	EchoRate        float64       // planned per second; default 30,000
	Hold            time.Duration // of each load; default 10 s
	Settle          time.Duration // of each plateau of idle connections; default 6 s
	Only            []string      // names of servers; default all
	Quick           bool          // one round of 2,000 connections and short loads, to see that it works

	Command []string // recorded
}

func (o PeersOptions) withDefaults() PeersOptions {
	if o.Quick {
		setDefault(&o.Rounds, 1)
		setDefault(&o.Connections, 2000)
		setDefault(&o.EchoConnections, 200)
		setDefault(&o.Hold, 2*time.Second)
		setDefault(&o.Settle, time.Second)
	}
	setDefault(&o.Roostd, "bin/roostd")
	setDefault(&o.Loadgen, "bin/loadgen")
	setDefault(&o.PeersDir, "bench/peers/bin")
	setDefault(&o.Rounds, 3)
	setDefault(&o.Connections, 15_000)
	setDefault(&o.EchoConnections, 1000)
	setDefault(&o.Deliveries, 45_000)
	setDefault(&o.EchoRate, 30_000)
	setDefault(&o.Hold, 10*time.Second)
	setDefault(&o.Settle, 6*time.Second)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// maxOther is how many cores other work, or the host, may take during a run
// that counts.
const maxOther = 0.25

//go:embed scenarios
var scenarios embed.FS

// peersRun is one RunPeers under way.
type peersRun struct {
	opt     PeersOptions
	out     io.Writer // progress
	servers []peerServer
	table   *table
}

// RunPeers compares roostd with its peers: an experiment for each load, in a
// folder of its own, and a table over all of them. The same call with the same
// folder goes on where it was ended.
func RunPeers(ctx context.Context, opt PeersOptions, out io.Writer) error {
	x := &peersRun{opt: opt.withDefaults(), out: out}
	if err := x.prepare(); err != nil {
		return err
	}
	x.table = &table{Options: x.opt, Began: time.Now().UTC(), Cells: map[runKey]cell{}}
	if err := x.try(ctx); err != nil {
		return err
	}
	for _, l := range x.opt.loads() {
		fmt.Fprintf(out, "\n%s\n", l.title)
		o := x.experiment(l)
		if _, err := experiment.Run(ctx, o, out); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		if err := x.table.read(l.name, o.Out); err != nil {
			return err
		}
	}
	return x.finish()
}

// prepare finds the binaries and makes the folder, with the scenarios in it.
func (x *peersRun) prepare() error {
	opt := &x.opt
	if err := raiseFileLimit(); err != nil {
		return err
	}
	for _, s := range peerServers(opt.Roostd, opt.PeersDir) {
		if s.name != floorName && len(opt.Only) > 0 && !slices.Contains(opt.Only, s.name) {
			continue
		}
		if _, err := os.Stat(s.command[0]); err != nil {
			return fmt.Errorf("%s: %w (make build; bench/peers/build.sh)", s.name, err)
		}
		x.servers = append(x.servers, s)
	}
	for _, name := range opt.Only {
		if !slices.ContainsFunc(x.servers, func(s peerServer) bool { return s.name == name }) {
			return fmt.Errorf("there is no server %q to compare", name)
		}
	}
	given := opt.Out != ""
	var err error
	if opt.Out, err = experiment.Folder(opt.Out, "peers"); err != nil {
		return err
	}
	if given {
		fmt.Fprintf(x.out, "results go to %s\n", opt.Out)
	} else {
		fmt.Fprintf(x.out, "results go to %s; with --out %[1]s this can be taken up again\n", opt.Out)
	}
	return writeScenarios(filepath.Join(opt.Out, "scenarios"))
}

// writeScenarios writes the scenario files into a folder.
func writeScenarios(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	entries, err := fs.ReadDir(scenarios, "scenarios")
	if err != nil {
		return err
	}
	for _, e := range entries {
		text, err := fs.ReadFile(scenarios, "scenarios/"+e.Name())
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, e.Name()), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// try starts every server once. Those that cannot run here, as one on io_uring
// where the kernel has none, are left out, and the table says so.
func (x *peersRun) try(ctx context.Context) error {
	can := x.servers[:0]
	for _, s := range x.servers {
		at, _ := s.at("broadcast")
		r, err := experiment.Serve(ctx, &at, filepath.Join(x.opt.Out, s.name+".log"))
		if err == nil {
			_, err = r.Stop()
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && s.name == floorName:
			return err
		case err != nil:
			x.table.Notes = append(x.table.Notes, err.Error())
			fmt.Fprintf(x.out, "left out: %v\n", err)
			continue
		}
		can = append(can, s)
		x.table.Servers = append(x.table.Servers, s.name)
	}
	x.servers = can
	return nil
}

// experiment is what one load is.
func (x *peersRun) experiment(l load) experiment.Options {
	o := experiment.Options{Scenario: filepath.Join(x.opt.Out, "scenarios", l.file), Params: l.params,
		// Go servers collect their garbage before their memory is read; the
		// others answer that they did.
		Extra:   []string{"--pprof-url", "http://127.0.0.1:{api}", "--no-profile", "--quiet"},
		Loadgen: x.opt.Loadgen, Out: filepath.Join(x.opt.Out, l.name), Pairs: x.opt.Rounds, Warmups: -1, MaxOther: maxOther}
	if x.opt.Quick {
		o.Quiet, o.Retries, o.Cooldown, o.MaxOther = -1, -1, time.Millisecond, 0
	}
	for _, s := range x.servers {
		if at, ok := s.at(l.name); ok {
			o.Servers = append(o.Servers, at)
		}
	}
	return o
}

// finish writes the table.
func (x *peersRun) finish() error {
	var text bytes.Buffer
	x.table.WriteMarkdown(&text)
	_, _ = x.out.Write(text.Bytes())
	if err := os.WriteFile(filepath.Join(x.opt.Out, "table.md"), text.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(x.out, "\nwritten to %s\n", x.opt.Out)
	return nil
}

// read takes the results of one load.
func (t *table) read(load, folder string) error {
	rounds, err := experiment.Rounds(folder)
	if err != nil {
		return err
	}
	var errs []error
	for i, round := range rounds[:min(len(rounds), t.Options.Rounds)] {
		for server, run := range round.Runs {
			r, err := result.ReadFile(run.File)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			t.Cells[runKey{i, server, load}] = newCell(r, run)
		}
	}
	return errors.Join(errs...)
}

// newCell judges a run.
func newCell(r *result.Result, run experiment.Counted) cell {
	c := cell{Result: r, Tries: 1 + run.Repeats}
	for _, v := range r.Validity {
		if v.State == "fail" {
			c.Invalid = append(c.Invalid, fmt.Sprintf("%s %s, limit %s", v.Name, compare.Format(v.Value, v.Unit), compare.Format(v.Limit, v.Unit)))
		}
	}
	if len(c.Invalid) == 0 && (r.Verdict == result.Invalid || r.Verdict == result.Interrupted) {
		c.Invalid = append(c.Invalid, string(r.Verdict))
	}
	if run.Other > maxOther {
		c.Invalid = append(c.Invalid, fmt.Sprintf("other work took %.2f cores", run.Other))
	}
	for _, v := range r.Thresholds {
		if v.State != "pass" {
			c.Failures = append(c.Failures, fmt.Sprintf("%s does not hold: %g", v.Text, v.Value))
		}
	}
	return c
}
