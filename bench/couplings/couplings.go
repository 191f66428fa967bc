package couplings

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"roost/bench/experiment"
	"roost/loadgen/usage"
	"roost/server/publisher"
)

// Options say what Run does. Zero fields mean their defaults.
type Options struct {
	Out    string        // folder of results; default bench/results/couplings-DATE
	Length time.Duration // virtual time of each simulation; default 60 s
	Seed   uint64        // default 1
	Rate   float64       // messages a second on real sockets; default 300
	Phase  time.Duration // real time of each of their phases; default 4 s
	Pure   bool          // the simulation alone
	Quick  bool          // 6 s and 0.5 s, to see that it works

	Command []string // recorded
}

func (o Options) withDefaults() Options {
	if o.Quick {
		o.Length, o.Phase = cmp.Or(o.Length, 6*time.Second), cmp.Or(o.Phase, 500*time.Millisecond)
	}
	o.Length, o.Phase = cmp.Or(o.Length, time.Minute), cmp.Or(o.Phase, 4*time.Second)
	o.Seed, o.Rate = cmp.Or(o.Seed, 1), cmp.Or(o.Rate, 300)
	return o
}

func (o *Options) validate() error {
	switch {
	case o.Length < 3*time.Second || o.Length > time.Hour:
		return fmt.Errorf("a length of %v: 3 s to an hour", o.Length)
	case !(o.Rate >= 1 && o.Rate <= 20_000):
		return fmt.Errorf("a rate of %v messages/s: 1 to 20,000", o.Rate)
	case o.Phase < 100*time.Millisecond || o.Phase > 10*time.Minute:
		return fmt.Errorf("phases of %v: 100 ms to 10 minutes", o.Phase)
	}
	return nil
}

// worldRun is what all policies made of one world.
type worldRun struct {
	World    world     `json:"world"`
	Outcomes []Outcome `json:"outcomes"`
}

// run is one Run, and its file of results.
type run struct {
	Command  []string        `json:"command"`
	Env      usage.Env       `json:"env"`
	Seed     uint64          `json:"seed"`
	Policies []policy        `json:"policies"`
	Worlds   []worldRun      `json:"worlds"`
	Rate     float64         `json:"sockets_rate"`
	Phase    time.Duration   `json:"sockets_phase_ns"`
	Sockets  []SocketOutcome `json:"sockets,omitempty"`
}

// choices of the publisher that are tried on sockets.
var choices = []publisher.Choose{publisher.Any, publisher.ByRing, publisher.BeforePush, publisher.AfterFailure}

// Run compares all policies in all worlds, then the publisher's on real sockets. It
// prints a report to out and writes it, with results.json, to a folder.
func Run(ctx context.Context, o Options, out io.Writer) error {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return fmt.Errorf("bench couplings: %w", err)
	}
	folder, err := experiment.Folder(o.Out, "couplings")
	if err != nil {
		return err
	}
	x := &run{Command: o.Command, Env: usage.ReadEnv(), Seed: o.Seed, Policies: policies, Rate: o.Rate, Phase: o.Phase}
	if err := x.simulate(ctx, o); err != nil {
		return err
	}
	if !o.Pure {
		for _, how := range choices {
			list, err := sockets(ctx, how, o.Rate, o.Phase)
			if err != nil {
				return fmt.Errorf("bench couplings: %v on sockets: %w", how, err)
			}
			x.Sockets = append(x.Sockets, list...)
		}
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# When weights act, %s\n\n    %s\n\n%s\n\n", time.Now().Format(time.DateOnly), strings.Join(o.Command, " "), x.Env)
	for _, p := range policies {
		fmt.Fprintf(&text, "- **%s**: %s\n", p.Name, p.Note)
	}
	x.report(&text)
	if err := x.write(folder, text.Bytes()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\nwritten to %s\n", text.Bytes(), folder)
	return err
}

// simulate runs every policy in every world.
func (x *run) simulate(ctx context.Context, o Options) error {
	for _, w := range worlds(o.Length) {
		c := worldRun{World: w}
		for i := range policies {
			outcome, err := Simulate(ctx, &w, &policies[i], o.Seed)
			if err != nil {
				return err
			}
			c.Outcomes = append(c.Outcomes, outcome)
		}
		x.Worlds = append(x.Worlds, c)
	}
	return nil
}

// write writes the files.
func (x *run) write(folder string, report []byte) error {
	raw, err := json.MarshalIndent(x, "", " ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "results.json"), append(raw, '\n'), 0o644),
		os.WriteFile(filepath.Join(folder, "report.md"), report, 0o644))
}
