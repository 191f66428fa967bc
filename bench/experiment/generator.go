package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"roost/loadgen/result"
)

// Load is one run of cmd/loadgen.
type Load struct {
	Loadgen  string        // binary
	Args     []string      // what follows "loadgen run"; --out is added
	CPUs     string        // on which it runs, as taskset takes them; empty: all
	Out      string        // file of the result
	Log      string        // file for what it says; empty: Show gets it
	Show     io.Writer     // not closed; nil: nobody
	Patience time.Duration // from its SIGINT to its SIGKILL; default 10 s
}

// Generate runs loadgen once. Its exit code does not matter if there is a result,
// which says itself what it is worth. own is the CPU time of loadgen and its
// workers. When ctx ends, loadgen gets one SIGINT, err is ctx's, and r is what
// loadgen wrote for its end, or nil.
//
// Loadgen is in a process group of its own: a Ctrl-C of the terminal would reach
// it beside the signal of ours, and it takes the second one as an order to drop
// everything.
func Generate(ctx context.Context, l Load) (r *result.Result, own time.Duration, err error) {
	words, err := pinned(append(append([]string{l.Loadgen, "run"}, l.Args...), "--out", l.Out), l.CPUs)
	if err != nil {
		return nil, 0, err
	}
	if err := os.Remove(l.Out); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, 0, err // a result of before must not pass for this run's
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = l.Show, l.Show
	logged := func() error { return nil }
	if l.Log != "" {
		log, err := newLog(l.Log)
		if err != nil {
			return nil, 0, err
		}
		cmd.Stdout, cmd.Stderr, logged = log, log, log.close
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = cmp.Or(l.Patience, 10*time.Second)
	err = errors.Join(cmd.Run(), logged())
	if s := cmd.ProcessState; s != nil {
		own = s.UserTime() + s.SystemTime()
	}
	if _, missing := os.Stat(l.Out); missing != nil {
		if ctx.Err() != nil {
			return nil, own, ctx.Err()
		}
		err = fmt.Errorf("loadgen left no result: %w", err)
		if l.Log != "" {
			err = fmt.Errorf("%w; the end of %s:\n%s", err, l.Log, lastLines(l.Log, 20))
		}
		return nil, own, err
	}
	r, err = result.ReadFile(l.Out)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return r, own, err
}

// load puts the scenario on a server.
func (x *experiment) load(ctx context.Context, p *process, round int, file, logFile string) (r *result.Result, own time.Duration, err error) {
	s := p.server
	args := []string{x.Scenario}
	for _, param := range x.Params {
		args = append(args, "-p", param)
	}
	args = append(args, "--url", p.place.fill(s.URL))
	if s.API != "" {
		args = append(args, "--api", p.place.fill(s.API))
	}
	if s.Dialect != "" {
		args = append(args, "--dialect", s.Dialect)
	}
	args = append(args, "--pid", strconv.Itoa(p.cmd.Process.Pid), "--label", "server="+s.Name, "--label", "round="+strconv.Itoa(round))
	for _, extra := range x.Extra {
		args = append(args, p.place.fill(extra))
	}
	return Generate(ctx, Load{Loadgen: x.Loadgen, Args: args, CPUs: x.LoadgenCPUs, Out: file, Log: logFile})
}
