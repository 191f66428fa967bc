package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// scenario reads the whole file.
func (r *reader) scenario(n *node, s *Scenario) {
	r.object(n, "",
		field{"name", r.name(&s.Name)},
		field{"description", r.text(&s.Description)},
		field{"include", func(*node, string) {}}, // done by the loader
		field{"params", func(*node, string) {}},  // done by readParams
		field{"seed", value(r, &s.Seed, parseSeed)},
		field{"target", func(n *node, path string) { r.target(n, path, &s.Target) }},
		field{"clients", func(n *node, path string) { r.clients(n, path, &s.Clients) }},
		field{"groups", func(n *node, path string) { r.groups(n, path, s) }},
		field{"topics", func(n *node, path string) { r.topics(n, path, &s.Topics) }},
		field{"reconnect", func(n *node, path string) { r.reconnect(n, path, &s.Reconnect) }},
		field{"measure", func(n *node, path string) { r.measure(n, path, &s.Measure) }},
		field{"phases", func(n *node, path string) { r.phases(n, path, s) }},
		field{"thresholds", r.lines(&s.Thresholds)},
		field{"validity", func(n *node, path string) { r.validity(n, path, &s.Validity) }},
		field{"server", func(n *node, path string) { r.server(n, path, &s.Server) }},
	)
}

func parseSeed(text string) (uint64, error) {
	seed, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: want a whole number from 0 to %d", quoted(text), uint64(1<<64-1))
	}
	return seed, nil
}

func (r *reader) target(n *node, path string, t *Target) {
	r.object(n, path,
		field{"url", r.texts(&t.URLs)},
		field{"api", r.texts(&t.APIs)},
		field{"dialect", r.text(&t.Dialect)},
		field{"format", oneOf(r, &t.Format, "json", "bin")},
	)
}

func (r *reader) clients(n *node, path string, c *Clients) {
	r.object(n, path,
		field{"count", r.count(&c.Count)},
		field{"prefix", r.text(&c.Prefix)},
		field{"sources", r.texts(&c.Sources)},
		field{"port_range", r.text(&c.PortRange)},
		field{"window", r.count(&c.Window)},
		field{"timeout", r.duration(&c.Timeout)},
		field{"rcvbuf", r.size(&c.RcvBuf)},
		field{"spin", r.boolean(&c.Spin)},
	)
}

func (r *reader) groups(n *node, path string, s *Scenario) {
	r.list(n, path, MaxGroups, func(n *node, path string) {
		g := Group{AnswerPing: true}
		r.object(n, path,
			field{"name", r.name(&g.Name)},
			field{"share", r.share(&g.Share)},
			field{"read", r.readMode(&g.Read)},
			field{"answer_ping", r.boolean(&g.AnswerPing)},
			field{"rcvbuf", r.size(&g.RcvBuf)},
		)
		s.Groups = append(s.Groups, g)
	})
}

// readMode reads drain, never, or {rate: 512B/s}.
func (r *reader) readMode(dst *Read) func(*node, string) {
	return func(n *node, path string) {
		if n.kind != mapNode {
			*dst = Read{}
			oneOf(r, &dst.Mode, ReadDrain, ReadNever)(n, path)
			r.known[indices.ReplaceAllString(path+".rate", "[]")] = true
			return
		}
		dst.Mode = ReadRate
		r.object(n, path, field{"rate", value(r, &dst.Rate, parseByteRate)})
	}
}

// parseByteRate reads bytes a second: 512B/s, 4KiB/s.
func parseByteRate(text string) (float64, error) {
	size, ok := strings.CutSuffix(text, "/s")
	n, err := parseSize(size)
	if !ok || err != nil || n == 0 {
		return 0, fmt.Errorf("%s: want bytes a second, such as 512B/s or 4KiB/s", quoted(text))
	}
	return float64(n), nil
}

func (r *reader) topics(n *node, path string, t *Topics) {
	r.object(n, path,
		field{"count", r.count(&t.Count)},
		field{"per_client", r.count(&t.PerClient)},
		field{"popularity", func(n *node, path string) {
			if n.kind != mapNode {
				var uniform string
				oneOf(r, &uniform, "uniform")(n, path)
				t.Zipf = 0
				r.known[path+".zipf"] = true
				return
			}
			r.object(n, path, field{"zipf", r.number(&t.Zipf)})
		}},
		field{"prefix", r.text(&t.Prefix)},
	)
}

func (r *reader) reconnect(n *node, path string, c *Reconnect) {
	r.object(n, path,
		field{"policy", oneOf(r, &c.Policy, PolicyNone, PolicyFixed, PolicyExponential, PolicyFullJitter, PolicyDialect)},
		field{"base", r.duration(&c.Base)},
		field{"cap", r.duration(&c.Cap)},
		field{"resume", r.boolean(&c.Resume)},
	)
}

func (r *reader) measure(n *node, path string, m *Measure) {
	r.object(n, path,
		field{"interval", r.duration(&m.Interval)},
		field{"deadline", r.duration(&m.Deadline)},
		field{"kernel_stamps", r.share(&m.KernelStamps)},
	)
}

func (r *reader) validity(n *node, path string, v *Validity) {
	// off is a limit of 0.
	off := func(read func(*node, string)) func(*node, string) {
		return func(n *node, path string) {
			if n.kind != scalarNode || n.text != "off" {
				read(n, path)
			}
		}
	}
	r.object(n, path,
		field{"min_rate", off(r.share(&v.MinRate))},
		field{"send_lag", off(r.duration(&v.SendLag))},
		field{"hiccup", off(r.duration(&v.Hiccup))},
		field{"rx_lag_share", off(r.share(&v.RxLagShare))},
		field{"cpu", off(r.share(&v.CPU))},
		field{"run_delay", off(r.share(&v.RunDelay))},
		field{"psi", off(r.number(&v.PSI))},
		field{"gc_pause", off(r.duration(&v.GCPause))},
		field{"ceiling_factor", off(r.number(&v.CeilingFactor))},
	)
}

func (r *reader) server(n *node, path string, s *Server) {
	r.object(n, path,
		field{"pid", func(n *node, path string) { r.pids(n, path, s) }},
		field{"cgroup", r.texts(&s.Cgroups)},
		field{"metrics", r.texts(&s.Metrics)},
		field{"pprof", r.texts(&s.Pprof)},
		field{"kill", r.text(&s.Kill)},
		field{"restart", r.text(&s.Restart)},
	)
}

func (r *reader) pids(n *node, path string, s *Server) {
	r.list(n, path, maxList, func(n *node, path string) {
		var pid int
		value(r, &pid, func(text string) (int, error) {
			pid, err := strconv.ParseInt(text, 10, 32)
			if err != nil || pid < 1 {
				return 0, fmt.Errorf("%s: want a process's id", quoted(text))
			}
			return int(pid), nil
		})(n, path)
		s.PIDs = append(s.PIDs, pid)
	})
}
