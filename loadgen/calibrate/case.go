package calibrate

import (
	"fmt"
	"time"

	"roost/loadgen/faultserver"
	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// test is one behaviour with what a result must say about it.
type test struct {
	behaviour string
	what      string // for people, in place of an empty behaviour
	clients   int
	path      string        // /: echo, /all: to all
	post      bool          // messages are published by POST
	timeout   time.Duration // of a handshake; 0: 5 s
	deadline  time.Duration // 0: 2 s
	phases    string        // YAML
	timing    bool          // runs alone, and again if a time is off
	stop      time.Duration // the worker is stopped for so long in phase hold
	judge     func(m *measured) []Row
}

// measured is a run against a server.
type measured struct {
	*result.Result
	truth faultserver.Truth
	floor floor
	froze time.Duration // how long the worker was stopped in fact
}

// floor is what a server without faults shows.
type floor struct{ p50, p99, connect int64 }

// slack is how much a median may be off: as much as the floor itself, which is
// how far the machine's own way may vary between two runs.
func (f floor) slack() int64 { return max(f.p50, int64(300*time.Microsecond)) }

// tail is how much a high percentile may be off: as the floor's own, within
// bounds.
func (f floor) tail() int64 {
	return f.slack() + min(max(f.p99-f.p50, int64(2*time.Millisecond)), int64(10*time.Millisecond))
}

func (m *measured) phase(name string) *result.Phase {
	for i := range m.Phases {
		if m.Phases[i].Name == name {
			return &m.Phases[i]
		}
	}
	return &result.Phase{Name: name, Tally: &tally.Tally{Groups: make([]tally.Group, 1)}}
}

// hold is the phase that is looked at.
func (m *measured) hold() *result.Phase { return m.phase("hold") }

// counts are those of the phase that is looked at.
func (m *measured) counts() tally.Counts { return m.hold().Tally.Total() }

// all are the counts of the whole run.
func (m *measured) all() (sum tally.Counts) {
	for i := range m.Phases {
		c := m.Phases[i].Tally.Total()
		sum.Add(&c)
	}
	return sum
}

// delivery is a histogram of the phase that is looked at.
func (m *measured) delivery(id tally.GroupHistID) *tally.Hist {
	return m.hold().Tally.Groups[0].Hists[id]
}

// class counts errors of a class in the whole run.
func (m *measured) class(stage, class string) (n uint64) {
	for i := range m.Phases {
		for _, e := range m.Phases[i].Errors {
			if e.Stage == stage && e.Class == class {
				n += e.Count
			}
		}
	}
	return n
}

// text is the scenario.
func (t *test) text(addr string) string {
	timeout, deadline := t.timeout, t.deadline
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	if deadline == 0 {
		deadline = 2 * time.Second
	}
	path, api := t.path, ""
	if path == "" {
		path = "/"
	}
	if t.post {
		api = fmt.Sprintf(`, api: "http://%s"`, addr)
	}
	return fmt.Sprintf(`name: calibrate
target: {url: "ws://%s%s"%s, dialect: plain}
clients: {count: %d, timeout: %v}
reconnect: {policy: none}
measure: {deadline: %v, kernel_stamps: 1}
validity: {ceiling_factor: 0}
phases:
%s
`, addr, path, api, t.clients, timeout, deadline, t.phases)
}
