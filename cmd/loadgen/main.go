// Command loadgen puts WebSocket load on a server and measures it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"roost/loadgen/coord"
)

func main() {
	ctx, stop := context.Background(), func() {}
	if len(os.Args) < 2 || !slices.Contains(prompt, os.Args[1]) {
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // a second signal ends the process at once
	}
	exit := run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(int(exit))
}

// prompt are the commands that have nothing to bring to an end: the first signal
// ends the process.
var prompt = []string{"scenarios", "check", "report", "export"}

// terminal is what a command reads and writes.
type terminal struct {
	in          io.Reader
	out, errout io.Writer
}

// command is one of loadgen's.
type command struct {
	name, about string
	run         func(ctx context.Context, args []string, t terminal) (coord.Exit, error)
}

// commands in the order of the usage text. It is a function, since help refers
// to it.
func commands() []command {
	return []command{
		{"run", "run a scenario and judge it", runRun},
		{"search", "the largest count or rate that holds the thresholds", runSearch},
		{"scenarios", "the scenarios that come with loadgen", runScenarios},
		{"check", "read a scenario file and say what is wrong with it", runCheck},
		{"report", "show a result: as text, or as one HTML page", runReport},
		{"export", "write a result in another tool's format", runExport},
		{"calibrate", "find out whether loadgen tells the truth, against servers of known behaviour", runCalibrate},
		{"doctor", "find out what loadgen is worth on this machine", runDoctor},
		{"worker", "be a worker of a run on another machine", runWorker},
		{"listen", "be one device and print what it gets", runListen},
		{"calibrate-server", "", runBehave}, // for calibrate, and for tests of other generators
	}
}

const exitCodes = `Exit codes: 0 valid and all thresholds hold; 1 an error, no result; 2 a mistake in
the command line or the scenario; 3 INVALID: the generator was the limit or lost a
worker, the numbers are no result; 4 a threshold does not hold, messages or
connections were lost, or a phase timed out; 5 this machine is not enough for the
plan; 130 interrupted.
`

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: loadgen COMMAND [flags] ...\n\n")
	for _, c := range commands() {
		if c.about != "" {
			fmt.Fprintf(w, "  %-10s %s\n", c.name, c.about)
		}
	}
	fmt.Fprint(w, "\nBegin with: loadgen run smoke, against a roost at 127.0.0.1:8080.\n"+
		"loadgen help COMMAND has more; docs/LOADGEN.md explains it, with docs/SCENARIO.md,\ndocs/RESULT.md and docs/LIVE.md.\n\n"+exitCodes)
}

// errUsage is a mistake in the command line.
var errUsage = errors.New("usage")

// run is the life of the process.
func run(ctx context.Context, args []string, t terminal) coord.Exit {
	exit, err := dispatch(ctx, args, t)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return coord.ExitOK
	case err != nil:
		fmt.Fprintln(t.errout, "loadgen:", strings.TrimPrefix(err.Error(), "usage\n"))
	}
	return exit
}

func dispatch(ctx context.Context, args []string, t terminal) (coord.Exit, error) {
	switch {
	case len(args) == 0:
		usage(t.errout)
		return coord.ExitUsage, errors.New("say what to do, such as loadgen run smoke")
	case args[0] == "help" && len(args) == 2 && !isHelp(args[1]):
		args = []string{args[1], "--help"}
	case isHelp(args[0]):
		usage(t.out)
		return coord.ExitOK, nil
	case strings.HasPrefix(args[0], "-"):
		return coord.ExitUsage, former(args)
	}
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] })
	if i < 0 {
		var names []string
		for _, c := range all {
			if c.about != "" {
				names = append(names, c.name)
			}
		}
		return coord.ExitUsage, fmt.Errorf("there is no command %q: want %s", args[0], strings.Join(names, ", "))
	}
	exit, err := all[i].run(ctx, args[1:], t)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return coord.ExitOK, err
	case errors.Is(err, errUsage):
		return coord.ExitUsage, err
	case err != nil && exit == coord.ExitOK:
		exit = coord.ExitError
	}
	return exit, err
}

func isHelp(arg string) bool {
	return arg == "-h" || arg == "--help" || arg == "-help" || arg == "help"
}
