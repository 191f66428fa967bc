// Package sample makes up results that look like those of runs, for the tests
// of what reads them. The same name gives the same result.
package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// Names lists what Make can make: a valid run with a server's probe, one that
// the generator could not keep up with, a storm, many kinds of errors with a
// threshold that does not hold, a run that was ended before it did anything,
// and a million connections from 54 workers.
var Names = []string{"valid", "invalid", "storm", "errors", "empty", "million"}

// Make makes up the result of a name; nil if there is no such name.
func Make(name string) *result.Result {
	for i, n := range Names {
		if n == name {
			m := &maker{rnd: rand.New(rand.NewPCG(uint64(i), 7)), clients: 20_000}
			return m.make(name)
		}
	}
	return nil
}

// maker holds what one result is made with.
type maker struct {
	rnd     *rand.Rand
	clients int
	r       *result.Result
}

func (m *maker) make(name string) *result.Result {
	m.r = &result.Result{
		Schema:  result.Schema,
		ID:      "3f9a1c" + name,
		Tool:    result.Tool{Name: "loadgen", Version: "v0.9.0", Revision: "254b807f57e0", Go: "go1.26.8"},
		Started: time.Date(2026, 11, 27, 2, 17, 0, 0, time.UTC),
		Argv:    []string{"loadgen", "run", "fan-out", "-p", "count=20000", "--url", "ws://127.0.0.1:8080/ws", "--out", "r.json"},
		Labels:  map[string]string{"commit": "3aa91f2", "reason": "nightly"},
		Scenario: result.Scenario{
			Name: "fan-out", Text: scenarioText, SHA256: "5f1c0b7e62a94d7c88e1", Seed: 7,
			Groups: []result.Group{{Name: "healthy", Share: .98, Reads: true}, {Name: "slow", Share: .02}},
		},
		Comparability: result.Comparability{Hash: "9c41e07ab2d84f11", Facts: facts("scenario", "5f1c0b7e62a9", "cpu", "AMD EPYC 7B13",
			"cores", "2", "kernel", "6.18.44", "mode", "loopback", "workers", "2", "server go", "go1.26.8", "GOGC", "100")},
		Environment: result.Environment{
			Host:   facts("cpu", "AMD EPYC 7B13", "cores", "2", "memory", "23.4 GiB", "kernel", "6.18.44", "clock source", "tsc", "nofile", "20000"),
			Sysctl: facts("net.ipv4.ip_local_port_range", "32768 60999", "net.core.somaxconn", "4096", "net.ipv4.tcp_rmem", "4096 131072 6291456"),
			Before: facts("load", "0.31 0.24 0.11", "cpu pressure", "0.4 %"),
			During: facts("load", "1.92 1.04 0.55", "cpu pressure", "6.1 %", "other work", "0.05 cores"),
		},
		Verdict:  result.Valid,
		Validity: checks(),
		Clock:    result.Clock{Method: "one CLOCK_MONOTONIC for all processes", Source: "tsc", Bound: time.Microsecond},
	}
	m.workers(2)
	m.r.Servers = []result.Server{{Name: "roostd", PID: 4711, Source: "pid", Binary: "bin/roostd", SHA256: "77ab01c3", Version: "go1.26.8 roost 3aa91f2",
		Argv: []string{"bin/roostd", "--listen", "127.0.0.1:8080"}, Env: facts("GOGC", "100"),
		Before: &result.ServerUse{RSS: 14 << 20, PSS: 14 << 20, Heap: 3 << 20, Stacks: 400 << 10, Slab: 90 << 20, Sock: 0, Files: 12, Goroutines: 11},
		Slope:  map[string]float64{"heap": 182, "stacks": 0.4, "rss": 271, "pss": 270, "slab": 7930, "sock": 0}}}
	switch name {
	case "empty":
		m.empty()
	case "storm":
		m.storm()
	case "million":
		m.clients = 1_000_000
		m.r.Scenario.Name = "million"
		m.workers(54)
		m.standard()
	default:
		m.standard()
	}
	if name == "invalid" {
		m.invalid()
	}
	if name == "errors" {
		m.errors()
	}
	m.finish()
	return m.r
}

// standard is a ramp, a warm-up, a hold under load and a drain.
func (m *maker) standard() {
	m.phase("ramp", 10*time.Second, 0, m.clients, 0, false)
	m.phase("warm", 10*time.Second, m.clients, m.clients, 20, true)
	m.phase("hold", 60*time.Second, m.clients, m.clients, 20, false)
	m.phase("drain", 5*time.Second, m.clients, 0, 0, false)
	m.r.Thresholds = []result.Threshold{
		{Text: "delivery.p99 < 50ms", State: "pass"},
		{Text: "lost == 0", State: "pass"},
		{Text: "server.user_b_per_conn < 300", State: "pass"},
	}
}

// finish sets what follows from the phases.
func (m *maker) finish() {
	var end time.Duration
	for _, p := range m.r.Phases {
		end = p.Start + p.Length
	}
	m.r.Ended = m.r.Started.Add(end)
	for i := range m.r.Thresholds {
		if t := &m.r.Thresholds[i]; t.State == "pass" {
			name, _, _ := strings.Cut(t.Text, " ")
			found, _, _ := m.r.Lookup(name)
			t.Value = found.Value
		}
	}
}

func (m *maker) workers(n int) {
	m.r.Workers = nil
	for i := range n {
		m.r.Workers = append(m.r.Workers, result.Worker{Index: i, Host: "bench-1", PID: 5000 + i, Clients: m.clients / n,
			CPU: 21.4 + m.rnd.Float64(), PeakRSS: 19 << 20, UserPerConn: 205 + 10*m.rnd.Float64()})
	}
}

func (m *maker) empty() {
	m.r.Verdict = result.Interrupted
	m.r.Servers = nil
	m.r.Workers = nil
	m.r.Validity = nil
	m.r.Notes = []string{"interrupted before the first phase began"}
}

func (m *maker) invalid() {
	m.r.Verdict = result.Invalid
	hold := &m.r.Phases[2]
	hold.Workers.RunDelay = .34
	set := func(name string, value float64) {
		for i := range m.r.Validity {
			if c := &m.r.Validity[i]; c.Name == name {
				c.Value, c.State = value, "fail"
			}
		}
	}
	set("send lag p99", 412e6)
	set("achieved rate", .871)
	set("run delay", .34)
	m.r.Notes = []string{"worker 1 had 0.34 of its time no core to run on, while it was runnable"}
}

func (m *maker) errors() {
	m.r.Verdict = result.Breached
	hold := &m.r.Phases[2]
	c := &hold.Tally.Groups[0].Counts
	c.Missing, c.Duplicate, c.Reordered = 412, 7, 31
	c.Delivered -= 412
	hold.Tally.Groups[0].Hists[tally.Delivery].Miss(412)
	for i := range 14 {
		hold.Errors = append(hold.Errors, result.ErrorLine{Stage: []string{"dial", "upgrade", "open"}[i%3],
			Class: []string{"ECONNREFUSED", "HTTP 503", "close 4101", "ETIMEDOUT"}[i%4], Count: uint64(9000 / (i + 1)),
			Text:   fmt.Sprintf("connect 127.0.0.%d:8080: the server says <script>alert(%d)</script>", i+1, i),
			Advice: "the server's accept queue is full: raise net.core.somaxconn and the server's backlog"})
		c.Failed += hold.Errors[i].Count
	}
	for i := range m.r.Series {
		if pt := &m.r.Series[i]; pt.Phase == 2 {
			pt.ErrorRate = float64(c.Failed) / hold.Length.Seconds() * (.5 + m.rnd.Float64())
		}
	}
	m.r.Thresholds[0] = result.Threshold{Text: "delivery.p99 < 50ms", Value: math.Inf(1), State: "fail"}
	m.r.Thresholds[1] = result.Threshold{Text: "lost == 0", Value: 412, State: "fail", Aborted: true}
	m.r.Thresholds = append(m.r.Thresholds, result.Threshold{Text: "storm.t99 < 20s", State: "unknown", Reason: "there is no value of storm.t99: there was no storm"})
}

func facts(pairs ...string) (list []result.Fact) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, result.Fact{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

func checks() []result.Check {
	return []result.Check{
		{Name: "achieved rate", Value: 1, Limit: .995, Unit: "share", Least: true, State: "pass", Text: "Messages that were sent of those that were due. Use more workers or a lower rate."},
		{Name: "unsent", Value: 0, Limit: 0, Unit: "1", State: "pass", Text: "Messages that were due and never sent."},
		{Name: "send lag p99", Value: 210e3, Limit: 1e6, Unit: "ns", State: "pass", Text: "How late messages were sent. Give the workers cores of their own."},
		{Name: "hiccup p99.9", Value: 640e3, Limit: 1e6, Unit: "ns", State: "pass", Text: "How late an idle thread of the worker woke."},
		{Name: "rx lag share", Value: .11, Limit: .2, Unit: "share", State: "pass", Text: "The generator's own part of the measured p99."},
		{Name: "worker cpu", Value: .58, Limit: .8, Unit: "cores", State: "pass", Text: "What the busiest worker used of its core."},
		{Name: "run delay", Value: .006, Limit: .01, Unit: "share", State: "pass", Text: "How long workers were runnable and had no core. Give them cores of their own (--cpuset), or run the server elsewhere."},
		{Name: "cpu pressure", Value: 23, Limit: 20, Unit: "%", State: "advice", Text: "Server and generator share the cores, so waiting is expected; run delay is what counts."},
		{Name: "null-sink ceiling", Value: 0, Limit: 2, Unit: "1", Least: true, State: "unknown", Text: "How much faster this machine could have sent. Run `loadgen calibrate` once on this machine."},
	}
}

const scenarioText = `name: fan-out
seed: 7
target: {url: "ws://127.0.0.1:8080/ws", dialect: roost}
clients: {count: 20_000, sources: ["127/8"]}
groups:
  - {name: healthy, share: 0.98}
  - {name: slow, share: 0.02, read: {rate: 512B/s}}
phases:
  - {name: ramp, ramp: {to: 100%, rate: 2_000/s}, until: all_connected}
  - {name: warm, publish: {to: all, rate: 20/s, size: 128B}, for: 10s, warmup: true}
  - {name: hold, publish: {to: all, rate: 20/s, size: 128B}, for: 60s}
  - {name: drain, drain: {to: 0}, for: 5s}
thresholds:
  - delivery.p99 < 50ms
  - lost == 0
`
