package main

import (
	"flag"
	"io"

	"roost/bench/decaysim"
)

// parseDecayReport reads the command line of bench decay-report.
func parseDecayReport(args []string, errout io.Writer) (o decaysim.WeightsOptions, err error) {
	fs := flag.NewFlagSet("bench decay-report", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/decay-report-DATE)")
	fs.Uint64Var(&o.Seed, "seed", 0, "of the first run (default 1)")
	fs.IntVar(&o.Seeds, "seeds", 0, "runs of each policy (default 5; quick: 1)")
	fs.BoolVar(&o.Quick, "quick", false, "one run of a quarter of the nodes, to see that it works")
	o.Command = commandLine(fs, args)
	return o, parseFlags(fs, args)
}
