package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/coord"
	"roost/loadgen/link"
	"roost/loadgen/preflight"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/worker"
	"roost/loadgen/workerpool"
)

// tokenEnv holds the token where it is not on the command line, which others
// can read.
const tokenEnv = "LOADGEN_TOKEN"

// workerProcs is GOMAXPROCS of a worker that is a process: its loop sits in
// system calls that Go's scheduler cannot see and keeps one, the reporter and
// the collector need another.
const workerProcs = 3

// crowded is the environment of workers of which there are more than processors.
// With a single P the runtime's monitor thread goes to sleep soon after the last
// thread has; with an idle one beside it, it looks each 20 us for a millisecond
// and ever less often for ten (Go 1.26, sysmon and retake in runtime/proc.go),
// which is 0.1 ms of a core for each wake-up of each process.
func crowded(workers int) []string {
	if workers <= runtime.NumCPU() || os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	return []string{"GOMAXPROCS=1"}
}

// workerGC is GOGC of a process with a worker in it, unless the environment
// has one. What a worker holds for its clients is free of pointers and costs a
// collection nothing; of 18 MB with 18,500 clients this keeps 5 from piling up
// in between.
const workerGC = 30

// keepSmall sets it.
func keepSmall() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(workerGC)
	}
}

// parts are those of every worker.
func parts() worker.Parts {
	return worker.Parts{
		Clock: clock.New(),
		Read: func(text string) (*scenario.Scenario, error) {
			return scenario.Parse("plan.yaml", []byte(text), scenario.ParseOptions{})
		},
		Check: func(s *scenario.Scenario, here, workers int) ([]string, error) {
			return shortfalls(context.Background(), s, preflight.Workers{Here: here, All: workers}, nil)
		},
		New: func(cfg swarm.Config) (swarm.Swarm, error) {
			w, err := swarm.New(cfg)
			if err != nil {
				return nil, err
			}
			return w, nil
		},
		Watch: worker.WatchProcess,
	}
}

// runWorker is loadgen worker.
func runWorker(ctx context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("worker", "--join HOST:PORT --token T", `Be a worker of a run that another machine coordinates with
loadgen run --listen. It ends with the run. (Workers of the same machine are
started by loadgen run itself.)`)
	join := f.String("join", "", "`address` at which the coordinator listens")
	token := f.String("token", os.Getenv(tokenEnv), "what the coordinator asks for (default: $"+tokenEnv+")")
	retry := f.Duration("retry", time.Minute, "how long to try when nobody listens there yet")
	inherited := f.Bool("inherited", false, "use the socket of the process that has started this one")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	if len(rest) > 0 {
		return 0, mistake("unexpected argument %q: worker takes flags only", rest[0])
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(workerProcs, runtime.NumCPU()+1))
	}
	keepSmall()
	p := parts()
	p.Token = *token
	var l link.Link
	switch {
	case *inherited:
		l, err = workerpool.Inherited()
	case *join == "":
		return 0, mistake("say where the coordinator is: --join HOST:PORT")
	default:
		l, err = dialCoordinator(ctx, *join, *retry)
	}
	if err != nil {
		return 0, err
	}
	if err := worker.Serve(ctx, l, p); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return coord.ExitInterrupted, nil
		}
		return 0, err
	}
	return 0, nil
}

// dialCoordinator connects, and tries again as long as nobody listens.
func dialCoordinator(ctx context.Context, addr string, retry time.Duration) (link.Link, error) {
	ctx, cancel := context.WithTimeout(ctx, max(retry, time.Second))
	defer cancel()
	var d net.Dialer
	for {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			l := link.NewConn(c)
			l.Trust()
			return l, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("joining %s: %w", addr, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
