package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"roost/bench/experiment"
	"roost/loadgen/result"
)

// generator runs cmd/loadgen and keeps its results.
type generator struct {
	path   string // binary
	folder string // for results
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
	r, _, err := g.observed(ctx, name, v, file, params)
	return r, err
}

// observed is scenario, and says how many cores other work took meanwhile.
func (g generator) observed(ctx context.Context, name string, v subject, file string, params []string) (r *result.Result, other float64, err error) {
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
	before := experiment.ReadMeter(v.PID())
	r, own, err := experiment.Generate(ctx, experiment.Load{Loadgen: g.path, Args: args, Out: out + ".json", Log: out + ".loadgen.txt"})
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	return r, experiment.ReadMeter(v.PID()).Other(before, own), nil
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

const ms = 1e6 // ns

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
