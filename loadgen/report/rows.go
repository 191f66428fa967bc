package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"roost/loadgen/report/svg"
	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// row is a line of a table, written out. The first cells are names.
type row struct {
	cells []string
	state string // pass, fail, unknown, advice; "": none
	text  string // below the line
}

// table is a table, written out: the same in a terminal and in a page.
type table struct {
	title string
	note  string // below the title
	head  []string
	names int   // how many columns are names, to the left; the others are numbers
	words int   // how many columns are words again, to the right
	spare []int // columns that a narrow terminal goes without, first the most dispensable
	rows  []row
}

// limit writes what a check wants: at most 1 ms.
func limit(c result.Check) string {
	if c.Least {
		return "at least " + svg.Format(c.Limit, svg.Unit(c.Unit))
	}
	return "at most " + svg.Format(c.Limit, svg.Unit(c.Unit))
}

// ns writes a duration in ns, 0 included.
func ns(v float64) string { return svg.Format(v, "ns") }

// integer writes a count, "-" for none.
func integer(n uint64) string {
	if n == 0 {
		return "-"
	}
	return svg.Thousands(float64(n))
}

func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "never"
	case d >= 100*time.Second:
		return d.Round(time.Second).String()
	}
	return svg.Format(float64(d), "ns")
}

// phaseName marks a warm-up.
func phaseName(p *result.Phase) string {
	if p.Warmup {
		return p.Name + " (warm-up)"
	}
	return p.Name
}

func phaseTable(r *result.Result) table {
	t := table{title: "Phases", head: []string{"phase", "outcome", "length", "connected", "dials", "failed", "lost", "sent/s", "delivered/s"}, names: 2}
	for i := range r.Phases {
		p := &r.Phases[i]
		var c tally.Counts
		if p.Tally != nil {
			c = p.Tally.Total()
		}
		rate := func(n uint64) string {
			if n == 0 || p.Length <= 0 {
				return "-"
			}
			return svg.Digits(float64(n) / p.Length.Seconds())
		}
		line := row{cells: []string{phaseName(p), p.Outcome, duration(p.Length), integer(uint64(p.Connected)), integer(c.Dials), integer(c.Failed),
			integer(c.Lost), rate(c.Sent), rate(c.Delivered)}}
		if p.Outcome != "done" {
			line.state = "fail"
		}
		t.rows = append(t.rows, line)
	}
	return t
}

// latencies are the histograms of a table, and how they are called there.
var latencies = []struct {
	name, words string
	groups      bool
}{
	{"delivery", "delivery, from due", true},
	{"delivery_sent", "delivery, from sent", false},
	{"delivery_kernel", "delivery, to the kernel", false},
	{"greeting", "dial to ready", false},
	{"publish_ack", "publish to answer", false},
	{"fan_first", "first subscriber", false},
	{"fan_median", "median subscriber", false},
	{"fan_last", "last subscriber", false},
	{"restore", "loss to ready again", false},
	{"silence", "silence to its end", false},
	{"send_lag", "send lag (generator)", false},
	{"dial_lag", "dial lag (generator)", false},
	{"rx_lag", "receive lag (generator)", false},
}

func latencyTable(r *result.Result) table {
	t := table{title: "Latency", spare: []int{2, 4}, head: []string{"phase", "what", "count", "p50", "p90", "p99", "p99.9", "max", "misses"}, names: 2,
		note: "From when it was due. What never came is a miss and counts as longer than everything that did. Without warm-up."}
	add := func(phase, words string, h *tally.Hist) {
		if h.Count() == 0 {
			return
		}
		q := func(q float64) string { return quantile(h, q) }
		t.rows = append(t.rows, row{cells: []string{phase, words, integer(h.Count()), q(.5), q(.9), q(.99), q(.999), q(1), integer(h.Misses)}})
	}
	for i := range r.Phases {
		p := &r.Phases[i]
		if p.Warmup {
			continue
		}
		for _, l := range latencies {
			if l.groups && len(r.Scenario.Groups) > 1 {
				for _, g := range r.Scenario.Groups {
					add(phaseName(p), l.words+", "+g.Name, r.Hist(p.Name+"."+g.Name+"."+l.name))
				}
				continue
			}
			add(phaseName(p), l.words, r.Hist(p.Name+"."+l.name))
		}
	}
	return t
}

// quantile writes a quantile; 1 is the largest.
func quantile(h *tally.Hist, q float64) string {
	v := h.Quantile(q)
	if q == 1 {
		v = h.Max()
	}
	if v == tally.MissValue {
		return "never"
	}
	return ns(float64(v))
}

func deliveryTable(r *result.Result) table {
	t := table{title: "Deliveries", note: "Messages x subscribers, without warm-up.", names: 2,
		head: []string{"phase", "group", "expected", "delivered", "share", "missing", "gap", "late", "twice", "reordered", "wrong", "stray"}}
	for i := range r.Phases {
		p := &r.Phases[i]
		if p.Tally == nil || p.Warmup {
			continue
		}
		for g := range p.Tally.Groups {
			c := &p.Tally.Groups[g].Counts
			if c.Expected == 0 && c.Stray == 0 && c.Wrong == 0 {
				continue
			}
			name, reads := "", true
			if g < len(r.Scenario.Groups) {
				name, reads = r.Scenario.Groups[g].Name, r.Scenario.Groups[g].Reads
			}
			if !reads {
				name += " (does not read)"
			}
			share := "-"
			if c.Expected > 0 {
				share = svg.Format(float64(c.Delivered)/float64(c.Expected), "share")
			}
			line := row{cells: []string{phaseName(p), name, integer(c.Expected), integer(c.Delivered), share, integer(c.Missing), integer(c.Gap),
				integer(c.Late), integer(c.Duplicate), integer(c.Reordered), integer(c.Wrong), integer(c.Stray)}}
			if reads && c.Missing+c.Wrong > 0 {
				line.state = "fail"
			}
			t.rows = append(t.rows, line)
		}
	}
	return t
}

// errorTable has the errors of all phases, the most frequent first.
func errorTable(r *result.Result) table {
	t := table{title: "Errors", head: []string{"phase", "stage", "class", "count"}, names: 3}
	type line struct {
		row
		n uint64
	}
	var lines []line
	for i := range r.Phases {
		p := &r.Phases[i]
		for _, e := range p.Errors {
			lines = append(lines, line{row{cells: []string{phaseName(p), e.Stage, e.Class, integer(e.Count)}, text: sentences(e.Text, e.Advice)}, e.Count})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(b.n, a.n) })
	for _, l := range lines {
		t.rows = append(t.rows, l.row)
	}
	return t
}

// sentences ends what was said with a full stop, and what follows begins with
// a capital.
func sentences(first, second string) string {
	first, second = strings.TrimRight(first, ". "), strings.TrimRight(second, ". ")
	if first != "" {
		first += "."
	}
	if second != "" {
		letter, size := utf8.DecodeRuneInString(second)
		second = string(unicode.ToUpper(letter)) + second[size:] + "."
	}
	return strings.TrimSpace(first + " " + second)
}

func stormTable(r *result.Result) table {
	t := table{title: "Storm", names: 1, spare: []int{8, 4}, head: []string{"phase", "cut", "restored", "50 %", "90 %", "99 %", "100 %", "dials each", "peak dials/s", "resumed", "lost in the gap"}}
	for i := range r.Phases {
		if s := r.Phases[i].Storm; s != nil {
			t.rows = append(t.rows, row{cells: []string{phaseName(&r.Phases[i]), integer(s.Cut), integer(s.Restored), duration(s.T50), duration(s.T90), duration(s.T99),
				duration(s.T100), svg.Digits(s.DialsPerRestored), integer(s.PeakDials), svg.Format(s.ResumedShare, "share"), integer(s.Gap)}})
		}
	}
	return t
}

// resources are the metrics of the resources' table.
var resources = []struct{ name, words string }{
	{"server.cpu_per_msg", "server CPU a message"},
	{"system.cpu_per_msg", "server, generator and kernel a message"},
	{"server.cpu_cores", "server CPU"},
	{"server.user_b_per_conn", "server memory a connection"},
	{"server.heap_b_per_conn", "of it heap"},
	{"server.stack_b_per_conn", "of it stacks"},
	{"server.kernel_b_per_conn", "kernel memory a connection"},
	{"server.rss_b_per_conn", "server resident, whole"},
	{"server.goroutines", "server goroutines"},
	{"server.files", "server descriptors"},
	{"server.gc_pause_max", "server's longest GC pause"},
	{"loadgen.cores", "generator CPU"},
	{"loadgen.run_delay", "generator waited for a core"},
	{"loadgen.user_b_per_conn", "generator memory a connection"},
	{"loadgen.rss", "generator resident"},
}

func resourceTable(r *result.Result) table {
	t := table{title: "Resources", head: []string{"what", "value", "how"}, names: 1, words: 1}
	for _, m := range resources {
		if v, ok, _ := r.Lookup(m.name); ok {
			t.rows = append(t.rows, row{cells: []string{m.words, svg.Format(v.Value, svg.Unit(v.Unit)), v.Note}})
		}
	}
	return t
}

func thresholdTable(r *result.Result) table {
	t := table{title: "Thresholds", head: []string{"threshold", "value", "state"}, names: 1, words: 1}
	for _, x := range r.Thresholds {
		value, text := thresholdValue(r, x), x.Reason
		if x.Aborted {
			text = sentences(x.Reason, "the run was ended because of it")
		}
		state := x.State
		if r.Verdict == result.Invalid { // nothing holds of what is no result
			state = void
		}
		t.rows = append(t.rows, row{cells: []string{x.Text, value, words(state)}, state: state, text: text})
	}
	return t
}

// thresholdValue writes the value of a threshold in the unit of its metric,
// which is the first word of its text.
func thresholdValue(r *result.Result, x result.Threshold) string {
	if x.State == "unknown" {
		return "unknown"
	}
	name := x.Text
	if i := strings.IndexAny(name, " <>=!"); i >= 0 {
		name = name[:i]
	}
	m, _, _ := r.Lookup(name)
	return svg.Format(x.Value, svg.Unit(m.Unit))
}

// found says what became of a threshold that does not hold.
func found(r *result.Result, x result.Threshold) string {
	value := "it is " + thresholdValue(r, x)
	if math.IsInf(x.Value, 1) {
		value = "what it is about never came"
	}
	if x.Reason == "" {
		return value
	}
	return sentences(value, x.Reason)
}

// void is the state of a threshold where there is no result to judge.
const void = "void"

// words says a state.
func words(state string) string {
	switch state {
	case "pass":
		return "holds"
	case "fail":
		return "fails"
	case void:
		return "not judged"
	}
	return state
}

func checkTable(r *result.Result) table {
	t := table{title: "Validity", head: []string{"check", "state", "value", "limit"}, names: 2}
	order := []string{"fail", "unknown", "advice", "pass"}
	for _, state := range order {
		for _, c := range checksOf(r, state) {
			value := svg.Format(c.Value, svg.Unit(c.Unit))
			if state == "unknown" {
				value = "unknown"
			}
			t.rows = append(t.rows, row{cells: []string{c.Name, words(state), value, limit(c)}, state: state, text: c.Text})
		}
	}
	return t
}
