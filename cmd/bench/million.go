package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"roost/bench/million"
	"roost/loadgen/result"
)

// runMillion is bench million.
func runMillion(ctx context.Context, args []string, out io.Writer) error {
	o := million.Options{Command: append([]string{"bench", "million"}, args...)}
	c := newCommand("million", "[flags]", `Holds a million devices on this machine: as many roostd processes as descriptors ask for
and as many workers of loadgen, on nodes that know nothing of each other. Every device is reached by a
broadcast at its node, 5,000 by a push of their own; then all are sent away. A million needs 12 GiB free
(8.3 KB of kernel memory a connection for both ends, 2.2 KB of both programs' processes) and no sysctl; give
--connections for less.

Exit code: 0 all were held and reached, 3 INVALID (the generator was the limit, or lost a worker: lower
--rate or --deliveries), 4 something was lost or not reached, 1 an error.
`)
	c.IntVar(&o.Connections, "connections", 0, "how `many` (default 1000000)")
	c.StringVar(&o.Roostd, "roostd", "", "roostd's `binary` (default bin/roostd)")
	c.StringVar(&o.Loadgen, "loadgen", "", "the generator's `binary` (default bin/loadgen)")
	c.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/million-DATE)")
	c.Float64Var(&o.Rate, "rate", 0, "dials a `second` (default 1750 for each core, at most 20000)")
	c.Float64Var(&o.Deliveries, "deliveries", 0, "planned deliveries a `second` of broadcasts (default 6000 for each core, at most 45000)")
	c.DurationVar(&o.Hold, "hold", 0, "how long they are held (default 1m)")
	rest, behind, err := c.parse(args, out)
	if err != nil {
		return err
	}
	if len(rest)+len(behind) > 0 {
		return errors.New("bench million takes flags only")
	}
	err = million.Run(ctx, o, out)
	var failure *million.Failure
	if !errors.As(err, &failure) {
		return err
	}
	fmt.Fprintf(out, "bench million: %v\n", err)
	if failure.Verdict == result.Invalid {
		return exitCode(3)
	}
	return exitCode(4)
}
