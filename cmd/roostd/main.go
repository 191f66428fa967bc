// Command roostd is one roost node: it holds the long-lived WebSockets of
// devices and delivers what is published to them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	_ "time/tzdata" // zones of maintenance nights, on machines that have none

	"roost/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "roostd:", err)
		os.Exit(1)
	}
}

// run is the life of the process.
func run(ctx context.Context, args []string, out, errout io.Writer) error {
	s, err := parse(args, os.Getenv, errout)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(errout, nil))
	s.opt.Log = log
	if s.opt.Loops == 0 {
		s.opt.Loops = runtime.NumCPU()
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(s.opt.Loops + spareProcs)
	}
	if s.cluster.on() {
		return runMember(ctx, s, out)
	}
	if s.opt.Inbox, err = openInbox(s, log); err != nil {
		return err
	}
	srv, err := server.New(s.opt)
	if err != nil {
		return errors.Join(err, s.opt.Inbox.Close())
	}
	defer startMeasuring(srv, s.opt.Loops)()
	ready(out, s, srv)
	select {
	case <-ctx.Done():
	case err := <-srv.Failed():
		srv.Close()
		return fmt.Errorf("api: %w", err)
	}
	// A second signal ends the drain.
	again, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return srv.Drain(again)
}

// spareProcs is added to the number of loops for GOMAXPROCS: a busy loop sits
// in raw system calls that the scheduler cannot see, and API requests need a
// processor of their own. See bench/results for the measurement.
const spareProcs = 1
