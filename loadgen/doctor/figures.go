package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/preflight"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/tally"
	"roost/loadgen/usage"
)

// clock finds out what it is and what reading it costs.
func (d *Doctor) clock(context.Context) ([]Figure, error) {
	source := usage.Clocksource()
	const n = 1_000_000
	c := clock.New()
	last, back := c.Now(), 0
	began := time.Now()
	for range n {
		now := c.Now()
		if now < last {
			back++
		}
		last = now
	}
	each := time.Since(began) / n
	return []Figure{
		figure("clock source", source, "tsc, or another that is read without a system call", source == "tsc" || source == "kvm-clock" || source == "hyperv_clocksource_tsc_page" || source == "arch_sys_counter",
			"boot with clocksource=tsc tsc=reliable, if the machine's TSC is"),
		figure("reading the clock", each.String(), "below 200ns", each < 200*time.Nanosecond, "a slow clock source is the likely reason: see above"),
		figure("clock goes back", fmt.Sprintf("%d of %d readings", back, n), "never", back == 0, "the clock source is broken: choose another"),
	}, nil
}

// Limits of figures, those that validity uses by default.
const (
	goodSleep = 10 * time.Millisecond
	goodRxLag = time.Millisecond
	goodLag   = 10 * time.Millisecond
	goodBytes = 300      // of a worker, for each connection
	goodRSS   = 20 << 20 // of a worker with DefaultClients
)

// sleep finds out by how much sleeps of 1 ms are too long.
func (d *Doctor) sleep(ctx context.Context) ([]Figure, error) {
	var mu sync.Mutex
	h := tally.NewHist()
	stop := usage.WatchHiccups(usage.HiccupEvery, func(ns int64) {
		mu.Lock()
		defer mu.Unlock()
		h.Record(ns)
	})
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	stop()
	p999 := h.Quantile(.999)
	return []Figure{
		fact("oversleep of 1 ms, p50 / p99", "%v / %v", dur(h.Quantile(.5)), dur(h.Quantile(.99))),
		figure("oversleep of 1 ms, p99.9", dur(p999), "below "+goodSleep.String(), p999 < int64(goodSleep), "stop what else runs here, or give workers processors of their own"),
	}, nil
}

func dur(ns int64) string { return time.Duration(ns).Round(100 * time.Nanosecond).String() }

// echo finds out what a latency has in it without any server.
func (d *Doctor) echo(ctx context.Context) ([]Figure, error) {
	res, _, err := d.Tools.Against(ctx, "", 1, func(addr string) string {
		return fmt.Sprintf(`name: floor
target: {url: "ws://%s/", dialect: plain}
clients: {count: 100}
measure: {kernel_stamps: 1, deadline: 2s}
phases:
  - {name: ramp, ramp: {rate: 1000/s}, timeout: 10s}
  - {name: hold, publish: {to: self, rate: 1000/s, arrival: poisson}, for: 2s}
`, addr)
	})
	if err != nil {
		return nil, err
	}
	t := phase(res, "hold").Tally
	g := t.Groups[0]
	rx, lag := t.Hists[tally.RxLag].Quantile(.99), t.Hists[tally.SendLag].Quantile(.99)
	quiet := "stop what else runs here"
	return []Figure{
		fact("echo of a server that does nothing, p50 / p99", "%s / %s", dur(g.Hists[tally.Delivery].Quantile(.5)), dur(g.Hists[tally.Delivery].Quantile(.99))),
		fact("rx lag, p50: from the kernel's arrival to us", "%s", dur(t.Hists[tally.RxLag].Quantile(.5))),
		figure("rx lag, p99", dur(rx), "below "+goodRxLag.String(), rx < int64(goodRxLag), quiet),
		figure("send lag, p99", dur(lag), "below "+goodLag.String(), lag < int64(goodLag), quiet),
	}, nil
}

// phase finds a phase; one that was not reached is empty.
func phase(res *result.Result, name string) *result.Phase {
	for i := range res.Phases {
		if res.Phases[i].Name == name {
			return &res.Phases[i]
		}
	}
	return &result.Phase{Tally: &tally.Tally{Groups: make([]tally.Group, 1)}}
}

func (d *Doctor) ceiling(ctx context.Context) ([]Figure, error) {
	c, err := d.Tools.Ceiling(ctx, 1)
	if err != nil {
		return nil, err
	}
	return []Figure{
		fact("ceiling of one worker, deliveries", "%.0f/s", c.Deliveries),
		fact("ceiling of one worker, messages sent", "%.0f/s", c.Sends),
		fact("ceiling of one worker, dials", "%.0f/s", c.Dials),
	}, nil
}

// clients is how many connections a worker can have here, at most what was
// asked for.
func (d *Doctor) clients(m *preflight.Machine) int {
	want := d.Clients
	if want == 0 {
		want = DefaultClients
	}
	const others = 800 // descriptors of a worker beside its connections, with some to spare
	return int(min(int64(want), max(m.FilesHard-others, 100)))
}

// idle is a scenario of connections that do nothing.
func idle(addr string, clients int) string {
	return fmt.Sprintf(`name: idle
target: {url: "ws://%s/", dialect: plain}
clients: {count: %d}
measure: {kernel_stamps: 0}
validity: {ceiling_factor: 0}
phases:
  - {name: half, ramp: {to: 50%%, rate: 10000/s}, timeout: 60s}
  - {name: half-idle, for: 1s}
  - {name: full, ramp: {to: 100%%, rate: 10000/s}, timeout: 60s}
  - {name: full-idle, for: 1s}
`, addr, clients)
}

// machine reads what this machine has for a server on it.
func machine(ctx context.Context, clients int) (*scenario.Scenario, *preflight.Machine, error) {
	s, err := scenario.Parse("doctor.yaml", []byte(idle("127.0.0.1:1", clients)), scenario.ParseOptions{})
	if err != nil {
		return nil, nil, err
	}
	m, err := preflight.Read(ctx, s, preflight.Workers{Here: 1, All: 1})
	return s, m, err
}

// ceilingFacts are those of the machine that a ceiling depends on.
var ceilingFacts = []string{"cpu", "cpu_threads", "smt", "governor", "turbo", "affinity", "kernel", "clocksource", "mitigations", "virtualisation", "cgroup_cores"}

// Facts are what of this machine decides how much a generator can do at most.
func Facts() (facts []result.Fact) {
	for _, f := range usage.Host() {
		if slices.Contains(ceilingFacts, f.Name) {
			facts = append(facts, result.Fact{Name: f.Name, Value: f.Value})
		}
	}
	return facts
}

// room finds out how many connections there is room for, and what mends that.
func (d *Doctor) room(ctx context.Context) ([]Figure, error) {
	s, m, err := machine(ctx, DefaultClients)
	if err != nil {
		return nil, err
	}
	ports := int(m.Ports[1]) - int(m.Ports[0]) + 1 - m.Reserved
	figures := []Figure{
		fact("processors", "%d", m.Cores),
		fact("descriptors of a worker", "%d (fs.nr_open %d, fs.file-max %d, of which %d used)", m.FilesHard, m.NrOpen, m.FileMax, m.FilesUsed),
		fact("connections from one address to one server port", "%d, %d of them in TIME_WAIT", ports, m.TimeWait),
		fact("memory for connections", "%d MiB free: %d of them with a server elsewhere, %d with both ends here",
			m.MemoryFree>>20, m.MemoryFree/(preflight.KernelPerEnd+preflight.UserPerClient), m.MemoryFree/(2*preflight.KernelPerEnd+2*preflight.UserPerClient)),
	}
	for _, short := range preflight.Check(s, preflight.Workers{Here: 1, All: 1}, m) {
		f := figure(fmt.Sprintf("%s for %d connections", short.What, DefaultClients), short.Have, short.Need, short.Advice, short.Mend...)
		if short.Advice {
			f.Good, f.Mend = "", short.Mend
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// memory finds out what a connection costs a worker.
func (d *Doctor) memory(ctx context.Context) ([]Figure, error) {
	_, m, err := machine(ctx, 2)
	if err != nil {
		return nil, err
	}
	n := d.clients(m)
	res, _, err := d.Tools.Against(ctx, "", 1, func(addr string) string { return idle(addr, n) })
	if err != nil {
		return nil, err
	}
	half, full := phase(res, "half-idle"), phase(res, "full-idle")
	if full.Connected != n || half.Connected == 0 || half.Connected == n {
		return nil, fmt.Errorf("%d of %d connections came about: %s", full.Connected, n, reasons(res))
	}
	// The slope: what a worker needs anyway drops out.
	each := float64(full.Workers.RSS-half.Workers.RSS) / float64(full.Connected-half.Connected)
	const ours = "this is loadgen's own affair: please tell its authors"
	return []Figure{
		figure(fmt.Sprintf("worker's memory for each connection, %d to %d", half.Connected, n), fmt.Sprintf("%.0f B", each), fmt.Sprintf("below %d B", goodBytes), each < goodBytes, ours),
		figure(fmt.Sprintf("worker's RSS with %d connections", n), fmt.Sprintf("%.1f MiB", float64(full.Workers.RSS)/(1<<20)), fmt.Sprintf("below %d MiB", goodRSS>>20),
			full.Workers.RSS < goodRSS, ours),
	}, nil
}

// reasons says why connections did not come about.
func reasons(res *result.Result) string {
	var why []string
	for i := range res.Phases {
		for _, e := range res.Phases[i].Errors {
			why = append(why, fmt.Sprintf("%d x %s: %s", e.Count, e.Class, e.Text))
		}
	}
	return strings.Join(append(why, res.Notes...), "; ")
}
