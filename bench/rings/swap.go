package rings

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"roost/bench/experiment"
	"roost/loadgen/tally"
	"roost/ring"
	"roost/server/cluster"
)

// SwapOptions say what Swaps does.
type SwapOptions struct {
	Etcd    string // binary
	Nodes   int    // that are there by their keys
	Changes int    // of the ring
	Weights int    // published a second by all nodes together, beside the changes; each goes to the watcher
	Log     string // file for what etcd says
}

// Swapped is how long changes took, by stage.
type Swapped struct {
	Nodes   int                    `json:"nodes"`
	Changes int                    `json:"changes"`
	Weights int                    `json:"weights_a_second"`
	Lists   int64                  `json:"lists"`  // how often the watcher had to list anew, the first included
	Stages  map[string]*tally.Hist `json:"stages"` // capture, compute, swap, whole: ns
	// Answer is from before the pointer's request to etcd until readers see the ring.
	Answer *tally.Hist `json:"activate_to_swap"`
	Etcd   string      `json:"etcd"` // version
}

// target is what the whole may take at p99.
const target = 10 * time.Millisecond

// ok says what is not as it should be.
func (s *Swapped) ok() error {
	if p99 := time.Duration(s.Stages[cluster.Whole.String()].Quantile(0.99)); p99 > target {
		return fmt.Errorf("event to swap has a p99 of %v: want %v", p99, target)
	}
	return nil
}

// etcdServer is how etcd is started. Data is synced as by default.
func etcdServer(binary string) experiment.Server {
	client, peer := "http://127.0.0.1:{port}", "http://127.0.0.1:{api}"
	return experiment.Server{Name: "etcd", URL: "127.0.0.1:{port}", API: peer, Command: []string{binary,
		"--data-dir", "{dir}/etcd", "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer, "--log-level", "warn"}}
}

// Swaps starts etcd, registers nodes, and changes the ring so many times while the
// nodes publish weights.
func Swaps(ctx context.Context, o SwapOptions) (s *Swapped, err error) {
	version, err := exec.CommandContext(ctx, o.Etcd, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("etcd: %w: install etcd-server, or say --etcd", err)
	}
	server := etcdServer(o.Etcd)
	running, err := experiment.Serve(ctx, &server, o.Log)
	if err != nil {
		return nil, err
	}
	defer func() {
		_, end := running.Stop()
		err = errors.Join(err, end)
	}()
	x := &swaps{o: o, out: &Swapped{Nodes: o.Nodes, Changes: o.Changes, Weights: o.Weights, Stages: map[string]*tally.Hist{}, Answer: tally.NewHist(), Etcd: firstLine(version)}}
	for stage := range cluster.NumStages {
		x.out.Stages[stage.String()] = tally.NewHist()
	}
	defer x.close()
	if err := x.join(ctx, running.URL()); err != nil {
		return nil, err
	}
	if err := x.change(ctx); err != nil {
		return nil, err
	}
	x.out.Lists = x.watcher.Lists()
	return x.out, nil
}

func firstLine(b []byte) string {
	for i, c := range b {
		if c == '\n' {
			return string(b[:i])
		}
	}
	return string(b)
}

// swaps is one Swaps under way.
type swaps struct {
	o       SwapOptions
	client  *cluster.Client
	watcher *cluster.Watcher
	router  *cluster.Router
	members []*cluster.Registration
	weights []*cluster.Publisher
	pointer cluster.Pointer
	ring    *ring.Ring

	mu   sync.Mutex // guards out's stages
	out  *Swapped
	keep bool // stages count
}

func (x *swaps) took(s cluster.Stage, d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.keep {
		x.out.Stages[s.String()].Record(int64(d))
	}
}

// join registers the nodes and puts the first ring in force.
func (x *swaps) join(ctx context.Context, endpoint string) (err error) {
	if x.client, err = cluster.Dial(cluster.Options{Endpoints: []string{endpoint}, Cluster: cluster.Identity{ID: "bench", Environment: "bench"}}); err != nil {
		return err
	}
	if err = x.client.Identify(ctx); err != nil {
		return err
	}
	if x.watcher, err = x.client.Watch(cluster.WatchOptions{Stages: x.took}); err != nil {
		return err
	}
	var list []ring.Node
	for i := range x.o.Nodes {
		m := cluster.Member{ID: fmt.Sprintf("node-%03d", i), Addr: fmt.Sprintf("ws://10.0.%d.%d:8080", i/250, i%250), API: fmt.Sprintf("http://10.0.%d.%d:8081", i/250, i%250),
			Zone: string(rune('a' + i%3)), Capacity: 50_000}
		r, err := x.client.Register(m, cluster.RegisterOptions{})
		if err != nil {
			return err
		}
		x.members = append(x.members, r)
		x.weights = append(x.weights, x.client.Publisher(m.ID))
		list = append(list, ring.Node{ID: m.ID, Addr: m.Addr, Zone: m.Zone, Weight: 5, Capacity: m.Capacity})
	}
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err = x.watcher.Wait(within, func(v *cluster.View) bool { return len(v.Members) == x.o.Nodes }); err != nil {
		return fmt.Errorf("%d nodes registered: %w", x.o.Nodes, err)
	}
	x.router = x.client.Route(x.watcher, cluster.RouterOptions{File: filepath.Join(filepath.Dir(x.o.Log), "ring.json"), Stages: x.took})
	if x.ring, err = ring.Build(1, list, ring.Options{}); err != nil {
		return err
	}
	return x.activate(ctx, list[0])
}

// activate stores the ring, puts it in force, and waits until readers have it.
func (x *swaps) activate(ctx context.Context, n ring.Node) (err error) {
	versions := x.client.Versions()
	if x.pointer.Activation != 0 {
		if x.ring, err = x.ring.Apply(x.ring.Version()+1, ring.Change{Set: []ring.Node{n}}); err != nil {
			return err
		}
	}
	if _, err = versions.Put(ctx, x.ring); err != nil {
		return err
	}
	begin := time.Now()
	if x.pointer, err = versions.Activate(ctx, x.pointer.Activation, x.ring.Version(), cluster.Told{By: "bench"}); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err = x.router.Wait(within, func(a *cluster.Active) bool { return a.Pointer.Activation >= x.pointer.Activation }); err != nil {
		return fmt.Errorf("version %d is not in force: %w", x.ring.Version(), err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.keep {
		x.out.Answer.Record(int64(time.Since(begin)))
	}
	return nil
}

// change changes a node's weight in the ring, again and again, 20 ms apart, while
// weights are published.
func (x *swaps) change(ctx context.Context) error {
	beside, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { x.publish(beside) })
	var nodes []ring.Node
	for _, n := range x.ring.Nodes() {
		nodes = append(nodes, *n)
	}
	const warm = 20
	for i := range warm + x.o.Changes {
		if i == warm {
			x.mu.Lock()
			x.keep = true
			x.mu.Unlock()
		}
		n := nodes[i%len(nodes)]
		n.Weight = 4 + float64(i%9)/4
		if err := x.activate(ctx, n); err != nil {
			return err
		}
		if i%16 == 0 {
			if _, err := x.client.Versions().Collect(ctx, 8); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// publish publishes weights that change, node after node, so many a second.
func (x *swaps) publish(ctx context.Context) {
	if x.o.Weights <= 0 {
		return
	}
	tick := time.NewTicker(time.Second / time.Duration(x.o.Weights))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_ = x.weights[i%len(x.weights)].Publish(ctx, cluster.Weight{Value: float64(40_000 + i%10_000)})
	}
}

// close takes all back, side by side: a lease that is revoked takes a request each.
func (x *swaps) close() {
	var all sync.WaitGroup
	for i, r := range x.members {
		all.Go(r.Close)
		all.Go(x.weights[i].Close)
	}
	all.Wait()
	if x.router != nil {
		x.router.Close()
	}
	if x.watcher != nil {
		x.watcher.Close()
	}
	if x.client != nil {
		_ = x.client.Close()
	}
}
