package main

import (
	"flag"
	"io"
	"strings"

	"roost/bench/crossnode"
)

// parseCrossnode reads the command line of bench cluster-latency.
func parseCrossnode(args []string, errout io.Writer) (o crossnode.Options, err error) {
	fs := flag.NewFlagSet("bench cluster-latency", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Roostd, "roostd", "bin/roostd", "roostd's `binary`")
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/cluster-latency-DATE)")
	fs.IntVar(&o.Devices, "devices", 0, "connected to node B (default 200; quick: 50)")
	fs.DurationVar(&o.Warm, "warmup", 0, "`time` of each load that does not count (default 3s; quick: 1s)")
	fs.DurationVar(&o.Length, "length", 0, "`time` of each load that counts (default 20s; quick: 2s)")
	fs.StringVar(&o.Fsync, "fsync", "everysec", "Redis' appendfsync: always, everysec or no")
	only := fs.String("only", "", "`loads`, separated by commas: single, batched, offered, offered-50 (default all)")
	fs.BoolVar(&o.Quick, "quick", false, "short, to see that it works")
	o.Command = commandLine(fs, args)
	if err := parseFlags(fs, args); err != nil {
		return o, err
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	return o, nil
}
