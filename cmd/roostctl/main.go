// Command roostctl works on rings away from a node: it builds and compares
// snapshots, says where ids live, verifies that ids spread, and reads profiles.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(exitCode(err, os.Stderr))
}

// exitCode says what went wrong, and returns the code.
func exitCode(err error, errout io.Writer) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errBad):
		return 1
	}
	fmt.Fprintln(errout, "roostctl:", err)
	if errors.Is(err, errInterrupted) {
		return 130
	}
	return 2
}

// errBad is the verdict bad: the answer is written, and the exit code is 1. What
// keeps roostctl from answering is 2.
var errBad = errors.New("the verdict is bad")

// terminal is what a command reads and writes.
type terminal struct {
	in          io.Reader
	out, errout io.Writer
}

// commands of roostctl ring, in the order of the usage text.
var commands = []struct {
	name, about string
	run         func(ctx context.Context, args []string, t terminal) error
}{
	{"build", "make a snapshot of nodes", runBuild},
	{"show", "the nodes of a snapshot, with their shares", runShow},
	{"plan", "what a change will move, before it is made", runPlan},
	{"diff", "what moves between two snapshots", runDiff},
	{"lookup", "where ids live", runLookup},
	{"skew", "how unevenly slots lie on nodes and zones, and the moves that mend it", runSkew},
	{"verify", "whether ids spread over slots and nodes", runVerify},
	{"profile", "how much CPU a node spends on hashing", runProfile},
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: roostctl ring COMMAND [flags] ...\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-9s%s\n", c.name, c.about)
	}
	fmt.Fprint(w, `
roostctl ring COMMAND --help has more. Snapshots are files in the binary form or in
JSON, told apart by their content; docs/RING.md defines both.

Exit codes: 0 done, 1 the verdict is bad (verify, profile), 2 no answer (nothing that
could be judged is none), 130 interrupted.
`)
}

// run is the life of the process.
func run(ctx context.Context, args []string, in io.Reader, out, errout io.Writer) error {
	a := &answer{w: out}
	err := runCommand(ctx, args, terminal{in, a, errout})
	switch {
	case errors.Is(err, errInterrupted), ctx.Err() != nil && errors.Is(err, context.Canceled):
		return errInterrupted
	case a.err != nil:
		return a.err
	}
	return err
}

func runCommand(ctx context.Context, args []string, t terminal) error {
	if len(args) == 0 || isHelp(args[0]) || args[0] == "ring" && (len(args) == 1 || isHelp(args[1])) {
		if len(args) > 0 && isHelp(args[len(args)-1]) {
			usage(t.out)
			return nil
		}
		usage(t.errout)
		return errors.New("say what to do, such as roostctl ring verify")
	}
	if args[0] != "ring" {
		return fmt.Errorf("%q is unknown: the commands begin with roostctl ring; roostctl --help lists them", args[0])
	}
	var names []string
	for _, c := range commands {
		if c.name == args[1] {
			return c.run(ctx, args[2:], t)
		}
		names = append(names, c.name)
	}
	return fmt.Errorf("ring %q is unknown: want %s", args[1], strings.Join(names, ", "))
}

func isHelp(arg string) bool {
	return arg == "-h" || arg == "--help" || arg == "-help" || arg == "help"
}
