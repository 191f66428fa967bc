package coord

import (
	"context"
	"io"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/live"
	"roost/loadgen/probe"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/validity"
	"roost/loadgen/worker"
)

// Options are what a run needs beside its scenario.
type Options struct {
	Scenario *scenario.Scenario
	Clock    *clock.Clock // nil: a new one
	Argv     []string
	Labels   map[string]string
	Tool     result.Tool

	// Workers is how many there are on this machine. Command starts one that is
	// a process of its own, with WorkerEnv beside this process's environment;
	// without Command the one worker is in this process.
	Workers   int
	Command   []string
	WorkerEnv []string
	Worker    worker.Parts // of the worker in this process

	// Expect is how many workers join from elsewhere, at Listen with Token,
	// within Wait.
	Expect int
	Listen string
	Token  string
	Wait   time.Duration
	// AllowLoss goes on when a worker is lost. The result says so.
	AllowLoss bool

	// View shows the run; nil: nobody looks.
	View live.View
	// Log takes what workers print, and what happens to them.
	Log io.Writer

	// Probe reads the servers; nil: they are not read.
	Probe Probe
	// ProfileDir is where CPU profiles of the servers go that the Probe can
	// profile, taken in the busiest phase, with names that begin with
	// ProfilePrefix; empty: none are taken.
	ProfileDir, ProfilePrefix string
	// Ceiling is what this machine's workers can do against a server that does
	// nothing; nil: it is not known.
	Ceiling func(ctx context.Context, s *scenario.Scenario, workers int) (*validity.Ceiling, error)
	// Hang is how long a worker may say nothing; 0: DefaultHang.
	Hang time.Duration
}

// DefaultHang is how long a worker may say nothing before it is lost: five
// ticks.
const DefaultHang = 5 * time.Second

// Probe reads the servers from outside. Read is called by one goroutine at a
// time; the others read nothing.
type Probe interface {
	// Servers describes them.
	Servers() []result.Server
	// Read reads them all. What cannot be read is said in the error, and the rest
	// is there.
	Read(ctx context.Context) (*probe.Sample, error)
	// Glance returns what one look costs little: cores that were used since the
	// last, and bytes of RSS, sums over the servers.
	Glance() (cores float64, rss int64)
	// Use returns what each used between two readings.
	Use(before, after *probe.Sample) []result.ServerUse
	// Profile takes a CPU profile of each server that it can, for so long, into
	// files of dir that Servers then names.
	Profile(ctx context.Context, length time.Duration, dir, prefix string) error
	// Moved says that a server runs as another process now: the one whose process
	// has ended, or else the first that is known by process id.
	Moved(pid int)
	Close()
}
