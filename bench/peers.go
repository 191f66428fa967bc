package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"roost/loadgen"
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
	Settle          time.Duration // before memory is read; default 6 s
	Only            []string      // names of subjects; default all
	Saturated       bool          // also a closed loop, which says little: see the table
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

// attempts is how often a run is tried that does not count.
const attempts = 3

// retryPause is the pause before a run is tried again, twice that the next time.
const retryPause = 5 * time.Second

// peersRun is one RunPeers under way.
type peersRun struct {
	opt      PeersOptions
	gen      generator
	out      io.Writer // progress
	subjects []Subject
	phases   []phase
	table    *Table
}

// RunPeers compares roostd with its peers, prints the table to out and writes
// it, with the raw results, to a folder.
func RunPeers(ctx context.Context, opt PeersOptions, out io.Writer) error {
	x := &peersRun{opt: opt.withDefaults(), out: out}
	if err := x.prepare(); err != nil {
		return err
	}
	floor := x.subjects[slices.IndexFunc(x.subjects, func(s Subject) bool { return s.Name == floorName })]
	ceiling, err := x.ceiling(ctx, floor)
	if err != nil {
		return err
	}
	r, notes := x.opt.ratesUnder(ceiling)
	x.phases = x.opt.phases(r)
	x.table = &Table{Options: x.opt, Ceiling: ceiling, Rates: r, Notes: notes, Began: time.Now().UTC(), Cells: map[Key]Cell{}}
	for _, s := range x.subjects {
		x.table.Subjects = append(x.table.Subjects, s.Name)
	}
	for round := range x.opt.Rounds {
		for _, i := range Order(len(x.subjects), round) {
			if err := x.one(ctx, round, x.subjects[i]); err != nil {
				return err
			}
		}
	}
	return x.finish()
}

// prepare finds the binaries and makes the folder.
func (x *peersRun) prepare() error {
	opt := &x.opt
	if err := raiseFileLimit(); err != nil {
		return err
	}
	for _, s := range subjects(opt.Roostd, opt.PeersDir) {
		if s.Name != floorName && len(opt.Only) > 0 && !slices.Contains(opt.Only, s.Name) {
			continue
		}
		if _, err := os.Stat(s.Path); err != nil {
			return fmt.Errorf("%s: %w (make build; bench/peers/build.sh)", s.Name, err)
		}
		x.subjects = append(x.subjects, s)
	}
	for _, name := range opt.Only {
		if !slices.ContainsFunc(x.subjects, func(s Subject) bool { return s.Name == name }) {
			return fmt.Errorf("there is no server %q to compare", name)
		}
	}
	var err error
	opt.Out, err = resultFolder(opt.Out, "peers")
	x.gen = generator{path: opt.Loadgen, folder: filepath.Join(opt.Out, "runs")}
	return err
}

// ceiling measures what the generator can do.
func (x *peersRun) ceiling(ctx context.Context, floor Subject) (c Ceiling, err error) {
	v, err := floor.start(ctx, x.log(floor))
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	for _, p := range []phase{
		{name: "broadcast", mode: loadgen.ModeBroadcast, args: []string{"--connections", fmt.Sprint(x.opt.Connections)}},
		{name: "echo", mode: loadgen.ModeEcho, args: []string{"--connections", fmt.Sprint(x.opt.EchoConnections)}},
	} {
		p.args = append(p.args, "--hold", min(ceilingHold, x.opt.Hold).String())
		r, err := x.load(ctx, v, p, "ceiling-"+p.name)
		if err != nil {
			return c, err
		}
		if err := v.quiet(ctx); err != nil {
			return c, err
		}
		if b := r.Broadcast; b != nil {
			c.Deliveries, c.DeliveriesPerCore = b.PerSecond, 1e6/b.ClientMicros
		}
		if e := r.Echo; e != nil {
			c.Echoes, c.EchoesPerCore = e.PerSecond, 1e6/e.ClientMicros
		}
	}
	fmt.Fprintf(x.out, "generator's ceiling: %.0f deliveries/s (%.0f per core), %.0f echoes/s (%.0f per core)\n",
		c.Deliveries, c.DeliveriesPerCore, c.Echoes, c.EchoesPerCore)
	return c, nil
}

func (x *peersRun) log(s Subject) string { return filepath.Join(x.opt.Out, s.Name+".log") }

// one puts all loads on one subject.
func (x *peersRun) one(ctx context.Context, round int, s Subject) error {
	began := time.Now()
	v, err := s.start(ctx, x.log(s))
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		x.table.Notes = append(x.table.Notes, fmt.Sprintf("round %d: %v", round+1, err))
		return nil
	}
	for _, p := range x.phases {
		if p.mode == loadgen.ModeEcho && !s.Echo {
			continue
		}
		if err = x.phase(ctx, round, v, p); err != nil {
			break
		}
	}
	err = errors.Join(err, v.stop())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		x.table.Notes = append(x.table.Notes, fmt.Sprintf("round %d: %v", round+1, err))
	}
	fmt.Fprintf(x.out, "round %d  %-18s %v\n", round+1, s.Name, time.Since(began).Round(time.Second))
	return nil
}

// phase puts one load on a server, again if the run does not count.
func (x *peersRun) phase(ctx context.Context, round int, v *server, p phase) error {
	for try := 1; ; try++ {
		if err := v.quiet(ctx); err != nil {
			return err
		}
		r, err := x.load(ctx, v, p, fmt.Sprintf("round%d-%s-%s-%d", round+1, v.Name, p.name, try))
		if err != nil {
			return err
		}
		cell := Cell{Result: r, Tries: try, Invalid: r.ClientBound, Failures: r.Failures}
		if other := p.timed(r).Other(); other > maxOther {
			cell.Invalid = append(cell.Invalid, fmt.Sprintf("other work took %.2f cores", other))
		}
		x.table.Cells[Key{round, v.Name, p.name}] = cell
		// Memory can only be measured on a fresh server.
		if len(cell.Invalid) == 0 || try == attempts || x.opt.Quick || p.mode == loadgen.ModeIdle {
			return nil
		}
		select { // what disturbed it may be over by then
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * retryPause):
		}
	}
}

// load puts one load on a server.
func (x *peersRun) load(ctx context.Context, v *server, p phase, name string) (*loadgen.Result, error) {
	return x.gen.run(ctx, name, join([]string{"--mode", p.mode}, v.urlArgs(p.mode), p.args))
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
