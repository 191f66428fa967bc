package decaysim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"roost/loadgen/usage"
)

// ModelsOptions says what RunModels does. Zero fields mean their
// defaults.
type ModelsOptions struct {
	Out      string  // folder of results; default bench/results/decay-DATE
	Rate     float64 // base load, requests/s; default 1200
	Places   int     // concurrent requests that the server takes; default 100
	Requests int     // measured in each replay; default 100,000
	Seeds    int     // replays of each load, each drawn anew; default 5
	Quick    bool    // one seed, a tenth of the requests and of the time before, to see that it works

	Command []string // recorded
}

func (o ModelsOptions) withDefaults() ModelsOptions {
	if o.Quick {
		o.Requests = cmp.Or(o.Requests, 10000)
		o.Seeds = cmp.Or(o.Seeds, 1)
	}
	o.Rate = cmp.Or(o.Rate, 1200)
	o.Places = cmp.Or(o.Places, 100)
	o.Requests = cmp.Or(o.Requests, 100000)
	o.Seeds = cmp.Or(o.Seeds, 5)
	return o
}

func (o ModelsOptions) validate() error {
	switch {
	case !(o.Rate >= 1 && o.Rate <= 1e6):
		return fmt.Errorf("a rate of %v requests/s: want 1 to a million", o.Rate)
	case o.Places < 1 || o.Places > 1e6:
		return fmt.Errorf("%d concurrent requests: want 1 to a million", o.Places)
	case o.Requests < 1 || o.Requests > 1e8:
		return fmt.Errorf("%d requests: want 1 to 100 million", o.Requests)
	case o.Seeds < 1 || o.Seeds > 1000:
		return fmt.Errorf("%d seeds: want 1 to 1000", o.Seeds)
	}
	return nil
}

// mainLoad is the load of the first table: bursts of twice the rate for 100 ms,
// every 5 s (and a little, so that they begin at any phase of a slot). The server is busy to three quarters at the base rate: 62.5 ms a
// request at 1,200/s.
func (o ModelsOptions) mainLoad() load {
	const busy = 0.75
	warmUp := time.Minute // 6/lambda of the slowest model but one
	if o.Quick {
		warmUp /= 10
	}
	return load{
		Rate: o.Rate, Requests: o.Requests, Places: o.Places,
		Factor: 2, Burst: 100 * time.Millisecond, Every: 5017 * time.Millisecond, WarmUp: warmUp,
		Service: time.Duration(busy * float64(o.Places) / o.Rate * 1e9), ServiceSD: 0.2, TargetShare: 0.95,
	}
}

// loadCase is one load, and what every model made of it, a replay a seed.
type loadCase struct {
	Name     string               `json:"name"`
	Load     load                 `json:"load"`
	Outcomes map[string][]outcome `json:"outcomes"` // by model
}

// cases returns the loads: the main one first, then others that differ from it in
// one thing.
func (o ModelsOptions) cases() []loadCase {
	base := o.mainLoad()
	var cases []loadCase
	add := func(factor float64, length time.Duration, what string, change func(*load)) {
		l := base
		l.Factor, l.Burst = factor, length
		name := fmt.Sprintf("x%g for %.0f ms", factor, length.Seconds()*1e3)
		if factor == 1 {
			name = "no bursts"
		}
		if change != nil {
			change(&l)
			name += ", " + what
		}
		cases = append(cases, loadCase{Name: name, Load: l})
	}
	const ms = time.Millisecond
	add(2, 100*ms, "", nil)
	add(1, 0, "", nil)
	add(2, 50*ms, "", nil)
	add(2, 200*ms, "", nil)
	add(2, 500*ms, "", nil)
	add(2, 2000*ms, "", nil)
	add(1.4, 1000*ms, "", nil)
	add(3, 100*ms, "", nil)
	add(5, 100*ms, "", nil)
	add(10, 50*ms, "", nil)
	add(2, 100*ms, "target 80 % of capacity", func(l *load) { l.TargetShare = 0.8 })
	add(2, 100*ms, "service times of sd 0.05", func(l *load) { l.ServiceSD = 0.05 })
	add(2, 100*ms, "service times of sd 0.5", func(l *load) { l.ServiceSD = 0.5 })
	add(2, 100*ms, "hard limit", func(l *load) { l.Hard = true })
	add(2, 500*ms, "hard limit", func(l *load) { l.Hard = true })
	return cases
}

// modelsRun is one RunModels under way.
type modelsRun struct {
	opt   ModelsOptions
	out   io.Writer
	text  bytes.Buffer
	cases []loadCase
}

// RunModels compares models that estimate the rate of requests for a limiter
// in front of a server: memory, spread of P95, and how soon a burst is seen. It
// replays loads in virtual time, the same for each model; with the same options it
// gives the same numbers however busy the machine is (processors that fuse
// multiplication and addition round otherwise). It prints a report to out and writes it,
// with the raw results and pictures, to a folder.
func RunModels(ctx context.Context, opt ModelsOptions, out io.Writer) error {
	x := &modelsRun{opt: opt.withDefaults(), out: out}
	if err := x.opt.validate(); err != nil {
		return fmt.Errorf("decay models: %w", err)
	}
	var err error
	if x.opt.Out, err = runFolder(opt.Out, "decay"); err != nil {
		return err
	}
	x.cases = x.opt.cases()
	for i := range x.cases {
		if err := x.cases[i].run(ctx, x.opt.Seeds); err != nil {
			return err
		}
	}
	x.printf("# Decay models, %s\n\n    %s\n\n%s\n\n", time.Now().Format(time.DateOnly), strings.Join(x.opt.Command, " "), usage.ReadEnv())
	x.report()
	if err := x.pictures(); err != nil {
		return err
	}
	return x.finish()
}

// run replays the load for each seed and model.
func (c *loadCase) run(ctx context.Context, seeds int) error {
	c.Outcomes = make(map[string][]outcome)
	for seed := range seeds {
		l := c.Load
		l.Seed = uint64(seed + 1)
		x := l.draw()
		for _, m := range models {
			if err := ctx.Err(); err != nil {
				return err
			}
			if l.Hard && m.Name == trueRate {
				continue // it knows what comes, not what was let in
			}
			c.Outcomes[m.Name] = append(c.Outcomes[m.Name], replay(x, m.make(l)))
		}
	}
	return nil
}

// finish writes report and raw results.
func (x *modelsRun) finish() error {
	raw, err := json.Marshal(x.cases)
	if err != nil {
		return err
	}
	if err := writeReport(x.opt.Out, x.text.Bytes(), filepath.Join("runs", "outcomes.json"), raw); err != nil {
		return err
	}
	_, err = fmt.Fprintf(x.out, "\nwritten to %s\n", x.opt.Out)
	return err
}

// printf writes to the report and shows it.
func (x *modelsRun) printf(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	x.text.WriteString(s)
	_, _ = io.WriteString(x.out, s)
}

// memoryOf returns the bytes that one model of a kind takes on the heap, measured
// over many. What others allocate meanwhile can only make it more, so the least of
// some tries is taken.
func memoryOf(m model, l load) float64 {
	const n = 1000
	least := 0.0
	kept := make([]rateModel, n)
	for try := range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range kept {
			kept[i] = m.make(l)
		}
		runtime.ReadMemStats(&after)
		if bytes := float64(after.TotalAlloc-before.TotalAlloc) / n; try == 0 || bytes < least {
			least = bytes
		}
	}
	runtime.KeepAlive(kept)
	return least
}
