package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// flags are those of one command.
type flags struct {
	*flag.FlagSet
	usage string // the lines above the list of flags
	after string // those below
}

// newFlags begins the flags of loadgen name. synopsis is what follows the name
// on the command line, about what it does.
func newFlags(name, synopsis, about string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), usage: "usage: loadgen " + strings.TrimSpace(name+" "+synopsis) + "\n\n" + about + "\n\n"}
	f.SetOutput(io.Discard) // Parse's error is told once, by main
	return f
}

// parse reads a command line in which flags and arguments may be mixed; after
// "--" all are arguments. Help goes to out.
func (f *flags) parse(args []string, out io.Writer) (rest []string, err error) {
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, f.usage)
			f.printFlags(out)
			fmt.Fprint(out, f.after)
			return nil, err
		} else if err != nil {
			return nil, mistake("%v: see loadgen %s --help", err, f.Name())
		}
		left := f.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if parsed := len(args) - len(left); parsed > 0 && args[parsed-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// one returns the only argument; what names it.
func (f *flags) one(rest []string, what string) (string, error) {
	switch len(rest) {
	case 0:
		return "", mistake("%s needs %s: see loadgen %s --help", f.Name(), what, f.Name())
	case 1:
		return rest[0], nil
	}
	return "", mistake("unexpected argument %q: %s takes %s", rest[1], f.Name(), what)
}

// mistake is an error of the command line.
func mistake(format string, args ...any) error {
	return fmt.Errorf("%w\n%w", errUsage, fmt.Errorf(format, args...))
}

// list is a flag that may be given many times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// numbers is a flag of numbers that may be given many times.
type numbers []int

func (n *numbers) String() string { return strings.Trim(fmt.Sprint([]int(*n)), "[]") }
func (n *numbers) Set(s string) error {
	v, err := strconv.Atoi(s)
	if err != nil || v <= 0 {
		return errors.New("want a process id")
	}
	*n = append(*n, v)
	return nil
}

// pairs is a flag of name=value that may be given many times.
type pairs map[string]string

func (p *pairs) String() string { return "" }
func (p *pairs) Set(s string) error {
	k, v, ok := strings.Cut(s, "=")
	if !ok || k == "" {
		return errors.New("want name=value")
	}
	if *p == nil {
		*p = pairs{}
	}
	(*p)[k] = v
	return nil
}
