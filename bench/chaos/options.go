package chaos

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"roost/bench/experiment"
)

// Options say what Run does. Zero fields mean their defaults.
type Options struct {
	Roostd    string        // binary; default bin/roostd
	Roostctl  string        // binary; default bin/roostctl
	Out       string        // folder of results; default bench/results/chaos-DATE
	Scenarios []string      // names; default all, in the order of the list
	Devices   int           // default: each scenario's own
	Rate      float64       // messages a second; default: each scenario's own
	Batch     int           // messages a request; default 1
	Connects  float64       // devices started a second at the beginning; default 1,000
	Calm      time.Duration // before a scenario hurts and after it is mended; default 3 s
	Pace      float64       // of what the ring does by itself, 1 to 10; default: each scenario's own
	Seed      uint64        // of what is random; default: another one each time
	Limit     time.Duration // no scenario is begun after it; default 40 min
	Command   []string      // recorded
}

func (o *Options) withDefaults() error {
	o.Roostd = cmp.Or(o.Roostd, "bin/roostd")
	o.Roostctl = cmp.Or(o.Roostctl, "bin/roostctl")
	o.Batch = cmp.Or(o.Batch, 1)
	o.Connects = cmp.Or(o.Connects, 1000)
	o.Calm = cmp.Or(o.Calm, 3*time.Second)
	o.Limit = cmp.Or(o.Limit, 40*time.Minute)
	o.Seed = cmp.Or(o.Seed, rand.Uint64N(1_000_000)+1)
	if len(o.Scenarios) == 0 {
		o.Scenarios = Names()
	}
	for _, name := range o.Scenarios {
		if find(name) == nil {
			return fmt.Errorf("there is no scenario %q: %s", name, strings.Join(Names(), ", "))
		}
	}
	switch {
	case o.Devices < 0 || o.Rate < 0 || o.Connects < 0 || o.Calm < 0 || o.Limit < 0:
		return errors.New("devices, rates and times must not be negative")
	case o.Pace != 0 && !(o.Pace >= 1 && o.Pace <= 10):
		return fmt.Errorf("a pace of %v: 1, as it is meant, to 10 times as fast", o.Pace)
	case o.Batch < 1 || o.Batch > 1000:
		return fmt.Errorf("a batch of %d: 1 to 1,000 messages", o.Batch)
	}
	for _, binary := range []*string{&o.Roostd, &o.Roostctl} {
		path, err := filepath.Abs(*binary)
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w: make build builds it", err)
		}
		*binary = path
	}
	return nil
}

// Failure says which scenarios did not hold.
type Failure struct{ Results []*Result }

func (f *Failure) Error() string {
	var words []string
	for _, r := range f.Results {
		words = append(words, fmt.Sprintf("%s %s: %s", r.Scenario, r.Verdict, r.first()))
	}
	return strings.Join(words, "\n")
}

// Code returns what a command ends with: 1 a scenario could not be carried through, 4
// something that is promised was not kept, 3 a number was not reached; the worst of
// them, in this order.
func (f *Failure) Code() int {
	code := 3
	for _, r := range f.Results {
		switch r.Verdict {
		case Failed:
			return 1
		case Broken:
			code = 4
		}
	}
	return code
}

// Run runs scenarios one after the other, says on out what happens, and writes the
// folder of results; those of other scenarios that are there already stay in the
// report. Those that did not hold are a *Failure.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if err := o.withDefaults(); err != nil {
		return err
	}
	folder, err := experiment.Folder(o.Out, "chaos")
	if err != nil {
		return err
	}
	if o.Out, err = filepath.Abs(folder); err != nil {
		return err
	}
	began := time.Now()
	results, err := earlier(o.Out, o.Scenarios)
	if err != nil {
		return err
	}
	var bad []*Result
	var left []string
	for i, name := range o.Scenarios {
		if time.Since(began) > o.Limit || ctx.Err() != nil {
			left = o.Scenarios[i:]
			break
		}
		fmt.Fprintf(out, "%s\n", name)
		r := runTrial(ctx, find(name), &o, out)
		r.Command = o.Command
		results = append(results, r)
		fmt.Fprintf(out, "  %s after %.0f s%s\n", r.Verdict, r.Took.Seconds(), prefixed(": ", r.first()))
		if r.Verdict != Held {
			bad = append(bad, r)
		}
		if err := errors.Join(r.write(filepath.Join(o.Out, name)), report(o, results, nil)); err != nil {
			return err
		}
	}
	err = report(o, results, left)
	fmt.Fprintf(out, "\nwritten to %s\n", folder)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("not run: %s", strings.Join(left, ", "))
	}
	if len(bad) > 0 {
		err = errors.Join(&Failure{bad}, err)
	}
	return err
}

// earlier reads the results that a folder has of other scenarios: one that is run again
// takes its place among them.
func earlier(folder string, again []string) (results []*Result, err error) {
	for _, name := range Names() {
		if slices.Contains(again, name) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(folder, name, "result.json"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		r := new(Result)
		if err == nil {
			err = json.Unmarshal(data, r)
		}
		if err != nil {
			return nil, fmt.Errorf("an earlier result of %s: %w", name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// first is what a verdict is for, in a line.
func (r *Result) first() string {
	all := slices.Concat([]string{r.Error}, r.Faults, r.Missed)
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	if len(all) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(all[0], "\n")
	return first
}

// write writes result.json.
func (r *Result) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "result.json"), append(data, '\n'), 0o644)
}
