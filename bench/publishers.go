package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"roost/bench/experiment"
	"roost/loadgen/result"
)

// probeResult is how long publishes to one device took beside a load, from when
// they were due.
type probeResult struct {
	GOMAXPROCS    string   `json:"gomaxprocs"`
	Load          string   `json:"load"`
	Count         float64  `json:"count"`
	P50           float64  `json:"p50_ms"`
	P99           float64  `json:"p99_ms"`
	Max           float64  `json:"max_ms"`
	Failed        float64  `json:"failed"`
	ServerMicros  float64  `json:"server_us_per_message,omitempty"` // of the load
	MessagesEvery float64  `json:"messages_per_second,omitempty"`
	Faults        []string `json:"faults,omitempty"` // why either run is no result
}

// beside is a load that publishers are measured beside.
type beside struct {
	name   string
	file   string // empty: none
	params []string
}

func (x *nodeRun) besides() []beside {
	hold := param("hold", x.opt.Hold)
	return []beside{
		{name: "none"},
		{"broadcast, 3/s to 14,900", "broadcast.yaml", []string{param("count", 14_900/x.scale), "rate=3/s", hold}},
		{"echo, 30,000/s", "echo.yaml", []string{param("count", 1000/x.scale), rate(30_000 / float64(x.scale)), hold}},
	}
}

// publishers measures the API under load, for several GOMAXPROCS.
func (x *nodeRun) publishers(ctx context.Context) error {
	x.printf("\n## How long publishers wait\n\n`POST /v1/publish` to one device, 100/s, latency from the due time, on a node with one loop per core. CPU of the node (ksoftirqd's share included) is per message of the load. In parentheses: a run that is no result, see publishers.json.\n\n| GOMAXPROCS | load | p50 ms | p99 ms | max ms | failed | us/message |\n|---|---|---|---|---|---|---|\n")
	var all []probeResult
	var err error
	for _, procs := range []string{"", "2", "3", "4"} {
		env := []string{}
		if procs != "" {
			env = append(env, "GOMAXPROCS="+procs)
		}
		var results []probeResult
		results, err = x.publishersWith(ctx, procs, env)
		all = append(all, results...)
		if err != nil {
			break
		}
	}
	return errors.Join(err, x.writeJSON("publishers", all))
}

// publishersWith probes one node beside each load.
func (x *nodeRun) publishersWith(ctx context.Context, procs string, env []string) (results []probeResult, err error) {
	if procs == "" {
		procs = "default (loops + 1)"
	}
	name := "publishers-" + strings.Fields(procs)[0]
	v, err := x.start(ctx, name, env...)
	if err != nil {
		return nil, err
	}
	defer func() { err = stopNode(err, v) }()
	files, err := openFiles(v)
	if err != nil {
		return nil, err
	}
	for i, load := range x.besides() {
		res, err := x.probeBeside(ctx, v, fmt.Sprintf("%s-%d", name, i), load)
		if err == nil {
			err = quiet(ctx, v, files)
		}
		if err != nil {
			return results, err
		}
		res.GOMAXPROCS, res.Load = procs, load.name
		format := "| %s | %s | %.2f | %.1f | %.1f | %.0f | %.2f |\n"
		if len(res.Faults) > 0 {
			format = "| %s | %s | (%.2f) | (%.1f) | (%.1f) | (%.0f) | (%.2f) |\n"
		}
		x.printf(format, procs, load.name, res.P50, res.P99, res.Max, res.Failed, res.ServerMicros)
		results = append(results, res)
	}
	return results, nil
}

// probeBeside runs the probe while a load runs.
func (x *nodeRun) probeBeside(ctx context.Context, v *experiment.Running, name string, load beside) (res probeResult, err error) {
	type ended struct {
		r   *result.Result
		err error
	}
	loaded := make(chan ended, 1)
	if load.file == "" {
		loaded <- ended{}
	} else {
		go func() {
			r, err := x.gen.scenario(ctx, name+"-load", v, load.file, load.params)
			loaded <- ended{r, err}
		}()
	}
	// A load is all there after some 4 s, and lasts Hold from then on.
	warmup := min(5*time.Second, x.opt.Hold)
	p, err := x.gen.scenario(ctx, name, v, "probe.yaml", []string{param("warmup", warmup), param("hold", max(x.opt.Hold-4*time.Second, x.opt.Hold/2))})
	l := <-loaded
	if err = errors.Join(err, l.err); err != nil {
		return res, err
	}
	for metric, to := range map[string]*float64{"count": &res.Count, "p50": &res.P50, "p99": &res.P99, "max": &res.Max} {
		m, _, _ := p.Lookup("hold.publish_ack." + metric) // an answer that never came is none: all are finite
		if *to = m.Value; m.Unit == "ns" {
			*to /= ms
		}
	}
	if m, ok, _ := p.Lookup("hold.refused"); ok {
		res.Failed = m.Value
	}
	res.Faults = faults(p)
	if l.r != nil {
		if m, ok, _ := l.r.Lookup("hold.delivery_rate"); ok {
			res.ServerMicros, res.MessagesEvery = cost(l.r, delivered, true), m.Value
		}
		res.Faults = append(res.Faults, faults(l.r)...)
	}
	return res, nil
}

// openFiles counts the node's descriptors.
func openFiles(v subject) (int, error) {
	names, err := os.ReadDir("/proc/" + strconv.Itoa(v.PID()) + "/fd")
	return len(names), err
}

// quiet waits until the connections of the run before are gone, so that their
// end is not charged to the next. files is how many descriptors the node had
// without any.
func quiet(ctx context.Context, v subject, files int) error {
	const slack = 20 // pooled API connections
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); {
		n, err := openFiles(v)
		if err != nil {
			return fmt.Errorf("the node is gone: %w", err)
		}
		if n <= files+slack {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("the node still has connections of the run before")
}
