// Package million holds as many devices on one machine as it is asked for: by
// as many nodes and as many workers of the generator as their descriptors ask
// for, nodes that know nothing of each other, every device reached.
//
// The folder of a run has report.md, what loadgen did (scenario.yaml) and found
// (result.json, report.html), and what each node said (nodes/NN.log).
package million

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"roost/bench/experiment"
	"roost/loadgen/result"
	"roost/poller"
)

// Options says what Run does. Zero fields mean their defaults.
type Options struct {
	Roostd      string        // binary; default bin/roostd
	Loadgen     string        // binary; default bin/loadgen
	Out         string        // folder of results; default bench/results/million-DATE
	Connections int           // default 1,000,000
	Rate        float64       // dials a second; default 1,750 for each core, at most 20,000
	Deliveries  float64       // of broadcasts, a second; default 6,000 for each core, at most 45,000
	Hold        time.Duration // how long they are held; default 60 s
	Command     []string      // recorded
}

// What nodes and generator can do together on the cores of one machine, without
// the generator becoming the limit.
const (
	dialsPerCore, mostDials           = 1_750, 20_000
	deliveriesPerCore, mostDeliveries = 6_000, 45_000
)

// heartbeat is what devices ask for, in seconds: the longest that there is. With
// 55 s a million say 18,000 a second, which is more than two cores do for both
// ends beside setting them up.
const heartbeat = "300"

// mostPushed is how many devices get a push of their own, at pushRate a second in
// all: each worker publishes to all nodes, so that 54 of each have 2,900
// connections for it, which is slow at first.
const mostPushed, pushRate = 5_000, 100

// reserve is how many descriptors of a node are kept for other things
// than devices: roostd itself keeps 5 %.
const reserve = 0.07

// run is one Run under way.
type run struct {
	opt   Options
	out   io.Writer
	nodes []*experiment.Running
}

// Run holds as many devices as it is asked for on this machine: as many
// nodes as their descriptors ask for, as many workers of loadgen, every device
// reached by a broadcast at its node and a sample by targeted pushes, then
// drained. The nodes know nothing of each other. It prints a report to out and
// writes it, with the raw result, to a folder. A run whose numbers are no result,
// or in which something was lost, is a *Failure.
func Run(ctx context.Context, opt Options, out io.Writer) error {
	cores := float64(runtime.GOMAXPROCS(0))
	opt.Roostd = cmp.Or(opt.Roostd, "bin/roostd")
	opt.Loadgen = cmp.Or(opt.Loadgen, "bin/loadgen")
	opt.Connections = cmp.Or(opt.Connections, 1_000_000)
	opt.Rate = cmp.Or(opt.Rate, min(dialsPerCore*cores, mostDials))
	opt.Deliveries = cmp.Or(opt.Deliveries, min(deliveriesPerCore*cores, mostDeliveries))
	opt.Hold = cmp.Or(opt.Hold, time.Minute)
	if opt.Connections < 1 || opt.Rate < 0 || opt.Deliveries < 0 || opt.Hold < 0 {
		return fmt.Errorf("%d connections, %g dials/s, %g deliveries/s, held for %v: none may be negative", opt.Connections, opt.Rate, opt.Deliveries, opt.Hold)
	}
	files, err := poller.FileLimit()
	if err != nil {
		return err
	}
	if opt.Out, err = experiment.Folder(opt.Out, "million"); err != nil {
		return err
	}
	x := &run{opt: opt, out: out}
	n := nodesFor(opt.Connections, files)
	fmt.Fprintf(out, "%d devices at %d nodes (%d descriptors each)\n", opt.Connections, n, files)
	return x.with(ctx, n)
}

// with runs with so many nodes.
func (x *run) with(ctx context.Context, nodes int) (err error) {
	defer func() { err = errors.Join(err, x.stopNodes()) }()
	if err := x.startNodes(ctx, nodes); err != nil {
		return err
	}
	if err := os.WriteFile(x.file("scenario.yaml"), x.scenario(), 0o644); err != nil {
		return err
	}
	r, err := x.generate(ctx)
	if r == nil {
		return err
	}
	if err := errors.Join(err, x.report(r)); err != nil { // a run that was interrupted has a report, too
		return err
	}
	return judge(r)
}

// nodesFor returns how many nodes hold so many connections with so many
// descriptors each.
func nodesFor(connections, files int) int {
	each := int(float64(files) * (1 - reserve))
	return max((connections+each-1)/each, 1)
}

func (x *run) file(name string) string { return filepath.Join(x.opt.Out, name) }

// startNodes starts n roostds with one loop each: there are more processes than
// cores.
func (x *run) startNodes(ctx context.Context, n int) error {
	node := experiment.Adapters["roost"]
	node.Name = "roost"
	if n > runtime.NumCPU() {
		node.Env = []string{"GOMAXPROCS=1"} // see crowded in cmd/loadgen
	}
	node.Command = []string{x.opt.Roostd, "--listen", "127.0.0.1:{port}", "--api", "127.0.0.1:{api}", "--auth", "none", "--loops", "1", "--inbox", "memory",
		"--accept-rate", "0", "--device-rate", "0"}
	if err := os.MkdirAll(x.file("nodes"), 0o755); err != nil {
		return err
	}
	for range n {
		v, err := experiment.Serve(ctx, &node, x.file(fmt.Sprintf("nodes/%02d.log", len(x.nodes))))
		if err != nil {
			return fmt.Errorf("node %d of %d: %w", len(x.nodes)+1, n, err)
		}
		x.nodes = append(x.nodes, v)
	}
	return nil
}

// stopNodes ends all nodes at once, as each takes a while.
func (x *run) stopNodes() error {
	errs := make([]error, len(x.nodes))
	var wg sync.WaitGroup
	for i, v := range x.nodes {
		wg.Go(func() {
			remark, err := v.Stop()
			if remark != "" {
				err = errors.Join(err, fmt.Errorf("node %d %s", i, remark))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// generate runs loadgen, whose progress is shown. Devices that are there when it
// is interrupted are sent away first, which takes its time.
func (x *run) generate(ctx context.Context) (*result.Result, error) {
	r, _, err := experiment.Generate(ctx, experiment.Load{Loadgen: x.opt.Loadgen,
		Args: []string{x.file("scenario.yaml"), "--workers", strconv.Itoa(len(x.nodes)), "--html", x.file("report.html")},
		Out:  x.file("result.json"), Show: x.out, Patience: 2 * time.Minute})
	return r, err
}

// latency is what workers may be late: 10 ms, as in any run, for each process that
// shares a processor. What a run is for is how many there are, what each costs and
// that everything comes. 54 nodes and 54 workers on two cores are half idle, and
// still a worker waits up to half a second for its turn, where 540 ms is the
// limit: the report says how long it was.
func latency(processes, cores int) time.Duration {
	return 10 * time.Millisecond * time.Duration((processes+cores-1)/cores)
}

// pids lists the nodes' processes, separated by commas.
func (x *run) pids() string {
	return x.list(func(v *experiment.Running) string { return strconv.Itoa(v.PID()) })
}

// list lists something of each node, as in YAML.
func (x *run) list(f func(v *experiment.Running) string) string {
	all := make([]string, len(x.nodes))
	for i, v := range x.nodes {
		all[i] = f(v)
	}
	return strings.Join(all, ", ")
}

// scenario is what loadgen does. Broadcasts are paced so that deliveries keep
// to what is planned: a node's devices make up the same share of them.
func (x *run) scenario() []byte {
	perNode := float64(x.opt.Connections) / float64(len(x.nodes))
	broadcasts := math.Round(1000*x.opt.Deliveries/perNode) / 1000
	forAll := time.Duration(float64(len(x.nodes))/broadcasts*1e9) + time.Second
	pushes := min(x.opt.Connections, mostPushed)
	late := latency(2*len(x.nodes), runtime.NumCPU())
	return fmt.Appendf(nil, `# Written by bench million.
name: million
description: %d devices on %d independent nodes, each reached by a broadcast, %d by a push of their own
target:
  url: [%s]
  api: [%s]
  dialect: roost
clients: {count: %d, timeout: 30s, window: %d}
measure: {deadline: 30s, interval: 5s}
validity: {hiccup: %s, send_lag: %s}
phases:
  - {name: ramp, ramp: {to: 100%%, rate: %g/s}, until: connected, timeout: 15m, warmup: true}
  - {name: hold, for: %s}
  - {name: broadcast, publish: {to: node, rate: %g/s, size: 128B}, for: %s}
  - {name: push, publish: {to: device, class: kept, ttl: 60s, rate: %d/s, size: 128B, among: %d}, for: %ds}
  - {name: drain, drain: {to: 0, how: rst, over: %ds}, until: drained, timeout: 5m, warmup: true} # nothing is measured any more
thresholds:
  - lost == 0
server:
  pid: [%s]
`, x.opt.Connections, len(x.nodes), pushes,
		x.list(func(v *experiment.Running) string { return v.URL() + "?hb=" + heartbeat }), x.list((*experiment.Running).API),
		x.opt.Connections, 128*len(x.nodes), late, late, x.opt.Rate, x.opt.Hold, broadcasts, forAll.Round(time.Second), pushRate, pushes, max(pushes/pushRate, 1),
		min(max(x.opt.Connections/33_000, 1), 30), x.pids())
}
