package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"roost/bench/experiment"
	"roost/loadgen"
	"roost/loadgen/result"
)

// generator runs cmd/loadgen and keeps its results.
type generator struct {
	path   string // binary
	folder string // for results
}

// run runs the generator once. A run that was client-bound or found faults of
// the server is a result too, and says so.
func (g generator) run(ctx context.Context, name string, args []string) (*loadgen.Result, error) {
	file := filepath.Join(g.folder, name+".json")
	cmd := exec.CommandContext(ctx, g.path, append(args, "--out", file)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches it through us, and once
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	var errout bytes.Buffer
	cmd.Stderr = &errout
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != int(loadgen.ExitClientBound) && exit.ExitCode() != int(loadgen.ExitFailures)) {
		return nil, fmt.Errorf("%s: loadgen: %w: %s", name, err, strings.TrimSpace(errout.String()))
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(loadgen.Result)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if r.Schema != loadgen.Schema {
		return nil, fmt.Errorf("%s has schema %d, want %d: build loadgen and bench together", file, r.Schema, loadgen.Schema)
	}
	return r, nil
}

// subject is a roostd that runs.
type subject interface {
	PID() int
	URL() string // where clients connect
	API() string // where messages are published; profiles and metrics are there too
}

// scenario puts one of our scenarios on a node, whose garbage is collected at the
// end of each phase, and returns the result, whatever it is worth.
func (g generator) scenario(ctx context.Context, name string, v subject, file string, params []string) (*result.Result, error) {
	args := []string{filepath.Join(filepath.Dir(g.folder), "scenarios", file), "--api", v.API()}
	for _, p := range params {
		args = append(args, "-p", p)
	}
	if file == "echo.yaml" {
		args = append(args, "--url", strings.TrimSuffix(v.URL(), "/v1/connect")+"/v1/echo", "--dialect", "plain")
	} else {
		args = append(args, "--url", v.URL())
	}
	args = append(args, "--pid", strconv.Itoa(v.PID()), "--metrics-url", v.API()+"/metrics", "--pprof-url", v.API(), "--no-profile", "--quiet")
	out := filepath.Join(g.folder, name)
	r, _, err := experiment.Generate(ctx, experiment.Load{Loadgen: g.path, Args: args, Out: out + ".json", Log: out + ".loadgen.txt"})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// faults are why a result does not count: checks that failed, and thresholds that
// do not hold.
func faults(r *result.Result) (list []string) {
	c := newCell(r, experiment.Counted{})
	return append(c.Invalid, c.Failures...)
}

// attempts is how often a run is tried that does not count.
const attempts = 3

// retryPause is the pause before a run is tried again, twice that the next time.
const retryPause = 5 * time.Second

func join(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

const ms = 1e6 // ns

// ceilingHold is how long the ceilings are measured, at most.
const ceilingHold = 5 * time.Second

// raiseFileLimit lifts this process's soft limit of descriptors to the hard
// one. Set explicitly, it is also what children get; cfloor does not raise its
// own.
func raiseFileLimit() error {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	lim.Cur = lim.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &lim)
}

// resultFolder makes the folder of a run, with runs/ in it.
func resultFolder(folder, kind string) (string, error) {
	folder, err := experiment.Folder(folder, kind)
	return folder, errors.Join(err, os.MkdirAll(filepath.Join(folder, "runs"), 0o755))
}
