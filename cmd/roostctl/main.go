// Command roostctl is the operator's tool. Away from a node it builds and compares
// rings, says where ids live, verifies that ids spread, and reads profiles. With
// --etcd it shows the rings of a cluster, previews, makes and takes back changes,
// drains nodes and evens out zones; with --redis it does the last for the Redis
// Cluster underneath. It only prints and asks: what it prints is worked out in ring,
// ring/preview, ring/zones and server/cluster.
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

	"roost/server/cluster"
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
	switch {
	case errors.Is(err, errInterrupted):
		return 130
	case errors.Is(err, errRefused):
		return 1
	case errors.Is(err, cluster.ErrMoved):
		return 3
	}
	return 2
}

// errBad is the verdict bad: the answer is written, and the exit code is 1. What
// keeps roostctl from answering is 2.
var errBad = errors.New("the verdict is bad")

// errRefused is that a limit forbids what was asked, and nothing has been done; the
// text says which. The exit code is 1.
var errRefused = errors.New("refused")

// terminal is what a command reads and writes.
type terminal struct {
	in          io.Reader
	out, errout io.Writer
}

// command is one of roostctl's, by its name of one or two words.
type command struct {
	name, about string
	run         func(ctx context.Context, args []string, t terminal) error
}

// commands in the order of the usage text.
var commands = []command{
	{"ring build", "make a snapshot of nodes", runBuild},
	{"ring show", "the nodes of a snapshot, with their shares", runShow},
	{"ring plan", "what a change will move, before it is made", runPlan},
	{"ring diff", "what moves between two snapshots", runDiff},
	{"ring lookup", "where ids live", runLookup},
	{"ring skew", "how unevenly slots lie on nodes and zones, and the moves that mend it", runSkew},
	{"ring verify", "whether ids spread over slots and nodes", runVerify},
	{"ring profile", "how much CPU a node spends on hashing", runProfile},

	{"ring status", "the rings of a cluster, who holds them, how a trial goes", runStatus},
	{"ring versions", "the versions that are stored", runVersions},
	{"ring apply", "make a change that plan has shown, and measure it", runApply},
	{"ring canary", "put a version on trial for some of the devices", runCanary},
	{"ring promote", "put what is on trial in force for all", runPromote},
	{"ring rollback", "take back what is on trial, or the last version", runRollback},
	{"ring zones", "what zones own against what they can carry", runZones},
	{"route", "where a device belongs, worked out from a snapshot", runRoute},
	{"drain", "empty a node, or stop that", runDrain},
	{"night status", "maintenance nights: the plan, what is under way, what it leaves of weights", runNightStatus},
	{"night abort", "end a night, or one window of it", runNightAbort},
	{"redis skew", "how unevenly a Redis Cluster lies on nodes and zones", runRedisSkew},
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: roostctl COMMAND [flags] ...\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-15s%s\n", c.name, c.about)
	}
	fmt.Fprint(w, `
roostctl COMMAND --help has more. Snapshots are files in the binary form or in
JSON, told apart by their content; docs/RING.md defines both. What is about a running
cluster takes --etcd, and --etcd-prefix, --cluster and --environment as its nodes have them.

Exit codes: 0 done, 1 the verdict is bad (plan with a limit that is not kept, verify,
profile, route with --hash) or a limit forbids it (apply, drain, night abort) and nothing has
been done, 2 no answer (nothing that could be judged is none), 3 somebody else has changed the
ring since it was looked at, 130 interrupted. docs/ROOSTCTL.md has the fields of --json.
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
	if len(args) == 0 || isHelp(args[0]) || isGroup(args[0]) && (len(args) == 1 || isHelp(args[1])) {
		if len(args) > 0 && isHelp(args[len(args)-1]) {
			usage(t.out)
			return nil
		}
		usage(t.errout)
		return errors.New("say what to do, such as roostctl ring verify")
	}
	var names []string
	for _, c := range commands {
		group, name, two := strings.Cut(c.name, " ")
		switch {
		case !two && args[0] == c.name:
			return c.run(ctx, args[1:], t)
		case two && args[0] == group && args[1] == name:
			return c.run(ctx, args[2:], t)
		case two && args[0] == group:
			names = append(names, name)
		}
	}
	if isGroup(args[0]) {
		return fmt.Errorf("%s %q is unknown: want %s", args[0], args[1], strings.Join(names, ", "))
	}
	return fmt.Errorf("%q is unknown: roostctl --help lists the commands", args[0])
}

// isGroup reports the first word of commands that have two.
func isGroup(arg string) bool {
	return slices.ContainsFunc(commands, func(c command) bool { return strings.HasPrefix(c.name, arg+" ") })
}

func isHelp(arg string) bool {
	return arg == "-h" || arg == "--help" || arg == "-help" || arg == "help"
}
