package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/testetcd"
)

// desk is a cluster of nodes that only exist in etcd.
type desk struct {
	t    testing.TB
	etcd *testetcd.Server
	c    *cluster.Client
	w    *cluster.Watcher

	mu    sync.Mutex
	nodes map[string]*deskNode
}

// deskNode is a node that says what it is told to say.
type deskNode struct {
	weight  float64
	devices int
	held    *cluster.HeldRing
	drain   *cluster.DrainProgress
}

var deskID = cluster.Identity{ID: "roost", Environment: "development"}

// newDesk starts etcd and nodes "id@zone" with a capacity of 10,000, which is their
// weight, and 3,000 devices, in a ring of version 1, if there are any. No planner runs.
func newDesk(t testing.TB, names ...string) *desk {
	t.Helper()
	d := &desk{t: t, etcd: testetcd.Start(t), nodes: map[string]*deskNode{}}
	var err error
	if d.c, err = cluster.Dial(cluster.Options{Endpoints: d.etcd.Endpoints(), Cluster: deskID}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.c.Close() })
	if err := d.c.Identify(limit(t)); err != nil {
		t.Fatal(err)
	}
	if d.w, err = d.c.Watch(cluster.WatchOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.w.Close)
	var nodes []ring.Node
	for _, name := range names {
		m := d.join(name)
		nodes = append(nodes, ring.Node{ID: m.ID, Addr: m.Addr, Zone: m.Zone, Weight: 1, Capacity: m.Capacity})
	}
	stable := uint64(0)
	if len(nodes) > 0 {
		stable = 1
		d.activate(nodes)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var speaking sync.WaitGroup
	speaking.Go(func() { d.speak(ctx) })
	t.Cleanup(func() { cancel(); speaking.Wait() })
	d.sees("the nodes", func(v *cluster.View) bool {
		return len(v.Members) == len(names) && len(v.Weights) == len(names) && v.Pointer.Stable == stable
	})
	return d
}

// activate puts version 1 in force.
func (d *desk) activate(nodes []ring.Node) {
	d.t.Helper()
	r, err := ring.Build(1, nodes, ring.Options{})
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.c.Versions().Put(limit(d.t), r); err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.c.Versions().Activate(limit(d.t), 0, 1, cluster.Told{By: "n1", Why: "first", At: time.Now()}); err != nil {
		d.t.Fatal(err)
	}
}

func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// join registers a node.
func (d *desk) join(name string) cluster.Member {
	d.t.Helper()
	id, zone, _ := strings.Cut(name, "@")
	m := cluster.Member{ID: id, Zone: zone, Addr: "ws://" + id + ":8080", API: "http://" + id + ":8081", Capacity: 10_000}
	r, err := d.c.Register(m, cluster.RegisterOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(r.Close)
	if err := r.Wait(limit(d.t)); err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nodes[id] = &deskNode{weight: m.Capacity, devices: 3000}
	return m
}

// set changes what a node says.
func (d *desk) set(id string, f func(*deskNode)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d.nodes[id])
}

// speak publishes the weights of all nodes, again and again.
func (d *desk) speak(ctx context.Context) {
	said := map[string]*cluster.Publisher{}
	defer func() {
		for _, p := range said {
			p.Close()
		}
	}()
	for ctx.Err() == nil {
		d.mu.Lock()
		now := map[string]deskNode{}
		for id, n := range d.nodes {
			now[id] = *n
		}
		d.mu.Unlock()
		for id, n := range now {
			if said[id] == nil {
				said[id] = d.c.Publisher(id)
			}
			in := cluster.Inputs{Connections: &n.devices, Accept: 100, Ring: n.held, Drain: n.drain}
			b, err := in.Encode()
			if err != nil {
				d.t.Error(err)
				return
			}
			// Anew four times a second: nodes do so every ten seconds.
			mark := fmt.Sprint(string(b), time.Now().UnixMilli()/250)
			if err := said[id].Publish(ctx, cluster.Weight{Value: n.weight, Inputs: b, Mark: mark}); err != nil && ctx.Err() == nil {
				d.t.Error(err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// sees waits for a view.
func (d *desk) sees(what string, ok func(*cluster.View) bool) *cluster.View {
	d.t.Helper()
	v, err := d.w.Wait(limit(d.t), ok)
	if err != nil {
		d.t.Fatalf("%s: %v; the view is %+v", what, err, d.w.View())
	}
	return v
}

// pointer reads it from etcd.
func (d *desk) pointer() cluster.Pointer {
	d.t.Helper()
	p, err := d.c.Versions().Pointer(limit(d.t))
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// call runs a command about the desk, and returns what it writes, what it says on
// standard error, and its exit code.
func (d *desk) call(line string) (out, errout string, code int) {
	d.t.Helper()
	var b, e bytes.Buffer
	err := run(limit(d.t), append(strings.Fields(line), "--etcd", d.etcd.Addr()), nil, &b, &e)
	code = exitCode(err, &e)
	return b.String(), e.String(), code
}

// want is call, which must end with a code and say something.
func (d *desk) want(code int, line string, says ...string) string {
	d.t.Helper()
	out, errout, got := d.call(line)
	for _, s := range says {
		if !strings.Contains(out+errout, s) {
			d.t.Errorf("%s does not say %q:\n%s%s", line, s, out, errout)
		}
	}
	if got != code {
		d.t.Errorf("%s: code %d, want %d\n%s%s", line, got, code, out, errout)
	}
	return out
}
