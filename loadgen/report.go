package loadgen

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// WriteJSON writes the result to a file, whole or not at all.
func (r *Result) WriteJSON(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Report writes the result for people.
func (r *Result) Report(w io.Writer) {
	p := func(format string, a ...any) { fmt.Fprintf(w, format+"\n", a...) }
	p("loadgen %s, client %s", r.Mode, r.Client)
	p("  command      %s", strings.Join(r.Command, " "))
	p("  machine      %s, %d cores (%s), %d MiB, linux %s, %s, %s", r.Env.Go, r.Env.Cores, r.Env.CPU, r.Env.MemoryMiB,
		r.Env.Kernel, r.Env.Congestion, r.Started.Format(time.DateOnly))
	if s := r.Server; s != nil {
		p("  server       %s %s", s.Name, s.Version)
	}
	if r.Connect != nil {
		r.Connect.report(p)
	}
	if r.Idle != nil {
		r.Idle.report(p)
	}
	if r.Echo != nil {
		r.Echo.report(p)
	}
	if r.Broadcast != nil {
		r.Broadcast.report(p)
	}
	if r.Kept != nil {
		r.Kept.report(p)
	}
	if r.SlowCut > 0 {
		p("slow           %d connections that never read were ended by the server", r.SlowCut)
	}
	for _, f := range r.Failures {
		p("FAILED         %s", f)
	}
	for _, b := range r.ClientBound {
		p("CLIENT-BOUND   %s: not a result about the server", b)
	}
	if r.Interrupted {
		p("INTERRUPTED    what is above is not whole")
	}
}

type printf func(format string, a ...any)

func (c *Connect) report(p printf) {
	p("connect        %d of %d from %d source addresses", c.Established, c.Asked, c.Sources)
	if c.Slow > 0 {
		p("  slow         %d never read", c.Slow)
	}
	for _, line := range explain(c.Failed) {
		p("  failed       %s", line)
	}
	p("  rate         %.0f handshakes/s, latency %s", c.PerSecond, c.Latency.text())
	c.Work.report(p, "handshake", c.ServerMicros, c.ServerSumMicros)
}

func (i *Idle) report(p printf) {
	p("memory         bytes per connection: raw %.0f, settled %.0f, slope of settled %.0f; kernel, both ends, %.0f; generator %.0f",
		i.Raw, i.Settled, i.SlopeSettled, i.KernelPair, i.Client)
	for _, s := range append([]Sample{i.Base}, i.Steps...) {
		p("  %6d conns rss raw %.1f MB, settled %.1f MB (pss %.1f), %d files, %d goroutines, slab %.1f MB", s.Connections,
			mb(s.Raw.RSS), mb(s.Settled.RSS), mb(s.Settled.PSS), s.Files, s.Goroutines, mb(s.Slab.Total))
	}
	cores := func(ns int64) float64 { return float64(ns) / max(float64(i.Hold.Wall), 1) }
	p("hold           %v: server %.3f cores, generator %.3f, ksoftirqd %.3f; %d heartbeats since the start",
		time.Duration(i.Hold.Wall).Round(time.Millisecond), cores(i.Hold.ServerCPU), cores(i.Hold.ClientCPU), cores(i.Hold.Softirq), i.Heartbeats)
}

func (e *Echo) report(p printf) {
	kind := fmt.Sprintf("closed loop, %d under way per connection: latency is queueing, not a finding", e.Inflight)
	if e.Open {
		kind = fmt.Sprintf("open loop, %.0f/s planned", e.Rate)
	}
	p("echo           %.0f messages/s of %d bytes (%s)", e.PerSecond, e.Size, kind)
	p("  from due     %s", e.FromDue.text())
	p("  from sent    %s", e.FromSent.text())
	if e.Open {
		p("  sent late    %s", e.Late.text())
	}
	p("  counted      %d sent, %d lost, %d wrong, %d put off", e.TotalSent, e.Lost, e.Wrong, e.WindowFull)
	e.Work.report(p, "message", e.ServerMicros, e.ServerSumMicros)
	p("  generator    %.2f us per message", e.ClientMicros)
}

func (b *Broadcast) report(p printf) {
	kind := "closed loop"
	if b.Open {
		kind = fmt.Sprintf("open loop, %g/s planned", b.Rate)
	}
	p("broadcast      %.0f deliveries/s: %d rounds of %d bytes (%d of them wrapper) to %d readers, %d at once (%s)",
		b.PerSecond, b.Rounds, b.Size, b.Wrapper, b.Readers, b.Burst, kind)
	p("  counted      %d of %d delivered, %d missing, %d twice, %d wrong; %d broadcasts refused",
		b.Delivered, b.Expected, b.Missing, b.Duplicate, b.Wrong, b.Refused)
	p("  spread       first to last delivery of a round: %s", b.Spread.text())
	p("  from due     %s", b.FromDue.text())
	p("  api          %s", b.API.text())
	p("  sent late    %s", b.Late.text())
	b.Work.report(p, "delivery", b.ServerMicros, b.ServerSumMicros)
	p("  generator    %.2f us per delivery", b.ClientMicros)
}

// report prints the CPU of a stretch of time and per event.
func (w Work) report(p printf, event string, server, sum float64) {
	cores := func(ns int64) float64 { return float64(ns) / max(float64(w.Wall), 1) }
	line := fmt.Sprintf("  cpu          server %.2f cores, ksoftirqd %.2f, generator %.2f over %v", cores(w.ServerCPU),
		cores(w.Softirq), cores(w.ClientCPU), time.Duration(w.Wall).Round(time.Millisecond))
	if w.ServerCPU == 0 {
		line = fmt.Sprintf("  cpu          generator %.2f cores over %v (server's needs --pid)", cores(w.ClientCPU),
			time.Duration(w.Wall).Round(time.Millisecond))
	} else {
		line += fmt.Sprintf(" (other work %.2f); per %s %.2f us server, %.2f us with ksoftirqd", w.Other(), event, server, sum)
	}
	p("%s", line)
}

// text prints a distribution in milliseconds.
func (l Latency) text() string {
	if l.Count == 0 {
		return "none"
	}
	ms := func(ns int64) float64 { return float64(ns) / 1e6 }
	s := fmt.Sprintf("p50 %.3f ms, p99 %.3f, p99.9 %.3f, max %.3f", ms(l.P50), ms(l.P99), ms(l.P999), ms(l.Max))
	if l.Over > 0 {
		s += fmt.Sprintf(" (%d beyond 60 s)", l.Over)
	}
	return s
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }
