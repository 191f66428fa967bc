package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// writer writes YAML: keys in blocks, what belongs together in one line.
type writer struct{ b strings.Builder }

func (w *writer) line(indent int, format string, args ...any) {
	w.b.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(&w.b, format, args...)
	w.b.WriteByte('\n')
}

// Text writes the resolved scenario as a scenario file: every default is in
// it, and Parse reads an equal Scenario from it, whatever is default then.
func (s *Scenario) Text() []byte {
	var w writer
	w.line(0, "name: %s", s.Name)
	w.line(0, "description: %s", quote(s.Description))
	w.run(s)
	w.line(0, "thresholds: %s", quotes(s.Thresholds))
	w.validity(&s.Validity)
	w.server(&s.Server)
	return []byte(w.b.String())
}

// quote writes a string so that nothing in it means anything to YAML, or to
// the parameters.
func quote(s string) string {
	return strconv.Quote(strings.ReplaceAll(s, "${", "$${"))
}

func quotes(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quote(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// run writes what is done: all that Hash covers, target included.
func (w *writer) run(s *Scenario) {
	w.line(0, "seed: %d", s.Seed)
	t := &s.Target
	w.line(0, "target: {url: %s, api: %s, dialect: %s, format: %s}", quotes(t.URLs), quotes(t.APIs), quote(t.Dialect), t.Format)
	c := &s.Clients
	w.line(0, "clients: {count: %d, prefix: %s, sources: %s, port_range: %s, window: %d, timeout: %v, rcvbuf: %s, spin: %t}",
		c.Count, quote(c.Prefix), quotes(c.Sources), quote(c.PortRange), c.Window, c.Timeout, formatSize(c.RcvBuf), c.Spin)
	w.line(0, "groups:")
	for _, g := range s.Groups {
		w.line(1, "- {name: %s, share: %s, read: %s, answer_ping: %t, rcvbuf: %s}", g.Name, formatFloat(g.Share), formatRead(g.Read), g.AnswerPing, formatSize(g.RcvBuf))
	}
	w.line(0, "topics: {count: %d, per_client: %d, popularity: {zipf: %s}, prefix: %s}", s.Topics.Count, s.Topics.PerClient, formatFloat(s.Topics.Zipf), quote(s.Topics.Prefix))
	r := &s.Reconnect
	w.line(0, "reconnect: {policy: %s, base: %v, cap: %v, resume: %t}", r.Policy, r.Base, r.Cap, r.Resume)
	m := &s.Measure
	w.line(0, "measure: {interval: %v, deadline: %v, kernel_stamps: %s}", m.Interval, m.Deadline, formatFloat(m.KernelStamps))
	w.line(0, "phases:")
	for i := range s.Phases {
		w.phase(&s.Phases[i])
	}
}

func formatRead(r Read) string {
	if r.Mode == ReadRate {
		return "{rate: " + formatFloat(r.Rate) + "B/s}"
	}
	return string(r.Mode)
}

func (w *writer) phase(p *Phase) {
	w.line(1, "- name: %s", p.Name)
	w.line(2, "warmup: %t", p.Warmup)
	if p.Until.Kind == UntilTime {
		w.line(2, "for: %v", p.For)
	} else {
		w.line(2, "until: %s(%s)", p.Until.Kind, formatFloat(p.Until.Share))
		w.line(2, "timeout: %v", p.Timeout)
	}
	if r := p.Ramp; r != nil {
		w.line(2, "ramp: {to: %d, %s}", r.To, formatArrival(&r.Arrival))
	}
	if len(p.Publish) > 0 {
		w.line(2, "publish:")
	}
	for i := range p.Publish {
		w.publish(&p.Publish[i])
	}
	if c := p.Churn; c != nil {
		w.line(2, "churn: {how: %s, %s}", c.How, formatArrival(&c.Arrival))
	}
	if st := p.Storm; st != nil {
		hook := ""
		if st.Hook != "" {
			hook = ", hook: " + st.Hook
		}
		w.line(2, "storm: {share: %s, how: %s, over: %v%s}", formatFloat(st.Share), st.How, st.Over, hook)
	}
	if sl := p.Slow; sl != nil {
		w.line(2, "slow: {%sshare: %s, read: %s}", formatGroup(sl.Group), formatFloat(sl.Share), formatRead(sl.Read))
	}
	if h := p.HalfOpen; h != nil {
		w.line(2, "half_open: {%sshare: %s}", formatGroup(h.Group), formatFloat(h.Share))
	}
	if d := p.Drain; d != nil {
		w.line(2, "drain: {to: %d, how: %s, over: %v}", d.To, d.How, d.Over)
	}
}

func formatGroup(name string) string {
	if name == "" {
		return ""
	}
	return "group: " + name + ", "
}

func (w *writer) publish(p *Publish) {
	size := formatSize(p.Size.P50)
	if p.Size.Max != 0 {
		size = fmt.Sprintf("{p50: %s, p99: %s, max: %s}", size, formatSize(p.Size.P99), formatSize(p.Size.Max))
	}
	ttl := ""
	if p.TTL != 0 {
		ttl = fmt.Sprintf(", ttl: %v", p.TTL)
	}
	w.line(3, "- {to: %s, class: %s, size: %s%s, among: %d%s, %s}", p.To, p.Class, size, ttl, p.Among, formatRequests(p), formatArrival(&p.Arrival))
}

// formatRequests writes how messages are put into requests, where that is not as
// in files from before there was a choice: their hashes stay.
func formatRequests(p *Publish) (text string) {
	if p.Batch > 1 {
		text += fmt.Sprintf(", batch: %d", p.Batch)
	}
	if p.Wait != 0 {
		text += fmt.Sprintf(", wait: %v", p.Wait)
	}
	if p.Retry {
		text += ", retry: true"
	}
	if p.InFlight != 0 {
		text += fmt.Sprintf(", in_flight: %d", p.InFlight)
	}
	return text
}

// formatArrival writes rate, arrival and burst.
func formatArrival(a *Arrival) string {
	tail := fmt.Sprintf("burst: %d", a.Burst)
	shape := func(format string, args ...any) string {
		return "arrival: {" + fmt.Sprintf(format, args...) + "}, " + tail
	}
	switch a.Kind {
	case Linear:
		return shape("linear: {from: %s, to: %s}", formatRate(a.Rate), formatRate(a.To))
	case Step:
		rates := make([]string, len(a.Steps))
		for i, x := range a.Steps {
			rates[i] = formatRate(x)
		}
		return shape("step: [%s]", strings.Join(rates, ", "))
	case Spike:
		return shape("spike: {rate: %s, to: %s, at: %v, for: %v}", formatRate(a.Rate), formatRate(a.To), a.At, a.For)
	case Replay:
		return shape("replay: {file: %s, loop: %t, times: %q}", quote(a.File), a.Loop, formatTimes(a.Times))
	case AtOnce:
		return "arrival: at_once, " + tail
	}
	return fmt.Sprintf("rate: %s, arrival: %s, %s", formatRate(a.Rate), a.Kind, tail)
}

func formatTimes(times []time.Duration) string {
	words := make([]string, len(times))
	for i, t := range times {
		words[i] = t.String()
	}
	return strings.Join(words, " ")
}

func (w *writer) validity(v *Validity) {
	off := func(is0 bool, text string) string {
		if is0 {
			return "off"
		}
		return text
	}
	float := func(x float64) string { return off(x == 0, formatFloat(x)) }
	duration := func(d time.Duration) string { return off(d == 0, d.String()) }
	w.line(0, "validity: {min_rate: %s, send_lag: %s, hiccup: %s, rx_lag_share: %s, cpu: %s, run_delay: %s, psi: %s, gc_pause: %s, ceiling_factor: %s}",
		float(v.MinRate), duration(v.SendLag), duration(v.Hiccup), float(v.RxLagShare), float(v.CPU), float(v.RunDelay), float(v.PSI), duration(v.GCPause), float(v.CeilingFactor))
}

func (w *writer) server(s *Server) {
	pids := make([]string, len(s.PIDs))
	for i, pid := range s.PIDs {
		pids[i] = strconv.Itoa(pid)
	}
	w.line(0, "server: {pid: [%s], cgroup: %s, metrics: %s, pprof: %s, kill: %s, restart: %s}",
		strings.Join(pids, ", "), quotes(s.Cgroups), quotes(s.Metrics), quotes(s.Pprof), quote(s.Kill), quote(s.Restart))
}
