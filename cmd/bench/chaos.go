package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"roost/bench/chaos"
)

// runChaos is bench chaos.
func runChaos(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseChaos(args, out)
	if err != nil {
		return err
	}
	o.Command = append([]string{"bench", "chaos"}, args...)
	err = chaos.Run(ctx, o, out)
	var failure *chaos.Failure
	if !errors.As(err, &failure) {
		return err
	}
	fmt.Fprintf(out, "bench chaos: %v\n", err)
	return exitCode(failure.Code())
}

// parseChaos reads the command line.
func parseChaos(args []string, out io.Writer) (o chaos.Options, err error) {
	var list strings.Builder
	for _, name := range chaos.Names() {
		fmt.Fprintf(&list, "  %-24s %s\n", name, chaos.About(name))
	}
	c := newCommand("chaos", "[scenario...] [flags]", `Starts etcd, Redis and roostd as processes, holds devices and publishes to them, hurts the cluster,
and counts what became of every message and every device. All scenarios, or those named:

`+list.String()+`
Exit code: 0 all held, 4 something that is promised was not kept, 3 a number was not reached,
1 a scenario could not be carried through.
`)
	c.StringVar(&o.Roostd, "roostd", "", "roostd's `binary` (default bin/roostd)")
	c.StringVar(&o.Roostctl, "roostctl", "", "roostctl's `binary` (default bin/roostctl)")
	c.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/chaos-DATE)")
	c.IntVar(&o.Devices, "devices", 0, "how `many` (default: each scenario's own, 2,000 to 15,000)")
	c.Float64Var(&o.Rate, "rate", 0, "messages a `second` (default: each scenario's own, 200 to 2,000)")
	c.IntVar(&o.Batch, "batch", 0, "`messages` in a request (default 1)")
	c.Float64Var(&o.Connects, "connects", 0, "devices a `second` that are started at the beginning (default 1000)")
	c.DurationVar(&o.Calm, "calm", 0, "time before a scenario hurts and after it is mended (default 3s)")
	c.Float64Var(&o.Pace, "ring-pace", 0, "how many `times` faster the ring changes by itself, 1 to 10 (default: each scenario's own; 1 is as it is meant)")
	c.Uint64Var(&o.Seed, "seed", 0, "of what is random, a `number` (default: another one each time, which is told)")
	c.DurationVar(&o.Limit, "limit", 0, "no scenario is begun after so long (default 40m)")
	rest, behind, err := c.parse(args, out)
	if err != nil {
		return o, err
	}
	if len(behind) > 0 {
		return o, errors.New("bench chaos takes names of scenarios and flags only")
	}
	o.Scenarios = rest
	return o, nil
}
