package crossnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"roost/bench/chaos/rig"
	"roost/loadgen/usage"
	"roost/server/publisher"
)

// owner owns processes as a test does (engines.Owner): what it was told to clean up
// is, the last first.
type owner struct {
	cleanups []func()
	err      error
}

// stopped is what ends an owner's goroutine.
type stopped struct{}

// own runs f with an owner, and cleans up.
func own(f func(o *owner) error) error {
	o := &owner{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer o.cleanUp()
		defer func() {
			switch p := recover().(type) {
			case nil, stopped:
			default:
				o.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		o.err = f(o)
	}()
	<-done
	return o.err
}

func (o *owner) cleanUp() {
	for len(o.cleanups) > 0 {
		last := len(o.cleanups) - 1
		f := o.cleanups[last]
		o.cleanups = o.cleanups[:last]
		f()
	}
}

// Helper does nothing.
func (o *owner) Helper() {}

// Fatalf ends the goroutine of own.
func (o *owner) Fatalf(format string, args ...any) {
	o.err = fmt.Errorf(format, args...)
	panic(stopped{})
}

// Cleanup has f called at the end.
func (o *owner) Cleanup(f func()) { o.cleanups = append(o.cleanups, f) }

// TempDir returns a folder that goes with the owner.
func (o *owner) TempDir() string {
	dir, err := os.MkdirTemp("", "bench-crossnode-")
	if err != nil {
		o.Fatalf("%v", err)
	}
	o.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// setup is the cluster.
type setup struct {
	cluster *rig.Cluster
	a, b    *rig.Node
	devices *devices
}

// noRing is the Source of a publisher that knows no ring: it posts to the nodes that it
// was given.
type noRing struct{}

var errNoRing = errors.New("no ring is wanted")

// Active says that there is none.
func (noRing) Active(context.Context, string) (*publisher.Answer, error) { return nil, errNoRing }

// Snapshot says the same.
func (noRing) Snapshot(context.Context, uint64) ([]byte, error) { return nil, errNoRing }

// start starts the cluster, and connects devices to B that are B's.
func start(ctx context.Context, own *owner, o *Options, logs string) (*setup, error) {
	redis := []string{"--appendonly", "yes", "--appendfsync", o.Fsync, "--maxmemory-policy", "noeviction", "--save", ""}
	s := &setup{cluster: rig.New(own, rig.Options{Roostd: o.Roostd, Logs: logs, RedisArgs: redis})}
	s.a, s.b = s.cluster.Add(), s.cluster.Add()
	s.cluster.Start()
	for end := time.Now().Add(30 * time.Second); ; {
		said, err := s.cluster.Agreed(s.cluster.Nodes)
		if err == nil {
			break
		}
		if !pause(ctx, 100*time.Millisecond) || time.Now().After(end) {
			return nil, fmt.Errorf("the nodes do not agree about the ring (%s): %w", said, err)
		}
	}
	router, err := s.publisher(publisher.Options{})
	if err != nil {
		return nil, err
	}
	defer closed(router)
	if err := router.Ready(ctx); err != nil {
		return nil, err
	}
	// Where A was alone when the first ring was made, B comes into it a little later, for a share at first.
	ids := ownedBy(router, s.b.ID, o.Devices)
	for end := time.Now().Add(30 * time.Second); len(ids) < o.Devices; ids = ownedBy(router, s.b.ID, o.Devices) {
		if !pause(ctx, 500*time.Millisecond) || time.Now().After(end) {
			return nil, fmt.Errorf("the ring gives node %s no devices", s.b.ID)
		}
	}
	s.devices, err = connect(ctx, own, s.b.Listen, ids)
	return s, err
}

// ownedBy returns ids of devices that the ring gives a node.
func ownedBy(p *publisher.Publisher, node string, n int) (ids []string) {
	for i := 0; len(ids) < n && i < 1000*n; i++ {
		id := fmt.Sprintf("cross-%06d", i)
		if owner, _, ok := p.Owner(id); ok && owner == node {
			ids = append(ids, id)
		}
	}
	return ids
}

// publisher makes one that knows both nodes.
func (s *setup) publisher(o publisher.Options) (*publisher.Publisher, error) {
	o.Nodes = []string{s.a.URL(), s.b.URL()}
	return publisher.New(o)
}

// toA makes one that posts to A alone.
func (s *setup) toA(o publisher.Options) (*publisher.Publisher, error) {
	o.Nodes, o.Source, o.Choose = []string{s.a.URL()}, noRing{}, publisher.Any
	return publisher.New(o)
}

func closed(p *publisher.Publisher) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	_ = p.Close(ctx)
}

// processes are those whose CPU time counts, by name.
func (s *setup) processes() map[string]usage.Process {
	return map[string]usage.Process{
		"roostd A": usage.Process(s.a.Pid()), "roostd B": usage.Process(s.b.Pid()),
		"redis": usage.Process(s.cluster.Redis.Pid()), "etcd": usage.Process(s.cluster.Etcd.Pid()), "devices and publisher": 0,
	}
}

// cpu reads their CPU times.
func (s *setup) cpu() (map[string]time.Duration, error) {
	used := map[string]time.Duration{}
	for name, p := range s.processes() {
		t, err := p.CPU()
		if err != nil {
			return nil, fmt.Errorf("CPU time of %s: %w", name, err)
		}
		used[name] = t
	}
	return used, nil
}

// logsIn is the folder of logs in a folder of results.
func logsIn(folder string) string { return filepath.Join(folder, "logs") }

// pause waits and reports whether ctx did not end before.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
