package workerpool

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"roost/loadgen/clock"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
	"roost/loadgen/worker"
)

// childEnv makes the test binary a worker: how it behaves.
const childEnv = "CREW_TEST_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(childEnv); how != "" {
		os.Exit(child(how))
	}
	goleak.VerifyTestMain(m)
}

// child is a worker that behaves in some way.
func child(how string) int {
	if text, ok := strings.CutPrefix(how, "dies:"); ok {
		fmt.Fprintln(os.Stderr, text)
		return 3
	}
	switch how {
	case "stops":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "prints":
		for i := range 3 * maxLines {
			fmt.Fprintln(os.Stderr, i, strings.Repeat("x", 10))
		}
		fmt.Fprint(os.Stderr, strings.Repeat("y", 2*maxLine))
		return 3
	}
	l, err := Inherited()
	if err == nil {
		err = worker.Serve(context.Background(), l, parts())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// parts are of a worker whose swarm does nothing.
func parts() worker.Parts {
	return worker.Parts{Clock: clock.New(),
		Read: func(string) (*scenario.Scenario, error) {
			return &scenario.Scenario{Phases: make([]scenario.Phase, 1)}, nil
		},
		New: func(swarm.Config) (swarm.Swarm, error) { return idle{}, nil }}
}

type idle struct{}

func (idle) Begin(int, int64) error   { return nil }
func (idle) Progress() swarm.Progress { return swarm.Progress{Clients: 7} }
func (idle) Tick() *tally.Tally       { return &tally.Tally{} }
func (idle) Settle([]swarm.Refusal)   {}
func (idle) Close()                   {}
func (idle) Finish(context.Context, int64) ([]swarm.Refusal, error) {
	return nil, nil
}
