// Command ringpeers measures roost's ring beside other libraries: lookups,
// builds, changes, memory, balance and what changes move. It is run by make
// bench-ring.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"roost/bench/ringpeers/internal/measure"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench-ring:", err)
		os.Exit(1)
	}
}

// run is the life of the process.
func run(ctx context.Context, args []string, out, errout io.Writer) error {
	o, err := parse(args, errout)
	if err != nil {
		return err
	}
	o.Command = append([]string{"bench-ring"}, args...)
	return measure.Run(ctx, o, out)
}

// parse reads the command line.
func parse(args []string, errout io.Writer) (o measure.Options, err error) {
	fs := flag.NewFlagSet("bench-ring", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/ring-DATE)")
	fs.IntVar(&o.Rounds, "rounds", 0, "rounds (default 9; quick: 2)")
	fs.IntVar(&o.Windows, "windows", 0, "windows of lookups to keep in each round (default 5; quick: 2)")
	fs.IntVar(&o.Keys, "keys", 0, "keys of lookups, a power of two (default 16384; quick: 1024)")
	fs.IntVar(&o.Balance, "balance-keys", 0, "keys of balance, a power of two (default 1048576; quick: 16384)")
	nodes := fs.String("nodes", "", "`sizes` of rings, separated by commas (default 16,256,1024; quick: 4,16)")
	only := fs.String("only", "", "`parts`, separated by commas: lookup, times, balance, reweight (default all)")
	fs.BoolVar(&o.Quick, "quick", false, "small everything, to see that it works")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: bench-ring takes flags only", fs.Arg(0))
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	if *nodes != "" {
		for _, text := range strings.Split(*nodes, ",") {
			n, err := strconv.Atoi(text)
			if err != nil {
				return o, fmt.Errorf("-nodes: %q is no number of nodes", text)
			}
			o.Nodes = append(o.Nodes, n)
		}
	}
	return o, nil
}
