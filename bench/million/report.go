package million

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/usage"
)

// report writes what a reader wants to know first, and shows it.
func (x *run) report(r *result.Result) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %d devices on one machine, %s\n\n    %s\n\n%s\n\n", x.opt.Connections, r.Started.Format(time.DateOnly),
		strings.Join(x.opt.Command, " "), usage.ReadEnv())
	fmt.Fprintf(&b, "%d roostd processes, %d of loadgen, on the same cores. Verdict: **%s**.\n\n", len(x.nodes), len(r.Workers), r.Verdict)
	for _, c := range r.Validity {
		if c.State == "fail" {
			fmt.Fprintf(&b, "- %s: %s\n", c.Name, c.Text)
		}
	}
	x.setUp(&b, r)
	x.memory(&b, r)
	x.deliveries(&b, r)
	resolution(&b, r)
	fmt.Fprintf(&b, "\nRaw: [result.json](result.json), [report.html](report.html), [scenario.yaml](scenario.yaml).\n")
	if _, err := x.out.Write(b.Bytes()); err != nil {
		return err
	}
	fmt.Fprintf(x.out, "\nwritten to %s\n", x.opt.Out)
	return os.WriteFile(x.file("report.md"), b.Bytes(), 0o644)
}

// phaseOf returns a phase by name, an empty one if the run did not get there.
func phaseOf(r *result.Result, name string) *result.Phase {
	for i := range r.Phases {
		if r.Phases[i].Name == name {
			return &r.Phases[i]
		}
	}
	return &result.Phase{}
}

// setUp says how the connections came up.
func (x *run) setUp(w io.Writer, r *result.Result) {
	p := phaseOf(r, "ramp")
	fmt.Fprintf(w, "\n## Set-up\n\n%d of %d devices connected in %.1f s: %.0f a second. Greeting (from the planned dial): p50 %s, p99 %s.\n",
		p.Connected, x.opt.Connections, p.Length.Seconds(), float64(p.Connected)/max(p.Length.Seconds(), 1e-9), spell(r, "ramp.greeting.p50"), spell(r, "ramp.greeting.p99"))
	for _, e := range p.Errors {
		fmt.Fprintf(w, "- %d x %s %s %s: %s\n", e.Count, e.Stage, e.Class, e.Text, e.Advice)
	}
}

// memory says what a connection costs, at both ends.
func (x *run) memory(w io.Writer, r *result.Result) {
	p := phaseOf(r, "hold")
	n := float64(max(p.Connected, 1))
	var rss, before float64
	for i, s := range p.Servers {
		if i < len(r.Servers) {
			rss += float64(s.RSS)
			before += float64(r.Servers[i].Before.RSS)
		}
	}
	var slab float64
	if len(p.Servers) > 0 && len(r.Servers) > 0 { // of the whole machine: the same in each
		slab = float64(p.Servers[0].Slab - r.Servers[0].Before.Slab)
	}
	generator := "-"
	if m, ok, _ := r.Lookup("loadgen.user_b_per_conn"); ok {
		generator = fmt.Sprintf("%.0f", m.Value)
	}
	fmt.Fprintf(w, "\n## Memory per connection, %d held for %s\n\n| | B |\n|---|---|\n", p.Connected, p.Length.Round(time.Second))
	fmt.Fprintf(w, "| server, resident, what empty nodes take left out | %.0f |\n", (rss-before)/n)
	fmt.Fprintf(w, "| server, resident, everything (%d processes) | %.0f |\n", len(p.Servers), rss/n)
	fmt.Fprintf(w, "| generator, resident, by which it grows with each more (slope while they come) | %s |\n", generator)
	fmt.Fprintf(w, "| generator, resident, everything (%d processes) | %.0f |\n", len(r.Workers), float64(p.Workers.RSS)/n)
	fmt.Fprintf(w, "| kernel, both ends (slab of sockets, whole machine) | %.0f |\n", slab/n)
}

// deliveries says what came.
func (x *run) deliveries(w io.Writer, r *result.Result) {
	fmt.Fprintf(w, "\n## Deliveries\n\n| | messages | expected | delivered | missing | wrong | p50 | p99 | max | of each broadcast: first, median, last subscriber (p50) |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range []string{"broadcast", "push"} {
		p := phaseOf(r, name)
		if p.Tally == nil {
			continue
		}
		c := p.Tally.Total()
		fan := "-"
		if name == "broadcast" {
			fan = spell(r, "broadcast.fan_first.p50") + ", " + spell(r, "broadcast.fan_median.p50") + ", " + spell(r, "broadcast.fan_last.p50")
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %s | %s | %s | %s |\n", name, c.Sent, c.Expected, c.Delivered, c.Missing+c.Gap, c.Wrong,
			spell(r, name+".delivery.p50"), spell(r, name+".delivery.p99"), spell(r, name+".delivery.max"), fan)
	}
}

// longest is beyond every time that is one: a quantile that is a message which
// never came.
const longest = 1e17

// resolution says how late the generator was itself.
func resolution(w io.Writer, r *result.Result) {
	value := map[string]time.Duration{}
	for _, c := range r.Validity {
		if c.State != "unknown" {
			value[c.Name] = time.Duration(c.Value).Round(time.Millisecond)
		}
	}
	fmt.Fprintf(w, "\nLatencies are no finer than the generator is punctual: the worst worker sent %v late (p99), and an idle thread of the worst woke up %v late (p99.9).\n",
		value["send lag p99"], value["hiccup p99.9"])
}

// spell writes a metric that is a time.
func spell(r *result.Result, name string) string {
	m, ok, _ := r.Lookup(name)
	if !ok {
		return "-"
	}
	if m.Value > longest {
		return "never"
	}
	return time.Duration(m.Value).Round(10 * time.Microsecond).String()
}
