package calibrate

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"roost/loadgen/clock"
	"roost/loadgen/faultserver"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/worker"
	"roost/loadgen/workerpool"
)

// childEnv makes the test binary a worker, or a server of known behaviour.
const childEnv = "CALIBRATE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := child(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func child() error {
	if len(os.Args) > 1 && os.Args[1] == "server" {
		f := flag.NewFlagSet("server", flag.ContinueOnError)
		listen, text := f.String("listen", "", ""), f.String("behave", "", "")
		if err := f.Parse(os.Args[2:]); err != nil {
			return err
		}
		b, err := faultserver.Parse(*text)
		if err != nil {
			return err
		}
		return faultserver.Serve(context.Background(), os.Stdin, os.Stdout, *listen, b)
	}
	l, err := workerpool.Inherited()
	if err != nil {
		return err
	}
	return worker.Serve(context.Background(), l, worker.Parts{Clock: clock.New(), Watch: worker.WatchProcess,
		Read: func(text string) (*scenario.Scenario, error) {
			return scenario.Parse("plan.yaml", []byte(text), scenario.ParseOptions{})
		},
		New: func(cfg swarm.Config) (swarm.Swarm, error) { return swarm.New(cfg) }})
}

// tools are this binary's children.
func tools(t *testing.T) Tools {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Tools{Worker: []string{self, "worker"}, Server: []string{self, "server"}, Env: []string{childEnv + "=1", "GORACE=atexit_sleep_ms=0"}, Log: t.Output()}
}
