package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"roost/loadgen/coord"
	"roost/loadgen/live"
	"roost/loadgen/preflight"
	"roost/loadgen/report"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
)

// runFlags are those of loadgen run.
type runFlags struct {
	scenarioFlags
	views     viewFlags
	workers   string
	listen    string
	expect    int
	token     string
	wait      time.Duration
	allowLoss bool
	labels    pairs
	out, html string
	noProfile bool
	dryRun    bool
	unchecked bool
	noCeiling bool
	refresh   bool
}

func (r *runFlags) add(f *flags) {
	r.scenarioFlags.add(f)
	f.StringVar(&r.workers, "workers", "auto", "`number` of worker processes on this machine; auto: as descriptors and the plan want")
	f.StringVar(&r.listen, "listen", "", "`address` at which workers of other machines join")
	f.IntVar(&r.expect, "expect", 0, "`number` of workers that join from other machines")
	f.StringVar(&r.token, "token", os.Getenv(tokenEnv), "what they have to know (default: $"+tokenEnv+", or a random one that is printed)")
	f.DurationVar(&r.wait, "wait", time.Minute, "how long they have to join")
	r.views.add(f)
	f.BoolVar(&r.allowLoss, "allow-loss", false, "go on when a worker is lost; the result says so")
	f.Var(&r.labels, "label", "`name=value` for the result, such as commit=abc; many times")
	f.BoolVar(&r.noCeiling, "no-ceiling", false, "do not find out what the generator can do at most, which takes 5 s once on each machine")
	f.BoolVar(&r.refresh, "refresh-ceiling", false, "find it out again")
	f.BoolVar(&r.unchecked, "skip-preflight", false, "try it even if this machine does not seem to be enough")
}

// addOwn adds the flags of run that a search, which is many runs, has not.
func (r *runFlags) addOwn(f *flags) {
	f.StringVar(&r.out, "out", "", "`file` for the result as JSON")
	f.StringVar(&r.html, "html", "", "`file` for the report as one HTML page")
	r.views.addOwn(f)
	f.BoolVar(&r.noProfile, "no-profile", false, "take no CPU profile of a server with --pprof-url: it costs the server a few percent")
	f.BoolVar(&r.dryRun, "dry-run", false, "print what would be done and what it takes, and whether this machine has that")
}

// runRun is loadgen run.
func runRun(ctx context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("run", "SCENARIO [flags]", `Run a scenario, a file or one of "loadgen scenarios", against a server, and
judge it. A run in which the generator was the limit is INVALID, and no result.`)
	f.after = "\n" + exitCodes
	var r runFlags
	r.add(f)
	r.addOwn(f)
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	name, err := f.one(rest, "a scenario: a file, or one of loadgen scenarios")
	if err != nil {
		return 0, err
	}
	s, err := r.load(name)
	if err != nil {
		return 0, err
	}
	workers, err := r.countWorkers(ctx, s)
	if err != nil {
		return 0, err
	}
	lacking, err := shortfalls(ctx, s, workers, t.errout)
	if err != nil {
		return 0, err
	}
	if r.dryRun {
		if err := probed(s); err != nil {
			return 0, err
		}
		return r.plan(s, workers, lacking, t.out)
	}
	if len(lacking) > 0 && !r.unchecked {
		return coord.ExitShort, &coord.ShortError{Lines: lacking}
	}
	return r.show(ctx, s, workers, append([]string{"loadgen", "run"}, args...), t)
}

// show runs the scenario, shows it meanwhile, and publishes what was found.
func (r *runFlags) show(ctx context.Context, s *scenario.Scenario, workers preflight.Workers, argv []string, t terminal) (exit coord.Exit, err error) {
	if err := writable(r.out, r.html); err != nil {
		return 0, err
	}
	v, err := r.views.open(t)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	o, err := r.options(s, workers, argv, t)
	if err != nil {
		return 0, err
	}
	o.View, o.Log = v, v.log
	res, err := coord.Run(ctx, o)
	if err != nil {
		return coord.ExitOf(nil, err), err
	}
	return coord.ExitOf(res, nil), r.publish(res, v.report)
}

// countWorkers says how many workers there are.
func (r *runFlags) countWorkers(ctx context.Context, s *scenario.Scenario) (preflight.Workers, error) {
	if r.expect > 0 && r.listen == "" {
		return preflight.Workers{}, mistake("--expect %d needs --listen: say where workers join", r.expect)
	}
	if r.listen != "" && r.expect < 1 {
		return preflight.Workers{}, mistake("--listen needs --expect: say how many workers join")
	}
	here := 0
	switch {
	case r.workers == "auto" && r.expect > 0:
	case r.workers == "auto":
		m, err := preflight.Read(ctx, s, preflight.Workers{Here: 1, All: 1})
		if err != nil {
			return preflight.Workers{}, err
		}
		here = max(preflight.AutoWorkers(s, m), 1)
	default:
		n, err := strconv.Atoi(r.workers)
		if err != nil || n < 0 || n+r.expect < 1 || n > 10_000 {
			return preflight.Workers{}, mistake("--workers %s: want auto, or a number of at least 1", r.workers)
		}
		here = n
	}
	return preflight.Workers{Here: here, All: here + r.expect}, nil
}

// shortfalls lists what this machine lacks. What is mere advice is told to
// advice.
func shortfalls(ctx context.Context, s *scenario.Scenario, workers preflight.Workers, advice io.Writer) (lines []string, err error) {
	if workers.Here == 0 {
		return nil, nil
	}
	m, err := preflight.Read(ctx, s, workers)
	if err != nil {
		return nil, err
	}
	for _, short := range preflight.Check(s, workers, m) {
		if !short.Advice {
			lines = append(lines, short.String())
		} else if advice != nil {
			fmt.Fprintln(advice, "loadgen: advice:", short)
		}
	}
	return lines, nil
}

// plan is --dry-run.
func (r *runFlags) plan(s *scenario.Scenario, workers preflight.Workers, lacking []string, out io.Writer) (coord.Exit, error) {
	if err := scenario.DryRun(out, s); err != nil {
		return 0, err
	}
	fmt.Fprintf(out, "\n%d workers, of which %d on this machine\n", workers.All, workers.Here)
	if len(lacking) > 0 {
		return coord.ExitShort, &coord.ShortError{Lines: lacking}
	}
	_, err := fmt.Fprintln(out, "this machine has what its part of the plan takes")
	return 0, err
}

// options are those of the run.
func (r *runFlags) options(s *scenario.Scenario, workers preflight.Workers, argv []string, t terminal) (o coord.Options, err error) {
	o = coord.Options{Scenario: s, Argv: argv, Labels: r.labels, Tool: coord.ThisTool("loadgen"), Workers: workers.Here, Worker: parts(),
		Expect: r.expect, Listen: r.listen, Token: r.token, Wait: r.wait, AllowLoss: r.allowLoss, Log: t.errout}
	if workers.Here > 1 {
		o.Command, o.WorkerEnv = workerCommand, crowded(workers.Here)
	} else {
		// The worker's loop keeps a processor of Go's; the coordinator and the view
		// need one beside it.
		runtime.GOMAXPROCS(max(runtime.NumCPU(), 2) + 1)
		keepSmall()
	}
	o.Ceiling = r.ceiling(t.errout)
	if o.Expect > 0 && o.Token == "" {
		o.Token = rand.Text()
		fmt.Fprintf(t.errout, "loadgen: the token is %s\n", o.Token)
	}
	if host, _, err := net.SplitHostPort(r.listen); r.listen != "" && (err != nil || host == "") {
		return o, mistake("--listen %s: want host:port; 0.0.0.0:port is every interface", r.listen)
	}
	if o.Probe, err = coord.OpenProbe(s.Server); err != nil {
		return o, fmt.Errorf("%w\n%w", errUsage, err)
	}
	if r.out != "" && !r.noProfile {
		o.ProfileDir = filepath.Dir(r.out)
		o.ProfilePrefix = strings.TrimSuffix(filepath.Base(r.out), filepath.Ext(r.out))
	}
	return o, nil
}

// publish writes what a run leaves.
func (r *runFlags) publish(res *result.Result, out io.Writer) error {
	err := report.Text(out, res, live.Columns(out))
	if r.out != "" {
		err = errors.Join(err, saved(r.out, func(path string) error { return result.WriteFile(path, res) }))
	}
	if r.html != "" {
		err = errors.Join(err, saved(r.html, func(path string) error { return writeHTML(path, res) }))
	}
	return err
}
