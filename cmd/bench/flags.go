package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// exitCode ends the process with a code that means something; what there is to
// say has been said.
type exitCode int

func (c exitCode) Error() string { return "exit code " + strconv.Itoa(int(c)) }

// exitCodes is what the help of comparing commands says.
const exitCodes = `Exit code: 0 improved or within noise, 2 regressed, 3 invalid (a run is no result),
4 inconclusive, 5 not comparable, 1 an error.
`

// command is one command with its flags.
type command struct {
	*flag.FlagSet
	usage string // above the list of flags
}

// newCommand begins bench NAME. synopsis is what follows the name on the command
// line, about what it does.
func newCommand(name, synopsis, about string) *command {
	c := &command{flag.NewFlagSet("bench "+name, flag.ContinueOnError), fmt.Sprintf("usage: bench %s %s\n\n%s\n", name, synopsis, about)}
	c.SetOutput(io.Discard) // Parse's error is told once, by main
	return c
}

// parse reads a command line in which flags and arguments are mixed. What
// follows "--" is returned apart. Help goes to out.
func (c *command) parse(args []string, out io.Writer) (rest, behind []string, err error) {
	for i, a := range args {
		if a == "--" {
			args, behind = args[:i], args[i+1:]
			break
		}
	}
	for {
		switch err := c.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			fmt.Fprintln(out, c.usage)
			c.SetOutput(out)
			c.PrintDefaults()
			return nil, nil, err
		case err != nil:
			return nil, nil, fmt.Errorf("%w: see %s --help", err, c.Name())
		}
		if c.NArg() == 0 {
			return rest, behind, nil
		}
		rest, args = append(rest, c.Arg(0)), c.Args()[1:]
	}
}

// list defines a flag that may be given several times.
func (c *command) list(p *[]string, name, usage string) {
	c.Func(name, usage, func(s string) error { *p = append(*p, s); return nil })
}

// share defines a flag for a share, "2%" or "0.02".
func (c *command) share(p *float64, name, usage string) {
	c.Func(name, usage, func(s string) error {
		number, inPercent := strings.CutSuffix(strings.TrimSpace(s), "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if inPercent {
			v /= 100
		}
		if err != nil || !(v > 0 && v < 1) {
			return errors.New("must be a share such as 2% or 0.02")
		}
		*p = v
		return nil
	})
}
