package main

import (
	"flag"
	"io"

	"roost/bench/decaysim"
)

// parseDecay reads the command line of bench decay.
func parseDecay(args []string, errout io.Writer) (o decaysim.ModelsOptions, err error) {
	fs := flag.NewFlagSet("bench decay", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/decay-DATE)")
	fs.Float64Var(&o.Rate, "rate", 0, "base load in requests/s (default 1200)")
	fs.IntVar(&o.Places, "places", 0, "concurrent requests that the server takes (default 100)")
	fs.IntVar(&o.Requests, "requests", 0, "measured in each replay (default 100000; quick: 10000)")
	fs.IntVar(&o.Seeds, "seeds", 0, "replays of each load (default 5; quick: 1)")
	fs.BoolVar(&o.Quick, "quick", false, "one seed, a tenth of the requests and of the time before, to see that it works")
	o.Command = commandLine(fs, args)
	return o, parseFlags(fs, args)
}
