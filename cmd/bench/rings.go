package main

import (
	"flag"
	"io"

	"roost/bench/rings"
)

// parseRings reads the command line of bench rings.
func parseRings(args []string, errout io.Writer) (o rings.Options, err error) {
	fs := flag.NewFlagSet("bench rings", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/rings-DATE)")
	fs.StringVar(&o.Etcd, "etcd", "etcd", "etcd's `binary` (Debian's etcd-server)")
	fs.IntVar(&o.IDs, "ids", 0, "`ids` that are looked up for the fourth node (default 1000000; quick: 100000)")
	fs.IntVar(&o.Nodes, "nodes", 0, "nodes that are there by their keys (default 100)")
	fs.IntVar(&o.Changes, "changes", 0, "of the ring (default 1000; quick: 50)")
	fs.IntVar(&o.Weights, "weights", 0, "published a second by all nodes together, beside the changes (default 100)")
	fs.BoolVar(&o.Quick, "quick", false, "short, to see that it works")
	o.Command = commandLine(fs, args)
	return o, parseFlags(fs, args)
}
