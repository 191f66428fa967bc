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

const usage = `usage: bench COMMAND [flags]

run      run a scenario against servers in turn, and compare them
compare  compare result files, or the folder of a run
trend    show how metrics change over a folder of results, and where they jump
explain  show where a difference comes from: phases, metrics, CPU profiles
million  hold a million devices on this machine, and reach each
chaos    hurt a cluster of processes while messages are published, and count what became of each
scenarios  run loadgen's scenarios against roostd, each once
peers    compare roostd with other WebSocket servers, side by side
node     measure roostd by itself: memory per device and after load, publish latency under load
kept     measure kept messages: CPU per push and per broadcast delivery, recovery after a crash, memory
cluster-latency  publish to devices on another node, at any node and where they are: latency, CPU, stages
couplings  when weights act: before the push, after a failure, by the ring, not at all
rings    a fourth node joins; from an event in etcd to the ring that readers see
decay    compare models of decay in a limiter, in virtual time: memory, spread of P95, bursts seen

decay-report  simulate what policies of weights do to a cluster: tables and pictures
`

// run is the life of the process.
func run(ctx context.Context, args []string, out, errout io.Writer) error {
	command := append([]string{"bench"}, args...)
	switch {
	case len(args) > 0 && args[0] == "run":
		return runRun(ctx, args[1:], out)
	case len(args) > 0 && args[0] == "compare":
		return runCompare(args[1:], out)
	case len(args) > 0 && args[0] == "trend":
		return runTrend(args[1:], out)
	case len(args) > 0 && args[0] == "explain":
		return runExplain(args[1:], out)
	case len(args) > 0 && args[0] == "million":
		return runMillion(ctx, args[1:], out)
	case len(args) > 0 && args[0] == "chaos":
		return runChaos(ctx, args[1:], out)
	case len(args) > 0 && args[0] == "scenarios":
		o, err := parseScenarios(args[1:], errout)
		if err != nil {
			return err
		}
		o.Command = command
		return bench.RunScenarios(ctx, o, out)
	case len(args) > 0 && args[0] == "peers":
		o, err := parsePeers(args[1:], errout)
		if err != nil {
			return err
		}
		o.Command = command
		return bench.RunPeers(ctx, o, out)
	case len(args) > 0 && args[0] == "node":
		o, err := parseNode(args[1:], errout)
		if err != nil {
			return err
		}
		o.Command = command
		return bench.RunNode(ctx, o, out)
	case len(args) > 0 && args[0] == "kept":
		o, err := parseKept(args[1:], errout)
		if err != nil {
			return err
		}
		o.Command = command
		return bench.RunKept(ctx, o, out)
	case len(args) > 0 && args[0] == "cluster-latency":
		o, err := parseCrossnode(args[1:], errout)
		if err != nil {
			return err
		}
		o.Command = command
		return crossnode.Run(ctx, o, out)
	case len(args) > 0 && args[0] == "couplings":
		o, err := parseCouplings(args[1:], errout)
		if err != nil {
			return err
		}
		o.Command = command
		return couplings.Run(ctx, o, out)
	case len(args) > 0 && args[0] == "rings":
		o, err := parseRings(args[1:], errout)
		if err != nil {
			return err
		}
		o.Command = command
		return rings.Run(ctx, o, out)
	case len(args) > 0 && args[0] == "decay":
		o, err := parseDecay(args[1:], errout)
		if err != nil {
			return err
		}
		o.Command = command
		return decaysim.RunModels(ctx, o, out)
	case len(args) > 0 && args[0] == "decay-report":
		o, err := parseDecayReport(args[1:], errout)
		if err != nil {
			return err
		}
		o.Command = command
		return decaysim.RunWeights(ctx, o, out)
	}
	fmt.Fprint(errout, usage)
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "help") {
		return nil
	}
	return errors.New("say what to do: run, compare, trend, explain, scenarios, million, chaos, peers, node, kept, cluster-latency, couplings, rings, decay or decay-report")
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
	if err := parseFlags(fs, args); err != nil {
		return o, err
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	return o, nil
}
