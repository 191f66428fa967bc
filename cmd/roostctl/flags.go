package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// flags are those of one command.
type flags struct {
	*flag.FlagSet
	usage string // the lines above the list of flags
}

// newFlags begins the flags of a command, such as "ring build". synopsis is what
// follows the name on the command line, about what it does.
func newFlags(name, synopsis, about string) *flags {
	f := &flags{flag.NewFlagSet(name, flag.ContinueOnError), fmt.Sprintf("usage: roostctl %s %s\n\n%s\n\n", name, synopsis, about)}
	f.SetOutput(io.Discard) // Parse's error is told once, by main
	return f
}

// parse reads a command line in which flags and arguments may be mixed; after
// "--" all are arguments. Help goes to out.
func (f *flags) parse(args []string, out io.Writer) (rest []string, err error) {
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, f.usage)
			f.SetOutput(out)
			f.PrintDefaults()
			return nil, err
		} else if err != nil {
			return nil, fmt.Errorf("%w: see roostctl %s --help", err, f.Name())
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

// take is parse for a command with so many arguments; what names them.
func (f *flags) take(args []string, out io.Writer, least, most int, what string) (rest []string, err error) {
	if rest, err = f.parse(args, out); err != nil {
		return nil, err
	}
	return rest, f.want(rest, least, most, what)
}

// only is parse for a command without arguments.
func (f *flags) only(args []string, out io.Writer) error {
	_, err := f.take(args, out, 0, 0, "flags only")
	return err
}

// given reports whether a flag is on the command line.
func (f *flags) given(name string) (given bool) {
	f.Visit(func(o *flag.Flag) { given = given || o.Name == name })
	return given
}

// want checks the number of arguments; what names them.
func (f *flags) want(rest []string, least, most int, what string) error {
	switch {
	case len(rest) < least:
		return fmt.Errorf("%s needs %s: see roostctl %s --help", f.Name(), what, f.Name())
	case most >= 0 && len(rest) > most:
		return fmt.Errorf("unexpected argument %q: %s takes %s", rest[most], f.Name(), what)
	}
	return nil
}
