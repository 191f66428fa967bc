package doctor

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"roost/loadgen/calibrate"
)

// Figure is one thing that was found out.
type Figure struct {
	Name  string
	Value string
	Good  string   // what it should be; empty: there is no such thing
	OK    bool     // it is, or there is no such thing
	Mend  []string // what to do if it is not, or to be had more of; any of the lines
}

// Doctor looks at this machine.
type Doctor struct {
	Tools calibrate.Tools
	// Clients is how many connections the memory of a worker is measured with;
	// 0: DefaultClients, or as many as descriptors allow.
	Clients int
	Say     io.Writer // told what is under way
}

// DefaultClients is what a process has descriptors for with a limit of 20,000.
const DefaultClients = 19_000

// Look takes about half a minute. What could be found out until an error is
// returned with it.
func (d *Doctor) Look(ctx context.Context) (figures []Figure, err error) {
	for _, look := range []struct {
		what string
		at   func(context.Context) ([]Figure, error)
	}{
		{"the clock", d.clock},
		{"how late an idle thread wakes, 2 s", d.sleep},
		{"a server that does nothing, 3 s", d.echo},
		{"the ceiling of one worker, 5 s", d.ceiling},
		{"room for connections", d.room},
		{"memory of connections, 10 s", d.memory},
	} {
		if err := ctx.Err(); err != nil {
			return figures, err
		}
		fmt.Fprintf(d.Say, "doctor: %s\n", look.what)
		more, err := look.at(ctx)
		figures = append(figures, more...)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", look.what, err)
		}
	}
	return figures, nil
}

// Bad counts figures that are not as they should be.
func Bad(figures []Figure) (n int) {
	for _, f := range figures {
		if !f.OK {
			n++
		}
	}
	return n
}

// Write prints figures, and what mends those that are bad.
func Write(w io.Writer, figures []Figure) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range figures {
		ok := ""
		switch {
		case !f.OK:
			ok = "BAD: want " + f.Good
		case f.Good != "":
			ok = "ok: " + f.Good
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Name, f.Value, ok)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range figures {
		for _, m := range f.Mend {
			if _, err := fmt.Fprintf(w, "  %s: %s\n", f.Name, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// figure is one with a limit, and what to do beyond it.
func figure(name, value, good string, ok bool, mend ...string) Figure {
	f := Figure{Name: name, Value: value, Good: good, OK: ok}
	if !ok {
		f.Mend = mend
	}
	return f
}

// fact is a figure that is neither good nor bad.
func fact(name, format string, args ...any) Figure {
	return Figure{Name: name, Value: fmt.Sprintf(format, args...), OK: true}
}
