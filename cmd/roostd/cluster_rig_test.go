package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"roost/server/client"
	"roost/server/cluster"
	"roost/server/testetcd"
	"roost/server/testredis"
	"roost/server/wire"
)

// bound is how long a state of processes may take to come about.
const bound = 60 * time.Second

// deskID is the cluster of these tests.
var deskID = cluster.Identity{ID: "desk", Environment: "test"}

// desk is a cluster of processes.
type desk struct {
	t       testing.TB
	etcd    *testetcd.Server
	redis   *testredis.Server
	watcher *cluster.Watcher
	http    *http.Client
}

func newDesk(t testing.TB) *desk {
	d := &desk{t: t, etcd: testetcd.Start(t), redis: testredis.Start(t), http: &http.Client{Timeout: bound / 2, Transport: &http.Transport{DisableKeepAlives: true}}}
	c, err := cluster.Dial(cluster.Options{Endpoints: d.etcd.Endpoints(), Cluster: deskID, Timeout: bound / 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if d.watcher, err = c.Watch(cluster.WatchOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.watcher.Close)
	return d
}

// args are what makes a node one of the desk.
func (d *desk) args(id string) []string {
	return []string{"--node", id, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--auth", "none", "--loops", "1", "--max-connections", "1000", "--drain", "100ms",
		"--etcd", d.etcd.Addr(), "--redis", "redis://" + d.redis.Addr(), "--cluster", deskID.ID, "--environment", deskID.Environment, "--zone", "z-" + id}
}

// sees waits for a view of the cluster.
func (d *desk) sees(what string, ok func(*cluster.View) bool) *cluster.View {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	v, err := d.watcher.Wait(ctx, ok)
	if err != nil {
		d.t.Fatalf("%s: %v; the view is %+v", what, err, d.watcher.View())
	}
	return v
}

// agree waits until the view names a ring that is not the former one, and all nodes say that
// they hold it. It returns its hash.
func (d *desk) agree(former cluster.Hash, ids ...string) cluster.Hash {
	d.t.Helper()
	v := d.sees(fmt.Sprint("one ring at ", ids), func(v *cluster.View) bool {
		for _, id := range ids {
			w, said := v.Weights[id]
			in, err := w.Said()
			if !said || err != nil || in.Ring == nil || !in.Ring.Agrees(&v.Pointer) {
				return false
			}
		}
		return v.Pointer.Stable != 0 && v.Pointer.StableHash != former && len(v.Members) == len(ids)
	})
	return v.Pointer.StableHash
}

// proc is a roostd in a process of its own: this test binary, see TestMain.
type proc struct {
	t           testing.TB
	cmd         *exec.Cmd
	out         *bufio.Reader
	listen, api string
	ended       chan error

	mu  sync.Mutex
	log strings.Builder
}

// Write takes the log.
func (p *proc) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *proc) says() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// begin starts a process; ready is another matter.
func begin(t testing.TB, args ...string) *proc {
	t.Helper()
	p := &proc{t: t, cmd: exec.Command(os.Args[0], args...), ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), asRoostd+"=1")
	p.cmd.Stderr = p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r, w := io.Pipe()
	p.cmd.Stdout, p.out = w, bufio.NewReader(r)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		err := p.cmd.Wait()
		w.Close()
		p.ended <- err
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		r.Close() // what nobody reads keeps it from ending
		for range p.ended {
		}
		if t.Failed() {
			t.Logf("%v says:\n%s", args, p.says())
		}
	})
	return p
}

// launch starts a process and waits until it is ready.
func launch(t testing.TB, args ...string) *proc {
	t.Helper()
	p := begin(t, args...)
	line, err := p.out.ReadString('\n')
	if _, e := fmt.Sscanf(line, "ready listen=%s api=%s\n", &p.listen, &p.api); err != nil || e != nil {
		t.Fatalf("the node does not start: %q, %v; it says:\n%s", line, err, p.says())
	}
	go func() { _, _ = io.Copy(io.Discard, p.out) }()
	return p
}

// kill is kill -9.
func (p *proc) kill() {
	p.t.Helper()
	_ = p.cmd.Process.Kill()
	p.wait()
}

// wait waits for the end.
func (p *proc) wait() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(bound):
		p.t.Fatalf("it does not end; it says:\n%s", p.says())
		return nil
	}
}

// term is SIGTERM.
func (p *proc) term() error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.wait()
}

// get reads JSON of the API.
func (d *desk) get(p *proc, path string, into any) int {
	d.t.Helper()
	resp, err := d.http.Get("http://" + p.api + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(b, into); err != nil {
			d.t.Fatalf("%s: %s: %v", path, b, err)
		}
	}
	return resp.StatusCode
}

// visitor is one device of a cluster, and where it is.
type visitor struct {
	mu    sync.Mutex
	node  string
	ended chan error
	stop  context.CancelFunc
}

// connectDevice connects a device to a node; it ends with the test.
func connectDevice(t testing.TB, p *proc, id string) *visitor {
	t.Helper()
	d := &visitor{ended: make(chan error, 1)}
	c, err := client.New(client.Options{URL: "ws://" + p.listen, Device: id, Protocol: wire.JSON,
		OnState: func(s client.State) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.node = ""; s.Phase == client.Connected {
				d.node = s.Node
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	go func() { d.ended <- c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-d.ended })
	return d
}

func (d *visitor) at() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.node
}
