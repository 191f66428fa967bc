package decaysim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"roost/decay/plant"
	"roost/loadgen/usage"
)

// WeightsOptions says what RunWeights does. Zero fields mean their
// defaults.
type WeightsOptions struct {
	Out   string // folder of results; default bench/results/decay-report-DATE
	Seed  uint64 // of the first run; default 1
	Seeds int    // runs of each policy; default 5
	Quick bool   // one run of a quarter of the nodes, to see that it works

	Command []string // recorded
}

// weightsReport is one RunWeights under way.
type weightsReport struct {
	opt   WeightsOptions
	out   io.Writer
	text  bytes.Buffer
	cases []weightsCase
}

// weightsCase is one scenario with what its policies came to, a run per seed.
type weightsCase struct {
	plant.Scenario
	Results map[string][]plant.Result
}

// RunWeights simulates decay's policies on decay/plant's scenarios, and writes
// tables, pictures and the raw results to a folder. It takes half a minute, on
// one core, and no time of the simulation is real: a busy machine changes nothing.
func RunWeights(ctx context.Context, opt WeightsOptions, out io.Writer) error {
	opt.Seed = cmp.Or(opt.Seed, 1)
	return runWeights(ctx, opt, plant.Scenarios(opt.Seed), out)
}

// runWeights is RunWeights of some scenarios.
func runWeights(ctx context.Context, opt WeightsOptions, scenarios []plant.Scenario, out io.Writer) error {
	if opt.Quick {
		opt.Seeds = cmp.Or(opt.Seeds, 1)
	}
	opt.Seeds = cmp.Or(opt.Seeds, 5)
	if opt.Seeds < 1 || opt.Seeds > 1000 {
		return fmt.Errorf("%d seeds: want 1 to 1000", opt.Seeds)
	}
	var err error
	if opt.Out, err = runFolder(opt.Out, "decay-report"); err != nil {
		return err
	}
	x := &weightsReport{opt: opt, out: out}
	for _, scenario := range scenarios {
		c, err := x.simulate(ctx, scenario)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", scenario.Name, err)
		}
		x.cases = append(x.cases, c)
		fmt.Fprintf(out, "%s: %d policies x %d seeds\n", scenario.Name, len(scenario.Policies), opt.Seeds)
	}
	x.head()
	for _, c := range x.cases {
		x.table(c)
	}
	x.beside()
	if err := x.write(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "written to %s\n", opt.Out)
	return err
}

// simulate runs the policies of a scenario with each seed.
func (x *weightsReport) simulate(ctx context.Context, scenario plant.Scenario) (weightsCase, error) {
	if x.opt.Quick {
		scenario.Settings.Nodes, scenario.Settings.Connections = 16, 250_000
	}
	c := weightsCase{scenario, map[string][]plant.Result{}}
	for k := range x.opt.Seeds {
		scenario.Settings.Seed = x.opt.Seed + uint64(k)
		for _, p := range scenario.Policies {
			if err := ctx.Err(); err != nil {
				return c, err
			}
			r, err := plant.Run(scenario.Settings, p)
			if err != nil {
				return c, fmt.Errorf("policy %q: %w", p.Name, err)
			}
			if k > 0 {
				r.Trace = plant.Trace{} // only those of the first seed are drawn
			}
			c.Results[p.Name] = append(c.Results[p.Name], r)
		}
	}
	return c, nil
}

func (x *weightsReport) printf(format string, args ...any) { fmt.Fprintf(&x.text, format, args...) }

// head writes what was simulated, and how to read it.
func (x *weightsReport) head() {
	nodes, connections := 64, "1,000,000"
	if x.opt.Quick {
		nodes, connections = 16, "250,000"
	}
	x.printf("# Weights by load: what policies do to a cluster, %s\n\n    %s\n\n%s\n\n", time.Now().Format(time.DateOnly),
		strings.Join(x.opt.Command, " "), usage.ReadEnv())
	x.printf("Simulated (package decay/plant; the pipeline and the controller are the product's own): %d nodes of capacity 0.7, 1 and 1.3 in turn,\n"+
		"%s connections of a mean life of 30 min, samples each second, 5 s old when they are known, with 2 %% of noise; 2 h, of which\n"+
		"the first 30 min are not counted, where a table does not say otherwise. %d seeds, median [min-max]. On amd64 the same seed gives the same numbers; how busy the machine is does not matter.\n\n",
		nodes, connections, x.opt.Seeds)
	x.printf("- **deviation**: of load (connections per capacity) over the nodes, in %% of their mean; mean over time. max: largest over the mean, mean over time; worst: at its worst.\n" +
		"- **change**: by how much a node's weight in the ring changes in 5 s, mean over nodes and time. versions/h: publications in which a weight changed.\n" +
		"- **moved**: connections that a change of weights moved, in %% of all; worst minute: the most in one.\n" +
		"- **swing**: deviation of one node's load in time; autocorrelation: the least one of it; together above 2 %% and below -0.6 they are called a cycle.\n")
}

// column is one number of the tables. show says for which scenarios; nil is all.
type weightsColumn struct {
	title, format string
	show          func(s plant.Settings) bool
	value         func(r plant.Result) float64
}

var weightsColumns = []weightsColumn{
	{"deviation %", "%.2f", nil, func(r plant.Result) float64 { return r.LoadStd }},
	{"max", "%.3f", nil, func(r plant.Result) float64 { return r.MaxLoad }},
	{"worst", "%.2f", nil, func(r plant.Result) float64 { return r.WorstLoad }},
	{"change %", "%.2f", nil, func(r plant.Result) float64 { return r.Change }},
	{"versions/h", "%.0f", nil, func(r plant.Result) float64 { return r.Publishes }},
	{"moved %/h", "%.1f", moves, func(r plant.Result) float64 { return r.Moves }},
	{"worst minute %", "%.2f", moves, func(r plant.Result) float64 { return r.WorstMoves }},
	{"swing %", "%.2f", nil, func(r plant.Result) float64 { return r.Swing }},
	{"autocorrelation", "%.2f", nil, func(r plant.Result) float64 { return -r.Oscillation }},
	{"joiner: most of new connections %", "%.1f", joins, func(r plant.Result) float64 { return r.JoinerPeak }},
	{"fair %", "%.1f", joins, func(r plant.Result) float64 { return r.JoinerFair }},
	{"90 % full after s", "%.0f", joins, func(r plant.Result) float64 { return orNever(r.Fill) }},
	{"most of its fair load", "%.2f", joins, func(r plant.Result) float64 { return r.Overshoot }},
	{"storm s", "%.0f", drops, func(r plant.Result) float64 { return r.Storms }},
	{"below 5 % again after s", "%.0f", drops, func(r plant.Result) float64 { return orNever(r.Restored) }},
}

func moves(s plant.Settings) bool { return s.Moves }
func joins(s plant.Settings) bool { return s.Join.At > 0 }
func drops(s plant.Settings) bool { return s.Drop.Share > 0 }

// orNever makes NaN, which no table counts, of a negative time.
func orNever(s float64) float64 {
	if s < 0 {
		return math.NaN()
	}
	return s
}

// table writes the scenario's table.
func (x *weightsReport) table(c weightsCase) {
	x.printf("\n## %s: %s\n\n![%s](%s.svg)\n\n| policy |", c.Name, c.Text, c.Text, c.Name)
	rule := "|---|"
	for _, col := range weightsColumns {
		if col.show == nil || col.show(c.Settings) {
			x.printf(" %s |", col.title)
			rule += "---|"
		}
	}
	x.printf(" cycle |\n%s---|\n", rule)
	for _, p := range c.Policies {
		x.printf("| %s |", p.Name)
		for _, col := range weightsColumns {
			if col.show == nil || col.show(c.Settings) {
				x.printf(" %s |", c.number(p.Name, col))
			}
		}
		cycles := 0
		for _, r := range c.Results[p.Name] {
			if r.Cycles() {
				cycles++
			}
		}
		if cycles > 0 {
			x.printf(" %d of %d", cycles, x.opt.Seeds)
		}
		x.printf(" |\n")
	}
}

// number writes one column of a policy over its seeds.
func (c *weightsCase) number(policy string, col weightsColumn) string {
	var v []float64
	for _, r := range c.Results[policy] {
		if f := col.value(r); !math.IsNaN(f) {
			v = append(v, f)
		}
	}
	if len(v) == 0 {
		return "never"
	}
	return spreadOf(v, col.format)
}

// write puts report, raw results and pictures into the folder.
func (x *weightsReport) write() error {
	for _, c := range x.cases {
		if err := x.picture(c); err != nil {
			return err
		}
	}
	raw, err := json.MarshalIndent(x.raw(), "", " ")
	if err != nil {
		return err
	}
	return writeReport(x.opt.Out, x.text.Bytes(), "results.json", raw)
}

// raw is what results.json holds: each run's numbers.
func (x *weightsReport) raw() any {
	type run struct {
		Scenario, Policy string
		Seed             uint64
		Result           plant.Result
	}
	var runs []run
	for _, c := range x.cases {
		for _, p := range c.Policies {
			for k, r := range c.Results[p.Name] {
				runs = append(runs, run{c.Name, p.Name, x.opt.Seed + uint64(k), r})
			}
		}
	}
	return struct {
		Command []string
		Env     usage.Env
		Runs    []run
	}{x.opt.Command, usage.ReadEnv(), runs}
}
