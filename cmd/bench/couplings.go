package main

import (
	"flag"
	"io"

	"roost/bench/couplings"
)

// parseCouplings reads the command line of bench couplings.
func parseCouplings(args []string, errout io.Writer) (o couplings.Options, err error) {
	fs := flag.NewFlagSet("bench couplings", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/couplings-DATE)")
	fs.DurationVar(&o.Length, "length", 0, "virtual `time` of each simulation (default 1m; quick: 6s)")
	fs.Uint64Var(&o.Seed, "seed", 0, "of the simulations (default 1)")
	fs.Float64Var(&o.Rate, "rate", 0, "messages/s on real sockets (default 300)")
	fs.DurationVar(&o.Phase, "phase", 0, "real `time` of each of their phases (default 4s; quick: 500ms)")
	fs.BoolVar(&o.Pure, "pure", false, "the simulations alone, no sockets")
	fs.BoolVar(&o.Quick, "quick", false, "short, to see that it works")
	o.Command = commandLine(fs, args)
	return o, parseFlags(fs, args)
}
