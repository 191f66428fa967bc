package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"

	"roost/loadgen"
)

// modesUsage is the usage of the modes, which come without a command.
const modesUsage = `usage: loadgen --mode idle|echo|broadcast|kept|listen [flags]

Load on a roost node (--url, --api) or a server of bench/peers (--url, --control).
Exit: 0 ok, 1 error, 2 usage, 3 client-bound (not a result), 4 messages lost or
wrong, 130 interrupted.

`

// parseModes reads the command line of the modes.
func parseModes(args []string, errout io.Writer) (o loadgen.Options, out string, err error) {
	fs := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	fs.SetOutput(errout)
	fs.StringVar(&o.Mode, "mode", "", "idle (memory), echo, broadcast, kept (stored until acknowledged) or listen (print messages)")
	fs.StringVar(&o.URL, "url", "", "`URL` to connect to (default: roost's on ws://127.0.0.1:8080)")
	fs.StringVar(&o.API, "api", "", "base `URL` of roost's API (default http://127.0.0.1:8081)")
	fs.StringVar(&o.Control, "control", "", "base `URL` of a peer's control port, instead of --api")
	fs.BoolVar(&o.Peer, "peer", false, "plain WebSocket server: no devices, subprotocol or heartbeats")
	fs.IntVar(&o.Connections, "connections", 0, "how many to open (default 1000)")
	steps := fs.String("steps", "", "idle: connection `counts` to measure at, such as 5000,10000,15000")
	fs.StringVar(&o.Sources, "sources", "", "addresses to connect from, as a `CIDR` block (default: 127.0.0.0/8 for loopback)")
	fs.IntVar(&o.Window, "window", 0, "handshakes under way at once (default 256)")
	fs.Float64Var(&o.ConnectRate, "connect-rate", 0, "dials per second (default: as fast as the window lets)")
	fs.DurationVar(&o.Timeout, "timeout", 0, "how long a handshake may take (default 10s)")
	fs.BoolVar(&o.Partial, "partial", false, "go on when not all connections can be made")
	fs.StringVar(&o.Device, "device", "", "prefix of device ids (default lg-); listen: the id")
	fs.StringVar(&o.Protocol, "protocol", "", "json or bin (default json)")
	fs.StringVar(&o.Topic, "topic", "", "listen: `topic` to subscribe to")
	fs.DurationVar(&o.Hold, "hold", 0, "how long to apply load (default 10s)")
	fs.DurationVar(&o.Warmup, "warmup", 0, "echo, kept: load before it is measured (default 1s; negative: none)")
	fs.DurationVar(&o.Settle, "settle", 0, "idle: pause between garbage collection and reading memory (default 6s; negative: none)")
	fs.Float64Var(&o.Rate, "rate", 0, "echo, kept: messages/s; broadcast: due times/s; kept --all: broadcasts/s (default: closed loop)")
	fs.IntVar(&o.Size, "size", 0, "payload of a frame in bytes; kept: of a message (default 128)")
	fs.IntVar(&o.Inflight, "inflight", 0, "echo: messages under way per connection (default 1; with --rate 64)")
	fs.IntVar(&o.Burst, "burst", 0, "broadcast: published at once each due time (default 1)")
	fs.IntVar(&o.Publishers, "publishers", 0, "kept: `connections` to the API, one request under way on each (default 4)")
	fs.IntVar(&o.Batch, "batch", 0, "kept: messages a request, as JSON lines (default 1)")
	fs.BoolVar(&o.All, "all", false, "kept: each message to all devices, by one publisher")
	fs.Float64Var(&o.Slow, "slow", 0, "`fraction` of connections that never read")
	fs.DurationVar(&o.Patience, "patience", 0, "how long to wait for missing messages (default 10s)")
	fs.IntVar(&o.Loops, "loops", 0, "event loops (default 1)")
	fs.BoolVar(&o.Spin, "spin", false, "loops never sleep, so that the server never pays for waking them")
	fs.IntVar(&o.PID, "pid", 0, "the server's `process`, to measure its CPU and memory")
	fs.StringVar(&out, "out", "", "`file` for the result as JSON")
	fs.Usage = func() {
		fmt.Fprint(errout, modesUsage)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return o, "", err
	}
	if fs.NArg() > 0 {
		return o, "", fmt.Errorf("unexpected argument %q: loadgen takes flags only", fs.Arg(0))
	}
	o.Steps, err = loadgen.ParseSteps(*steps)
	o.Command = append([]string{"loadgen"}, args...)
	return o, out, err
}

// runModes is loadgen --mode.
func runModes(ctx context.Context, args []string, out, errout io.Writer) loadgen.Exit {
	o, file, err := parseModes(args, errout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return loadgen.ExitOK
	case err != nil:
		fmt.Fprintln(errout, "loadgen:", err)
		return loadgen.ExitUsage
	}
	// A busy loop sits in system calls that the scheduler cannot see; whoever
	// publishes or paces needs a processor of its own.
	runtime.GOMAXPROCS(max(runtime.NumCPU(), o.Loops+1))
	r, err := loadgen.Run(ctx, o, out, errout)
	if r != nil {
		r.Report(out)
		if file != "" {
			err = errors.Join(err, r.WriteJSON(file))
		}
	}
	if err != nil {
		fmt.Fprintln(errout, "loadgen:", err)
		var mistake *loadgen.UsageError
		if errors.As(err, &mistake) {
			return loadgen.ExitUsage
		}
		return loadgen.ExitError
	}
	if r == nil {
		return loadgen.ExitOK
	}
	return r.Exit()
}
