package chaos

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"roost/bench/chaos/fleet"
	"roost/bench/chaos/ledger"
	"roost/bench/chaos/rig"
)

// trial is one scenario under way. It owns its servers as a test does
// (engines.Owner), and is its goroutine's alone unless something says otherwise.
type trial struct {
	// Static after newTrial.
	ctx   context.Context
	s     *Scenario
	o     *Options
	out   io.Writer
	start time.Time // times are counted from here
	dir   string    // of its results

	// Made by setUp.
	cluster   *rig.Cluster
	balancer  *fleet.Balancer
	ledger    *ledger.Ledger
	fleet     *fleet.Fleet
	publisher *fleet.Publisher
	before    map[string]rig.Level // by node

	result Result

	mu       sync.Mutex
	cleanups []func()
	temp     []string
}

// abort is what ends a trial's goroutine.
type abort struct{}

// runTrial runs a scenario to its end, whatever it comes to.
func runTrial(ctx context.Context, s *Scenario, o *Options, out io.Writer) *Result {
	x := &trial{ctx: ctx, s: s, o: o, out: out, start: time.Now(), dir: filepath.Join(o.Out, s.Name)}
	x.result = Result{Scenario: s.Name, About: s.About, Started: x.start, Devices: s.devices(o), Nodes: s.nodes(), Rate: s.rate(o), Batch: o.Batch, Pace: s.pace(o)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer x.cleanUp()
		defer x.recovered()
		x.run()
	}()
	<-done
	x.result.Took = time.Since(x.start)
	x.result.judge()
	return &x.result
}

// recovered notes a panic as what it is: a bug of ours.
func (x *trial) recovered() {
	switch p := recover().(type) {
	case nil, abort:
	default:
		x.result.Error = fmt.Sprintf("panic: %v\n%s", p, debug.Stack())
	}
}

// run is the life of a trial.
func (x *trial) run() {
	x.setUp()
	x.connect()
	x.before = x.levels()
	x.publish()
	x.pause(x.o.Calm)
	hurt := x.now()
	x.say("hurt: %s", x.s.About)
	x.s.Hurt(x)
	mended := x.now()
	x.say("mended")
	x.pause(x.o.Calm)
	x.settle()
	x.measure(hurt, mended)
	x.check()
}

// setUp starts servers and nodes, and waits until the ring has all of them.
func (x *trial) setUp() {
	o := x.s.Rig
	o.Roostd, o.Logs = x.o.Roostd, x.dir
	o.Args = append([]string{"--loops", "1"}, o.Args...) // more processes than processors
	if x.s.Pace != 0 {
		o.Args = append(o.Args, "--ring-pace", fmt.Sprint(x.s.pace(x.o)))
	}
	x.cluster = rig.New(x, o)
	for i := range x.s.nodes() {
		var args []string
		if i < len(x.s.NodeArgs) {
			args = x.s.NodeArgs[i]
		}
		x.cluster.Add(args...)
	}
	x.cluster.Start()
	x.await("the ring has all nodes", 30*time.Second, func() error {
		_, err := x.cluster.Agreed(x.cluster.Nodes)
		return err
	})
	x.say("%d nodes are ready", x.s.nodes())
}

// connect starts the devices and waits until each is where it belongs.
func (x *trial) connect() {
	n := x.s.devices(x.o)
	addrs := make([]string, 0, len(x.cluster.Nodes))
	for _, node := range x.cluster.Nodes {
		addrs = append(addrs, node.Listen)
	}
	x.balancer = fleet.NewBalancer(x.start, addrs)
	x.Cleanup(x.balancer.Close)
	x.ledger = ledger.New(n)
	x.fleet = fleet.New(fleet.Options{Devices: n, Prefix: "dev", Heartbeat: 30 * time.Second, Balancer: x.balancer, Ledger: x.ledger, Start: x.start})
	x.Cleanup(func() { x.fleet.Stop(0, n) })
	if err := x.fleet.Start(x.ctx, 0, n, x.o.Connects); err != nil {
		x.Fatalf("%v", err)
	}
	x.awaitConnected(60 * time.Second)
	x.awaitStill(3*time.Second, 60*time.Second)
	x.say("%d devices are connected: %s", n, x.spread())
}

// publish begins with publishing.
func (x *trial) publish() {
	apis := make([]string, 0, len(x.cluster.Nodes))
	for _, node := range x.cluster.Nodes {
		apis = append(apis, node.URL())
	}
	x.publisher = fleet.Publish(fleet.PublisherOptions{APIs: apis, Rate: x.s.rate(x.o), Batch: x.o.Batch, Devices: x.fleet.Len(),
		Name: x.fleet.Name, Ledger: x.ledger, Start: x.start})
	x.Cleanup(func() { x.publisher.Stop(0) })
}

// settleTime is how long answers and deliveries may take once all is mended: a
// device that backed off waits up to half a minute.
const settleTime = 90 * time.Second

// settle stops publishing and waits until everything has come to its end. What has
// not is for check to say.
func (x *trial) settle() {
	began := x.now()
	x.publisher.Stop(settleTime)
	end := x.now() + settleTime
	for x.now() < end && x.ctx.Err() == nil {
		unhandled, unanswered := x.ledger.Open()
		if unhandled == 0 && unanswered == 0 && x.fleet.Connected() == x.fleet.Len() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	x.result.Settled = x.now() - began
	x.say("settled in %v", x.result.Settled.Round(time.Millisecond))
}

// now is the time since the trial's start.
func (x *trial) now() time.Duration { return time.Since(x.start) }

// pause lets time go by, as long as nobody interrupts.
func (x *trial) pause(d time.Duration) {
	x.Helper()
	select {
	case <-x.ctx.Done():
		x.Fatalf("ended: %v", context.Cause(x.ctx))
	case <-time.After(d):
	}
}

// say notes what happened, with when.
func (x *trial) say(format string, args ...any) {
	e := Event{x.now(), fmt.Sprintf(format, args...)}
	x.result.Events = append(x.result.Events, e)
	fmt.Fprintf(x.out, "  %7.2f s  %s\n", e.At.Seconds(), e.What)
}

// fault notes something that must not be.
func (x *trial) fault(format string, args ...any) {
	x.result.Faults = append(x.result.Faults, fmt.Sprintf(format, args...))
}

// miss notes a number that was to be reached and was not.
func (x *trial) miss(format string, args ...any) {
	x.result.Missed = append(x.result.Missed, fmt.Sprintf(format, args...))
}

// number notes one of this scenario; its name ends with its unit.
func (x *trial) number(name string, v float64) {
	if x.result.Extra == nil {
		x.result.Extra = map[string]float64{}
	}
	x.result.Extra[name] = v
}

// await waits until look finds nothing wrong, and ends the trial when it still does
// after so long.
func (x *trial) await(what string, within time.Duration, look func() error) time.Duration {
	x.Helper()
	began := x.now()
	for {
		err := look()
		if err == nil {
			return x.now() - began
		}
		if x.now()-began > within {
			x.Fatalf("%s: not within %v: %v", what, within, err)
		}
		x.pause(20 * time.Millisecond)
	}
}

// Helper does nothing: a trial says what it did, not where.
func (x *trial) Helper() {}

// Fatalf ends the trial: it could not be carried through.
func (x *trial) Fatalf(format string, args ...any) {
	x.result.Error = fmt.Sprintf(format, args...)
	panic(abort{})
}

// Cleanup has f called at the end, the last first.
func (x *trial) Cleanup(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cleanups = append(x.cleanups, f)
}

// TempDir returns a folder that goes with the trial.
func (x *trial) TempDir() string {
	dir, err := os.MkdirTemp("", "roost-chaos-")
	if err != nil {
		x.Fatalf("%v", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.temp = append(x.temp, dir)
	return dir
}

func (x *trial) cleanUp() {
	x.mu.Lock()
	cleanups, temp := x.cleanups, x.temp
	x.mu.Unlock()
	for _, f := range slices.Backward(cleanups) {
		x.guarded(f)
	}
	for _, dir := range temp {
		os.RemoveAll(dir)
	}
}

// guarded calls a cleanup that may end the trial: the others are called all the same.
func (x *trial) guarded(f func()) {
	said := x.result.Error
	defer func() {
		x.recovered()
		if said != "" {
			x.result.Error = said // the first is the one that counts
		}
	}()
	f()
}
