// Command bench measures a node, by itself and beside other servers, and compares
// what was measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"roost/bench"
	"roost/bench/couplings"
	"roost/bench/crossnode"
	"roost/bench/decaysim"
	"roost/bench/rings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A reader that has gone (bench ... | head) is an interruption too: a death by SIGPIPE
	// would leave the servers that were started. The signal itself says nothing, for any
	// socket whose peer has hung up raises it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := run(ctx, os.Args[1:], &pipe{os.Stdout, cancel}, os.Stderr)
	var code exitCode
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.As(err, &code):
		os.Exit(int(code))
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// pipe is where results are shown: once its reader has gone, the command ends in
// order.
type pipe struct {
	to     io.Writer
	cancel context.CancelCauseFunc
}

// Write writes p.
func (w *pipe) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		w.cancel(err)
	}
	return n, err
}

// subcommand is one of bench's. errout gets what is wrong with its flags.
type subcommand struct {
	name, about string
	run         func(ctx context.Context, args []string, out, errout io.Writer) error
}

// subcommands in the order of the usage text.
var subcommands = []subcommand{
	{"run", "run a scenario against servers in turn, and compare them", plain(runRun)},
	{"compare", "compare result files, or the folder of a run", offline(runCompare)},
	{"trend", "show how metrics change over a folder of results, and where they jump", offline(runTrend)},
	{"explain", "show where a difference comes from: phases, metrics, CPU profiles", offline(runExplain)},
	{"million", "hold a million devices on this machine, and reach each", plain(runMillion)},
	{"chaos", "hurt a cluster of processes while messages are published, and count what became of each", plain(runChaos)},
	{"scenarios", "run loadgen's scenarios against roostd, each once", parsed(parseScenarios, bench.RunScenarios)},
	{"peers", "compare roostd with other WebSocket servers, side by side", parsed(parsePeers, bench.RunPeers)},
	{"node", "measure roostd by itself: memory per device and after load, publish latency under load", parsed(parseNode, bench.RunNode)},
	{"kept", "measure kept messages: CPU per push and per broadcast delivery, recovery after a crash, memory", parsed(parseKept, bench.RunKept)},
	{"cluster-latency", "publish to devices on another node, at any node and where they are: latency, CPU, stages", parsed(parseCrossnode, crossnode.Run)},
	{"couplings", "when weights act: before the push, after a failure, by the ring, not at all", parsed(parseCouplings, couplings.Run)},
	{"rings", "a fourth node joins; from an event in etcd to the ring that readers see", parsed(parseRings, rings.Run)},
	{"decay", "compare models of decay in a limiter, in virtual time: memory, spread of P95, bursts seen", parsed(parseDecay, decaysim.RunModels)},
	{"decay-report", "simulate what policies of weights do to a cluster: tables and pictures", parsed(parseDecayReport, decaysim.RunWeights)},
}

// plain is a subcommand that says itself what is wrong with its flags.
func plain(f func(context.Context, []string, io.Writer) error) func(context.Context, []string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, out, _ io.Writer) error { return f(ctx, args, out) }
}

// offline is one that only reads files.
func offline(f func([]string, io.Writer) error) func(context.Context, []string, io.Writer, io.Writer) error {
	return func(_ context.Context, args []string, out, _ io.Writer) error { return f(args, out) }
}

// parsed is one that is options, and what is done with them.
func parsed[O any](parse func([]string, io.Writer) (O, error), do func(context.Context, O, io.Writer) error) func(context.Context, []string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, out, errout io.Writer) error {
		o, err := parse(args, errout)
		if err != nil {
			return err
		}
		return do(ctx, o, out)
	}
}

// run is the life of the process.
func run(ctx context.Context, args []string, out, errout io.Writer) error {
	var names []string
	for _, c := range subcommands {
		if len(args) > 0 && args[0] == c.name {
			return c.run(ctx, args[1:], out, errout)
		}
		names = append(names, c.name)
	}
	fmt.Fprint(errout, "usage: bench COMMAND [flags]\n\n")
	for _, c := range subcommands {
		fmt.Fprintf(errout, "%-17s%s\n", c.name, c.about)
	}
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "help") {
		return nil
	}
	return fmt.Errorf("say what to do: %s", strings.Join(names, ", "))
}

// commandLine is how a subcommand was called, for its result; fs has its name.
func commandLine(fs *flag.FlagSet, args []string) []string {
	return append(strings.Fields(fs.Name()), args...)
}

// parseFlags reads a command line without arguments; fs has the command's name.
func parseFlags(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: %s takes flags only", fs.Arg(0), fs.Name())
	}
	return nil
}

// parseNode reads the command line of bench node.
func parseNode(args []string, errout io.Writer) (o bench.NodeOptions, err error) {
	fs := flag.NewFlagSet("bench node", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Roostd, "roostd", "bin/roostd", "roostd's `binary`")
	fs.StringVar(&o.Loadgen, "loadgen", "bin/loadgen", "the generator's `binary`")
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/node-DATE)")
	fs.DurationVar(&o.Hold, "hold", 0, "time of each load (default 10s; quick: 2s)")
	fs.DurationVar(&o.Settle, "settle", 0, "pause before memory is read (default 6s; quick: 1s)")
	only := fs.String("only", "", "`parts`, separated by commas: memory, limit, recovery, publishers (default all)")
	fs.BoolVar(&o.Quick, "quick", false, "a tenth of the connections and short loads, to see that it works")
	o.Command = commandLine(fs, args)
	if err := parseFlags(fs, args); err != nil {
		return o, err
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	return o, nil
}

// parsePeers reads the command line of bench peers.
func parsePeers(args []string, errout io.Writer) (o bench.PeersOptions, err error) {
	fs := flag.NewFlagSet("bench peers", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Roostd, "roostd", "bin/roostd", "roostd's `binary`")
	fs.StringVar(&o.Loadgen, "loadgen", "bin/loadgen", "the generator's `binary`")
	fs.StringVar(&o.PeersDir, "peers-dir", "bench/peers/bin", "`folder` of the built peers")
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/peers-DATE)")
	fs.IntVar(&o.Rounds, "rounds", 0, "rounds (default 3; quick: 1)")
	fs.IntVar(&o.Connections, "connections", 0, "of idle and broadcast (default 15000; quick: 2000)")
	fs.IntVar(&o.EchoConnections, "echo-connections", 0, "of echo (default 1000; quick: 200)")
	fs.Float64Var(&o.Deliveries, "deliveries", 0, "planned deliveries/s of broadcasts (default 45000)")
	fs.Float64Var(&o.EchoRate, "echo-rate", 0, "planned messages/s of echo (default 30000)")
	fs.DurationVar(&o.Hold, "hold", 0, "time of each load (default 10s; quick: 2s)")
	fs.DurationVar(&o.Settle, "settle", 0, "time of each plateau of idle connections (default 6s; quick: 1s)")
	only := fs.String("only", "", "`names` of servers, separated by commas; the floor is always run")
	fs.BoolVar(&o.Quick, "quick", false, "one short round, to see that it works")
	o.Command = commandLine(fs, args)
	if err := parseFlags(fs, args); err != nil {
		return o, err
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	return o, nil
}

// parseKept reads the command line of bench kept.
func parseKept(args []string, errout io.Writer) (o bench.KeptOptions, err error) {
	fs := flag.NewFlagSet("bench kept", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Roostd, "roostd", "bin/roostd", "roostd's `binary`")
	fs.StringVar(&o.Loadgen, "loadgen", "bin/loadgen", "the generator's `binary`")
	fs.StringVar(&o.Out, "out", "", "`folder` for results (default bench/results/kept-DATE)")
	fs.StringVar(&o.Data, "data", "", "`folder` for stores, on a real disk (default: that of temporary files)")
	fs.IntVar(&o.Rounds, "rounds", 0, "rounds (default 3; quick: 1)")
	fs.DurationVar(&o.Hold, "hold", 0, "time of each load (default 10s; quick: 2s)")
	fs.DurationVar(&o.Settle, "settle", 0, "pause before memory is read (default 6s; quick: 1s)")
	fs.Float64Var(&o.SingleRate, "rate-single", 0, "kept pushes/s, one a request (default 4400)")
	fs.Float64Var(&o.BatchRate, "rate-batch", 0, "kept pushes/s in batches of 100 (default 53000)")
	only := fs.String("only", "", "`parts`, separated by commas: push, broadcast, recovery, crash, idle (default all)")
	fs.BoolVar(&o.Quick, "quick", false, "one round, a tenth of the devices and short loads, to see that it works")
	o.Command = commandLine(fs, args)
	if err := parseFlags(fs, args); err != nil {
		return o, err
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	return o, nil
}
