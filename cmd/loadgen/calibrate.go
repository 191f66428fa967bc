package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"

	"roost/loadgen/calibrate"
	"roost/loadgen/coord"
	"roost/loadgen/doctor"
	"roost/loadgen/faultserver"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/validity"
)

// tools are this program's own processes.
func tools(log io.Writer) calibrate.Tools {
	// By its number: in between there may be a shell.
	self := fmt.Sprintf("/proc/%d/exe", os.Getpid())
	return calibrate.Tools{Worker: append([]string{self}, workerCommand[1:]...), Server: []string{self, "calibrate-server"}, Log: log}
}

// workerCommand starts a worker of a run here.
var workerCommand = []string{"/proc/self/exe", "worker", "--inherited"}

// runCalibrate is loadgen calibrate.
func runCalibrate(ctx context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("calibrate", "[--quick]", `Run scenarios against servers of known behaviour, and compare what loadgen
reports with what they did: delays, a freeze, lost, repeated, swapped and damaged
messages, refused connections. It fails if anything is not as it was.`)
	quick := f.Bool("quick", false, "half a minute instead of five")
	verbose := f.Bool("verbose", false, "what workers say as well")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	if len(rest) > 0 {
		return 0, mistake("unexpected argument %q: calibrate takes flags only", rest[0])
	}
	log := io.Discard
	if *verbose {
		log = t.errout
	}
	rows, err := calibrate.Run(ctx, tools(log), *quick, t.errout)
	if werr := calibrate.WriteTable(t.out, rows); err == nil {
		err = werr
	}
	if err != nil {
		return coord.ExitOf(nil, err), err
	}
	switch failed, long := calibrate.Failed(rows), calibrate.TooLong(rows); {
	case failed > long:
		return coord.ExitBreached, fmt.Errorf("%d of %d figures are not what they should be: do not believe loadgen", failed, len(rows))
	case failed > 0:
		return coord.ExitBreached, fmt.Errorf("%d of %d figures are times that are too long: this machine is too busy for latencies, see loadgen doctor", failed, len(rows))
	}
	_, err = fmt.Fprintf(t.out, "all %d figures are what they should be\n", len(rows))
	return 0, err
}

// runBehave is loadgen calibrate-server, a server of known behaviour.
func runBehave(ctx context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("calibrate-server", "[--listen HOST:PORT] [--behave ...]", `Be a server of known behaviour: echo at /, to all at /all and by POST /broadcast,
what was done at /truth. It ends with its standard input.`)
	listen := f.String("listen", "127.0.0.1:0", "`address` to listen on")
	text := f.String("behave", "", "faults: some of "+faultserver.Usage())
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	if len(rest) > 0 {
		return 0, mistake("unexpected argument %q: calibrate-server takes flags only", rest[0])
	}
	b, err := faultserver.Parse(*text)
	if err != nil {
		return 0, mistake("--behave: %v", err)
	}
	return 0, faultserver.Serve(ctx, t.in, t.out, *listen, b)
}

// runDoctor is loadgen doctor.
func runDoctor(ctx context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("doctor", "", `Find out what loadgen is worth on this machine: its clock, how late it wakes, what
it adds to a latency, its ceiling, room for connections and what each costs.`)
	clients := f.Int("count", doctor.DefaultClients, "`number` of connections to measure memory with")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	if len(rest) > 0 || *clients < 1 {
		return 0, mistake("want doctor, or doctor --count with a number of at least 1")
	}
	d := doctor.Doctor{Tools: tools(io.Discard), Clients: *clients, Say: t.errout}
	figures, err := d.Look(ctx)
	if werr := doctor.Write(t.out, figures); err == nil {
		err = werr
	}
	if err != nil {
		return coord.ExitOf(nil, err), err
	}
	if n := doctor.Bad(figures); n > 0 {
		return coord.ExitShort, fmt.Errorf("%d of %d figures are not what they should be", n, len(figures))
	}
	return 0, nil
}

// ceiling returns the lookup of what workers of this machine can do at most: nil
// where it is not asked for.
func (r *runFlags) ceiling(errout io.Writer) func(context.Context, *scenario.Scenario, int) (*validity.Ceiling, error) {
	if r.noCeiling || r.expect > 0 { // it knows nothing of other machines
		return nil
	}
	tool := coord.ThisTool("loadgen")
	store := calibrate.Store{Refresh: r.refresh, Say: errout, Facts: append(doctor.Facts(), result.Fact{Name: "go", Value: tool.Go},
		result.Fact{Name: "version", Value: tool.Version}, result.Fact{Name: "revision", Value: tool.Revision})}
	var err error
	if store.Dir, err = calibrate.DefaultDir(); err != nil {
		fmt.Fprintf(errout, "loadgen: ceilings are not kept: %v\n", err)
	}
	tl := tools(io.Discard)
	store.Measure = tl.Ceiling
	return func(ctx context.Context, s *scenario.Scenario, workers int) (*validity.Ceiling, error) {
		if s.Validity.CeilingFactor <= 0 || workers < 1 {
			return nil, nil
		}
		c, err := store.Of(ctx, s, min(workers, runtime.NumCPU())) // more do no more
		store.Refresh = false                                      // once for a search
		return c, err
	}
}
