package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"roost/bench/stats"
	"roost/loadgen/result"
)

// runKey names one run of a comparison.
type runKey struct {
	Round  int
	Server string
	Load   string
}

// cell is what came out of it.
type cell struct {
	Result   *result.Result
	Tries    int
	Invalid  []string // why it does not count
	Failures []string // what the server did wrong
}

// table is a comparison: everything the text is made from.
type table struct {
	Options PeersOptions
	Began   time.Time
	Servers []string // in the order of the rows
	Cells   map[runKey]cell
	Notes   []string
}

// counts reports whether the run is a result.
func (c cell) counts() bool { return len(c.Invalid) == 0 && len(c.Failures) == 0 }

// values returns a column of one server by round, NaN where a run is missing or
// is not to be taken.
func (t *table) values(server, load string, c column, take func(cell) bool) []float64 {
	v := make([]float64, t.Options.Rounds)
	for round := range v {
		v[round] = math.NaN()
		if cell, ok := t.Cells[runKey{round, server, load}]; ok && take(cell) {
			v[round] = c.value(cell.Result)
		}
	}
	return v
}

// number writes a column of one server. Where no round counts, what was read
// under other work or at the generator's limit stands in parentheses.
func (t *table) number(server, load string, c column) string {
	faultless := func(c cell) bool { return len(c.Failures) == 0 }
	take := cell.counts
	if c.kind == memory {
		take = faultless
	}
	if s := stats.Summarize(t.values(server, load, c, take)); s.N > 0 {
		return text(s, c.format)
	}
	if s := stats.Summarize(t.values(server, load, c, faultless)); s.N > 0 {
		return "(" + text(s, c.format) + ")"
	}
	return "-"
}

// WriteMarkdown writes the tables, with what is needed to read them.
func (t *table) WriteMarkdown(w io.Writer) {
	t.writeHead(w)
	for _, l := range t.Options.loads() {
		if !t.has(l.name) {
			continue
		}
		fmt.Fprintf(w, "\n## %s\n\n| server |", l.title)
		rule := "|---|"
		for _, c := range l.columns {
			fmt.Fprintf(w, " %s |", c.title)
			rule += "---|"
			if c.kind == ratio {
				fmt.Fprint(w, " x floor |")
				rule += "---|"
			}
		}
		fmt.Fprintf(w, " not counted |\n%s---|\n", rule)
		for _, server := range t.Servers {
			t.writeRow(w, server, l)
		}
	}
	t.writeNotes(w)
}

func (t *table) has(load string) bool {
	for key := range t.Cells {
		if key.Load == load {
			return true
		}
	}
	return false
}

// writeRow writes medians with the smallest and largest.
func (t *table) writeRow(w io.Writer, server string, l load) {
	row := fmt.Sprintf("| %s |", server)
	for _, c := range l.columns {
		row += " " + t.number(server, l.name, c) + " |"
		if c.kind == ratio {
			r := ratios(t.values(server, l.name, c, cell.counts), t.values(floorName, l.name, c, cell.counts))
			row += " " + text(stats.Summarize(r), "%.2f") + " |"
		}
	}
	counted, left := 0, 0
	for round := range t.Options.Rounds {
		if cell, ok := t.Cells[runKey{round, server, l.name}]; ok {
			if cell.counts() {
				counted++
			} else {
				left++
			}
		}
	}
	switch {
	case counted+left == 0: // this load is not for it
	case left == 0:
		fmt.Fprintln(w, row, "|")
	default:
		fmt.Fprintf(w, "%s %d of %d |\n", row, left, left+counted)
	}
}

// text is "median [min-max]", or the value alone if there is one.
func text(s stats.Spread, format string) string {
	switch s.N {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf(format, s.Median)
	}
	return fmt.Sprintf(format+" ["+format+"-"+format+"]", s.Median, s.Min, s.Max)
}

// writeHead writes what was measured where.
func (t *table) writeHead(w io.Writer) {
	o := t.Options
	fmt.Fprintf(w, "# Peers, %s\n\n    %s\n\n%s; server and generator share them.\n", t.Began.Format(time.DateOnly), strings.Join(o.Command, " "), t.machine())
	fmt.Fprintf(w, "%d rounds, %d connections, %d for echo; payload 128 bytes, what a server wraps around it comes on top; %v each.\n",
		o.Rounds, o.Connections, o.EchoConnections, o.Hold)
	fmt.Fprintf(w, "Open loops: %g broadcasts/s (%.0f deliveries/s), %g/s of %d at once, %.0f echoes/s.\n\n",
		o.broadcastRate(), o.broadcastRate()*float64(o.Connections), o.burstRate(), burstSize, o.EchoRate)
	fmt.Fprintf(w, "Median [min-max] over rounds. us: CPU of the server's process and of ksoftirqd, in microseconds.\n"+
		"x floor: the same, as a multiple of cfloor's (write) in the same round.\n"+
		"settled: the slope over three plateaus of %v each, after two collections; raw: the most that was seen, over all connections.\n"+
		"Server and clients share the processors: up to half of a latency may be the clients' own, and more where they spin; CPU is what is compared.\n"+
		"Not counted: the run was INVALID (the generator was the limit), other work took more than %.2f cores (memory does not\n"+
		"mind), or messages were lost, after all repeats; in parentheses what such runs read where none counts.\n",
		o.Settle, maxOther)
}

// machine names what the results say of it, those of any run.
func (t *table) machine() string {
	facts := map[string]string{}
	for _, cell := range t.Cells {
		for _, f := range slices.Concat(cell.Result.Environment.Host, cell.Result.Environment.Sysctl) {
			facts[f.Name] = f.Value
		}
		break
	}
	return fmt.Sprintf("%s cores (%s), %s MiB, linux %s, generator %s, tcp_congestion %s, RLIMIT_NOFILE %s", facts["cpu_threads"], facts["cpu"],
		facts["memory_mib"], facts["kernel"], facts["go"], facts["net.ipv4.tcp_congestion_control"], facts["nofile"])
}

// writeNotes lists what did not count and why.
func (t *table) writeNotes(w io.Writer) {
	var lines []string
	retried := 0
	for key, cell := range t.Cells {
		retried += cell.Tries - 1
		if why := slices.Concat(cell.Invalid, cell.Failures); len(why) > 0 {
			lines = append(lines, fmt.Sprintf("%s, %s, round %d: %s", key.Server, key.Load, key.Round+1, strings.Join(why, "; ")))
		}
	}
	slices.Sort(lines)
	lines = append(slices.Clone(t.Notes), lines...)
	fmt.Fprintf(w, "\n%d runs, %d tried again.\n", len(t.Cells), retried)
	for _, line := range lines {
		fmt.Fprintf(w, "- %s\n", line)
	}
}
