package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"roost/loadgen"
)

// Key names one run of a comparison.
type Key struct {
	Round   int
	Subject string
	Phase   string
}

// Cell is what came out of it.
type Cell struct {
	Result   *loadgen.Result
	Tries    int
	Invalid  []string // why it does not count
	Failures []string // what the server did wrong
}

// Table is a comparison: everything the text is made from.
type Table struct {
	Options  PeersOptions
	Ceiling  Ceiling
	Rates    rates
	Began    time.Time
	Subjects []string // in the order of the rows
	Cells    map[Key]Cell
	Notes    []string
}

// column is one number of a run.
type column struct {
	phase  string
	title  string
	format string // of the number
	kind   kind
	value  func(r *loadgen.Result) float64
}

// kind says what a column's numbers depend on.
type kind uint8

const (
	timed  kind = iota // on what else goes on
	ratio              // on that too; also written as a multiple of the floor's
	memory             // on the server alone
)

const (
	ms = 1e6 // ns
	kb = 1e3
)

// sections are the tables, one below the other.
var sections = []struct {
	title   string
	columns []column
}{
	{"Memory and handshakes", []column{
		{"idle", "RSS B/conn settled", "%.0f", memory, func(r *loadgen.Result) float64 { return r.Idle.Settled }},
		{"idle", "raw", "%.0f", memory, func(r *loadgen.Result) float64 { return r.Idle.Raw }},
		{"idle", "kernel KB/conn, both ends", "%.1f", memory, func(r *loadgen.Result) float64 { return r.Idle.KernelPair / kb }},
		{"idle", "us/handshake", "%.1f", ratio, func(r *loadgen.Result) float64 { return r.Connect.ServerSumMicros }},
		{"idle", "handshakes/s", "%.0f", timed, func(r *loadgen.Result) float64 { return r.Connect.PerSecond }},
	}},
	{"Broadcast, client sleeping", broadcastColumns("broadcast")},
	{"Broadcast, client spinning (as a client on another machine: the server pays for no wake-up)", broadcastColumns("broadcast-spin")},
	{"Broadcasts published eight at once, client sleeping", broadcastColumns("burst")},
	{"Echo, client sleeping", []column{
		{"echo", "us/message", "%.2f", ratio, func(r *loadgen.Result) float64 { return r.Echo.ServerSumMicros }},
		{"echo", "p50 ms from due", "%.2f", timed, func(r *loadgen.Result) float64 { return float64(r.Echo.FromDue.P50) / ms }},
		{"echo", "p99 ms", "%.2f", timed, func(r *loadgen.Result) float64 { return float64(r.Echo.FromDue.P99) / ms }},
	}},
	{"Broadcast, closed loop (CLIENT-BOUND: both sides share the machine; not a finding)", []column{
		{"saturated", "deliveries/s", "%.0f", timed, func(r *loadgen.Result) float64 { return r.Broadcast.PerSecond }},
		{"saturated", "us/delivery", "%.2f", ratio, func(r *loadgen.Result) float64 { return r.Broadcast.ServerSumMicros }},
	}},
}

func broadcastColumns(phase string) []column {
	return []column{
		{phase, "us/delivery", "%.2f", ratio, func(r *loadgen.Result) float64 { return r.Broadcast.ServerSumMicros }},
		{phase, "without ksoftirqd", "%.2f", timed, func(r *loadgen.Result) float64 { return r.Broadcast.ServerMicros }},
		{phase, "spread p50 ms", "%.0f", timed, func(r *loadgen.Result) float64 { return float64(r.Broadcast.Spread.P50) / ms }},
		{phase, "spread p99 ms", "%.0f", timed, func(r *loadgen.Result) float64 { return float64(r.Broadcast.Spread.P99) / ms }},
		{phase, "p99 ms from due", "%.0f", timed, func(r *loadgen.Result) float64 { return float64(r.Broadcast.FromDue.P99) / ms }},
	}
}

// counts reports whether the run is a result.
func (c Cell) counts() bool { return len(c.Invalid) == 0 && len(c.Failures) == 0 }

// values returns a column of one subject by round, NaN where a run is missing
// or is not to be taken.
func (t *Table) values(subject string, c column, take func(Cell) bool) []float64 {
	v := make([]float64, t.Options.Rounds)
	for round := range v {
		v[round] = math.NaN()
		if cell, ok := t.Cells[Key{round, subject, c.phase}]; ok && take(cell) {
			v[round] = c.value(cell.Result)
		}
	}
	return v
}

// number writes a column of one subject. Where no round counts, what was read
// under other work or at the generator's limit stands in parentheses.
func (t *Table) number(subject string, c column) string {
	faultless := func(c Cell) bool { return len(c.Failures) == 0 }
	take := Cell.counts
	if c.kind == memory {
		take = faultless
	}
	if s := Summarize(t.values(subject, c, take)); s.N > 0 {
		return text(s, c.format)
	}
	if s := Summarize(t.values(subject, c, faultless)); s.N > 0 {
		return "(" + text(s, c.format) + ")"
	}
	return "-"
}

// WriteMarkdown writes the tables, with what is needed to read them.
func (t *Table) WriteMarkdown(w io.Writer) {
	t.writeHead(w)
	for _, s := range sections {
		if !t.has(s.columns[0].phase) {
			continue
		}
		fmt.Fprintf(w, "\n## %s\n\n| server |", s.title)
		rule := "|---|"
		for _, c := range s.columns {
			fmt.Fprintf(w, " %s |", c.title)
			rule += "---|"
			if c.kind == ratio {
				fmt.Fprint(w, " x floor |")
				rule += "---|"
			}
		}
		fmt.Fprintf(w, " not counted |\n%s---|\n", rule)
		for _, subject := range t.Subjects {
			t.writeRow(w, subject, s.columns)
		}
	}
	t.writeNotes(w)
}

func (t *Table) has(phase string) bool {
	for key := range t.Cells {
		if key.Phase == phase {
			return true
		}
	}
	return false
}

// writeRow writes medians with the smallest and largest.
func (t *Table) writeRow(w io.Writer, subject string, columns []column) {
	row := fmt.Sprintf("| %s |", subject)
	for _, c := range columns {
		row += " " + t.number(subject, c) + " |"
		if c.kind == ratio {
			r := Ratios(t.values(subject, c, Cell.counts), t.values(floorName, c, Cell.counts))
			row += " " + text(Summarize(r), "%.2f") + " |"
		}
	}
	counted, left := 0, 0
	for round := range t.Options.Rounds {
		if cell, ok := t.Cells[Key{round, subject, columns[0].phase}]; ok {
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
func text(s Spread, format string) string {
	switch s.N {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf(format, s.Median)
	}
	return fmt.Sprintf(format+" ["+format+"-"+format+"]", s.Median, s.Min, s.Max)
}

// writeHead writes what was measured where.
func (t *Table) writeHead(w io.Writer) {
	o := t.Options
	fmt.Fprintf(w, "# Peers, %s\n\n    %s\n\n", t.Began.Format(time.DateOnly), strings.Join(o.Command, " "))
	for _, cell := range t.Cells {
		e := cell.Result.Env
		fmt.Fprintf(w, "%d cores (%s), %d MiB, linux %s, %s, tcp_congestion %s, RLIMIT_NOFILE %d; server and generator share them.\n",
			e.Cores, e.CPU, e.MemoryMiB, e.Kernel, e.Go, e.Congestion, e.Files)
		break
	}
	fmt.Fprintf(w, "%d rounds, %d connections, %d for echo; payload 128 bytes on the wire; %v each.\n",
		o.Rounds, o.Connections, o.EchoConnections, o.Hold)
	fmt.Fprintf(w, "Open loops: %g broadcasts/s (%.0f deliveries/s), %g/s of %d at once, %.0f echoes/s.\n",
		t.Rates.Broadcast, t.Rates.Broadcast*float64(o.Connections), t.Rates.Burst, burstSize, t.Rates.Echo)
	fmt.Fprintf(w, "Generator's ceiling against the C floor, closed loop: %.0f deliveries/s (%.0f per core of its own), %.0f echoes/s (%.0f).\n\n",
		t.Ceiling.Deliveries, t.Ceiling.DeliveriesPerCore, t.Ceiling.Echoes, t.Ceiling.EchoesPerCore)
	fmt.Fprintf(w, "Median [min-max] over rounds. us: CPU of the server's process and of ksoftirqd, in microseconds.\n"+
		"x floor: the same, as a multiple of cfloor's (write) in the same round.\n"+
		"settled: after two collections and %v; raw: at once. Not counted: the generator was the limit, other work took\n"+
		"more than %.2f cores (memory does not mind), or messages were lost, after %d tries; in parentheses what such runs read where none counts.\n",
		o.Settle, maxOther, attempts)
}

// writeNotes lists what did not count and why.
func (t *Table) writeNotes(w io.Writer) {
	var lines []string
	retried := 0
	for key, cell := range t.Cells {
		retried += cell.Tries - 1
		for _, why := range slices.Concat(cell.Invalid, cell.Failures) {
			lines = append(lines, fmt.Sprintf("%s, %s, round %d: %s", key.Subject, key.Phase, key.Round+1, why))
		}
	}
	slices.Sort(lines)
	lines = append(slices.Clone(t.Notes), lines...)
	fmt.Fprintf(w, "\n%d runs, %d tried again.\n", len(t.Cells), retried)
	for _, line := range lines {
		fmt.Fprintf(w, "- %s\n", line)
	}
}
