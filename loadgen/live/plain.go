package live

import (
	"fmt"
	"io"
	"strings"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// Plain writes a line each second: for logs, and where there is no terminal.
type Plain struct {
	out   output
	phase int
	shown map[string]bool // what was said already: errors and lamps, once a phase
}

// NewPlain returns a view that writes lines to w. It does not wait for w.
func NewPlain(w io.Writer) *Plain { return &Plain{out: output{w: w}, phase: -1} }

// Show writes a line, and one more for each kind of error and each check that
// fails, when it is new.
func (p *Plain) Show(f *Frame) {
	if f.Index != p.phase {
		p.phase, p.shown = f.Index, map[string]bool{}
		p.line("phase %d/%d %s%s%s", f.Index+1, f.Phases, f.Phase, note(f.Warmup, ", warm-up"), note(f.Until != "", ", until "+f.Until))
	}
	p.line("%s", Line(f))
	for _, e := range f.Errors {
		p.once("  "+e.Stage+" "+e.Class+": "+e.Text+note(e.Advice != "", ": "+e.Advice), e.Stage+e.Class+e.Text)
	}
	for _, c := range f.Validity {
		if c.State == "fail" {
			p.once("  not valid so far: "+CheckWords(c)+note(c.Text != "", ": "+c.Text), "check"+c.Name)
		}
	}
	for i, t := range f.Thresholds {
		if t.State == "fail" {
			p.once("  does not hold so far: "+ThresholdWords(t, f.unit(i)), "threshold"+t.Text)
		}
	}
}

// Line is a frame in one line of text.
func Line(f *Frame) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%6.1fs %s", f.At.Seconds(), f.Phase)
	if f.State != "under way" {
		fmt.Fprintf(&b, " (%s)", f.State)
	}
	fmt.Fprintf(&b, "  connected %d/%d", f.Connected, max(f.Goal, f.Connected))
	if f.Dialing > 0 {
		fmt.Fprintf(&b, " dialing %d", f.Dialing)
	}
	if f.Cut > 0 {
		fmt.Fprintf(&b, "  restored %d/%d", f.Restored, f.Cut)
	}
	if pt := f.Point; pt.SentRate > 0 || pt.DeliveredRate > 0 {
		fmt.Fprintf(&b, "  sent %.0f/s  delivered %.0f/s  p50 %s p99 %s max %s", pt.SentRate, pt.DeliveredRate, Latency(pt.P50), Latency(pt.P99), Latency(pt.Max))
	} else if pt.ReadyRate > 0 {
		fmt.Fprintf(&b, "  ready %.0f/s", pt.ReadyRate)
	}
	if f.Point.ErrorRate > 0 {
		fmt.Fprintf(&b, "  errors %.0f/s", f.Point.ErrorRate)
	}
	if f.Lost > 0 {
		fmt.Fprintf(&b, "  workers lost %d/%d", f.Lost, f.Workers)
	}
	if f.Silent != "" {
		b.WriteString("  " + f.Silent)
	}
	return b.String()
}

// Latency words a duration in ns with three digits: 1.23ms; a miss is "never".
func Latency(ns int64) string {
	d := time.Duration(ns)
	switch {
	case ns == tally.MissValue:
		return "never"
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// Done waits until the lines are written, not for long, and returns the first
// error of writing.
func (p *Plain) Done(*result.Result) error { return p.out.close() }

func (p *Plain) once(line, key string) {
	if !p.shown[key] && len(p.shown) < 100 {
		p.shown[key] = true
		p.line("%s", line)
	}
}

func (p *Plain) line(format string, args ...any) {
	p.out.put([]byte(printable(fmt.Sprintf(format, args...))+"\n"), false)
}

func note(when bool, text string) string {
	if when {
		return text
	}
	return ""
}
