package live

import (
	"fmt"
	"strings"
	"time"

	"roost/loadgen/report/svg"
	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// picture draws one screen.
type picture struct {
	s       *snapshot
	h       *history
	columns int
	ascii   bool
	m       *marks
}

// minColumns and minRows are the smallest screen that is one: what is smaller
// gets one line.
const (
	minColumns = 24
	minRows    = 5
)

// draw returns at most rows lines of at most columns columns. It depends on its
// arguments alone.
func draw(s *snapshot, h *history, columns, rows int, ascii bool) []line {
	m := &symbols
	if ascii {
		m = &letters
	}
	p := &picture{s: s, h: h, columns: columns, ascii: ascii, m: m}
	var lines []line
	if columns < minColumns || rows < minRows {
		lines = []line{plainLine(strings.TrimSpace(Line(&s.Frame)))}
	} else {
		lines = fit(p.blocks(rows), rows)
	}
	lines = lines[:min(len(lines), max(rows, 0))]
	for i := range lines {
		for k := range lines[i] {
			lines[i][k].text = printable(lines[i][k].text)
		}
		lines[i] = lines[i].cut(columns)
	}
	return lines
}

// blocks are all parts of the screen, from its top. Where rows are many, the
// one-line curves give way to a plot.
func (p *picture) blocks(rows int) []block {
	gap := block{lines: []line{nil}}
	all := []block{
		{lines: p.title(), rank: 100, least: 1},
		{lines: []line{p.bar()}, rank: 95, least: 1},
		gap,
		{lines: p.levels(), rank: 90, least: 1},
		{lines: p.rates(), rank: 85, least: 1},
		{lines: p.lastSecond(), rank: 88, least: 1},
		{lines: p.phaseLatency(), rank: 40},
		{lines: p.curves(), rank: 20},
		gap,
		{lines: p.counts(), rank: 50, least: 1},
		{lines: p.machines(), rank: 30},
		gap,
		{lines: p.lamps(), rank: 80, least: 1},
		{lines: p.thresholds(), rank: 70, least: 1},
		{lines: p.errors(), rank: 75, least: 1},
	}
	const curves = 7
	spare := rows
	for i := range all {
		if i != curves {
			spare -= len(all[i].lines)
		}
	}
	if lines := plot(p.h.p99, "ns", p.columns, min(spare-1, 12), p.ascii); len(lines) > 0 {
		all[curves].lines = []line{{{"p99 of each second", dim}}}
		for _, l := range lines {
			all[curves].lines = append(all[curves].lines, plainLine(l))
		}
	}
	return all
}

func (p *picture) title() []line {
	s := p.s
	phase := fmt.Sprintf("phase %d/%d ", s.Index+1, s.Phases)
	items := []line{{{s.Scenario, bold}}, {{phase, dim}, {s.Phase, bold}}}
	if s.Warmup {
		items = append(items, line{{"warm-up", odd}})
	}
	if s.State != "under way" {
		items = append(items, line{{s.State, odd}})
	}
	if s.Until != "" {
		items = append(items, item("until", s.Until))
	}
	items = append(items, item("run", clockTime(s.At)))
	workers := line{{"workers ", dim}, {text: integer(s.Workers)}}
	if s.Lost > 0 {
		workers = line{{fmt.Sprintf("%s workers LOST %d of %d", p.m.fail, s.Lost, s.Workers), bad}}
	}
	items = append(items, workers)
	if s.Silent != "" {
		items = append(items, line{{p.m.fail + " " + s.Silent, bad}})
	}
	return flow(nil, items, 0, p.columns)
}

// bar shows how far the phase is: by its condition where it has one, else by
// its time.
func (p *picture) bar() line {
	share, what := p.progress()
	text := fmt.Sprintf(" %3.0f %% %s", 100*share, what)
	if p.s.Left > 0 && p.s.State == "under way" {
		left := "left"
		if p.s.Until != "" {
			left = "to timeout"
		}
		text += "  " + clockTime(p.s.Left) + " " + left
	}
	width := min(max(p.columns-cells(text)-2, 8), 60)
	full := int(share * float64(width))
	return line{{text: "["}, {strings.Repeat(p.m.full, full), good}, {strings.Repeat(p.m.empty, width-full), dim}, {text: "]" + text}}
}

func (p *picture) progress() (share float64, what string) {
	s := p.s
	of := func(n, all int) float64 {
		if all <= 0 {
			return 0
		}
		return min(max(float64(n)/float64(all), 0), 1)
	}
	switch {
	case strings.HasSuffix(s.Until, "restored"):
		return of(s.Restored, s.Cut), "restored"
	case strings.HasSuffix(s.Until, "connected"):
		return of(s.Connected, s.Goal), "connected"
	case strings.HasSuffix(s.Until, "drained"):
		return of(s.Clients-s.Connected, s.Clients-s.Goal), "drained"
	case s.State != "under way" && s.State != "begin":
		return 1, "of its time"
	}
	return of(int(max(s.Elapsed, 0)), int(max(s.Elapsed, 0)+s.Left)), "of its time"
}

func (p *picture) levels() []line {
	s := p.s
	items := []line{{{integer(s.Connected), bold}, {text: " of " + integer(max(s.Goal, s.Connected))}}}
	add := func(name string, n int) {
		if n > 0 {
			items = append(items, item(name, integer(n)))
		}
	}
	add("dialing", s.Dialing)
	add("away", s.Away)
	if s.Cut > 0 {
		items = append(items, item("restored", integer(s.Restored)+" of "+integer(s.Cut)))
	}
	add("requests", s.Pending)
	return row("connected", items, p.columns)
}

func (p *picture) rates() []line {
	pt := &p.s.Point
	items := []line{item("dials", rate(pt.DialRate)), item("sends", rate(pt.SentRate)), item("deliveries", rate(pt.DeliveredRate))}
	if pt.ErrorRate > 0 {
		items = append(items, line{{"errors " + rate(pt.ErrorRate), bad}})
	}
	return row("rates", items, p.columns)
}

func (p *picture) lastSecond() []line {
	pt := &p.s.Point
	if pt.P50 == 0 && pt.Max == 0 {
		return row("latency", []line{{{"no deliveries in the last second", dim}}}, p.columns)
	}
	return row("latency", []line{item("p50", p.ns(pt.P50)), item("p99", p.ns(pt.P99)), item("max", p.ns(pt.Max)), {{"of the last second, from due", dim}}}, p.columns)
}

func (p *picture) phaseLatency() []line {
	l := p.s.latency
	if l.count == 0 {
		return nil
	}
	items := []line{item("p50", p.ns(l.p50)), item("p99", p.ns(l.p99)), item("p99.9", p.ns(l.p999)), item("max", p.ns(l.max)), {{"of the phase", dim}}}
	return row("", items, p.columns)
}

// curves are one line each.
func (p *picture) curves() (lines []line) {
	n := p.columns - labelWidth - 20
	if n < 8 {
		return nil
	}
	add := func(label string, values []float64, unit svg.Unit) {
		if top := largest(values[max(len(values)-n, 0):]); top > 0 {
			curve := spark(values, n, p.m)
			lines = append(lines, line{{pad(label, labelWidth), dim}, {text: pad(curve, n)}, {" to " + p.number(top, unit), dim}})
		}
	}
	add("p99", p.h.p99, "ns")
	add("deliveries", p.h.delivered, "1/s")
	if len(lines) == 0 {
		add("connected", p.h.connected, "1")
	}
	return lines
}

func (p *picture) counts() []line {
	c := &p.s.Total
	items := []line{}
	add := func(name string, n uint64, always bool, st style) {
		if n > 0 || always {
			items = append(items, line{{name + " ", dim}, {svg.Thousands(float64(n)), st}})
		}
	}
	messages := c.Planned > 0 || c.Expected > 0
	add("ready", c.Ready, true, normal)
	add("sent", c.Sent, messages, normal)
	add("delivered", c.Delivered, messages, normal)
	add("missing", c.Missing, messages, failing(c.Missing))
	add("failed dials", c.Failed, false, bad)
	add("lost connections", c.Lost, false, bad)
	add("late", c.Late, false, odd)
	add("wrong", c.Wrong, false, bad)
	add("gap", c.Gap, false, odd)
	add("refused", c.Refused, false, odd)
	add("unknown", c.Unknown, false, odd)
	add("unsent", c.Unsent, false, bad)
	add("sent again", c.Repeated, false, odd)
	add("not acknowledged", c.Unacknowledged, false, odd)
	add("twice", c.Duplicate, false, odd)
	add("reordered", c.Reordered, false, odd)
	add("stray", c.Stray, false, odd)
	add("cut", c.Cut, false, normal)
	return row("in all", items, p.columns)
}

func failing(n uint64) style {
	if n > 0 {
		return bad
	}
	return normal
}

func (p *picture) machines() (lines []line) {
	pt := &p.s.Point
	if pt.ServerRSS > 0 || pt.ServerCPU > 0 {
		items := []line{item("CPU", p.number(pt.ServerCPU, "cores")), item("RSS", p.number(float64(pt.ServerRSS), "B"))}
		if grown := pt.ServerRSS - p.s.ServerBase; p.s.ServerBase > 0 && pt.Connected > 0 && grown > 0 {
			items = append(items, item("grown by", p.number(float64(grown)/float64(pt.Connected), "B/conn")))
		}
		lines = append(lines, row("server", items, p.columns)...)
	}
	return append(lines, row("generator", []line{item("CPU", p.number(pt.WorkerCPU, "cores")), item("send lag p99", p.ns(pt.SendLagP99))}, p.columns)...)
}

func (p *picture) ns(ns int64) string {
	if ns == tally.MissValue {
		return "never"
	}
	return p.number(float64(ns), "ns")
}

// number is svg.Format, which writes a micro sign: a letter in ASCII.
func (p *picture) number(v float64, unit svg.Unit) string {
	s := svg.Format(v, unit)
	if p.ascii {
		s = strings.ReplaceAll(s, "µ", "u")
	}
	return s
}

func integer(n int) string { return svg.Thousands(float64(n)) }

// rate is a number a second.
func rate(v float64) string { return svg.Format(v, "1/s") }

// clockTime is a time of a run in whole seconds, below a minute in tenths.
func clockTime(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
	}
	return d.Round(time.Second).String()
}

// states counts checks by state.
func states(checks []result.Check) map[string]int {
	n := map[string]int{}
	for _, c := range checks {
		n[c.State]++
	}
	return n
}
