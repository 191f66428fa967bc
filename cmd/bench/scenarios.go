package main

import (
	"flag"
	"io"
	"strings"

	"roost/bench"
)

// parseScenarios reads the command line of bench scenarios.
func parseScenarios(args []string, errout io.Writer) (o bench.ScenariosOptions, err error) {
	fs := flag.NewFlagSet("bench scenarios", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Roostd, "roostd", "bin/roostd", "roostd's `binary`")
	fs.StringVar(&o.Loadgen, "loadgen", "bin/loadgen", "the generator's `binary`")
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/scenarios-DATE)")
	fs.DurationVar(&o.Hold, "hold", 0, "time of each measured phase (default 10s; quick: 2s)")
	only := fs.String("only", "", "`names`, separated by commas (default all)")
	fs.BoolVar(&o.Quick, "quick", false, "a tenth of the clients and short phases, to see that it works")
	o.Command = commandLine(fs, args)
	if err := parseFlags(fs, args); err != nil {
		return o, err
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	return o, nil
}
