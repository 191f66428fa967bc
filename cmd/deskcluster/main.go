// Command deskcluster runs a whole roost cluster on this machine for as long as it
// is wanted: etcd, Redis and some roostd in two zones, all on loopback. It prints
// what to try and ends everything that it started at Ctrl-C.
//
// It is a command of its own, not one of roostctl's: roostctl works on clusters that
// are there and goes where operators are; this starts processes with settings that
// are for a desk (an etcd without fsync, a Redis that keeps nothing on disk).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, stop, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "deskcluster:", err)
		os.Exit(1)
	}
}

// settings are what the command line says.
type settings struct {
	bin   string // folder of roostd and the other commands
	dir   string // for data and logs; empty: a temporary one, removed at the end
	nodes int
}

// maxNodes is what a desk needs, and bounds the ports.
const maxNodes = 9

// parse reads the command line.
func parse(args []string, errout io.Writer) (*settings, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &settings{}
	fs := flag.NewFlagSet("deskcluster", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&s.bin, "bin", filepath.Dir(self), "`folder` of roostd, roostctl and loadgen")
	fs.StringVar(&s.dir, "dir", "", "`folder` for data and logs, which stays (default: a temporary one)")
	fs.IntVar(&s.nodes, "nodes", 3, "how many roostd")
	fs.Usage = func() {
		fmt.Fprint(errout, "usage: deskcluster [flags]\n\nA roost cluster on this machine: etcd, Redis and some roostd on loopback.\nCtrl-C ends all of it; a second one at once.\n\n")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case fs.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q: deskcluster takes flags only", fs.Arg(0))
	case s.nodes < 1 || s.nodes > maxNodes:
		return nil, fmt.Errorf("nodes is %d: want 1 to %d", s.nodes, maxNodes)
	}
	if _, err := os.Stat(s.roostd()); err != nil {
		return nil, fmt.Errorf("no roostd: %w: make build makes it, --bin says where it is", err)
	}
	return s, nil
}

func (s *settings) roostd() string { return filepath.Join(s.bin, "roostd") }

// run is the life of the process. again is called when the first signal has been
// seen: from then on a signal ends the process at once, and the kernel what it
// started (PR_SET_PDEATHSIG).
func run(ctx context.Context, again func(), args []string, out, errout io.Writer) (err error) {
	s, err := parse(args, errout)
	if err != nil {
		return err
	}
	d := &desk{settings: s, out: out}
	defer func() { err = errors.Join(err, d.end()) }()
	if err := d.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // it was ended while it started
		}
		return err
	}
	d.guide()
	d.watch(ctx)
	again()
	fmt.Fprintln(out, "\nending: nodes first, then Redis and etcd; Ctrl-C again cuts")
	return nil
}
