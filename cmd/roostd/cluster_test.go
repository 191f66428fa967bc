package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/testetcd"
	"roost/server/testredis"
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
	d := &desk{t: t, etcd: testetcd.Start(t), redis: testredis.Start(t), http: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	c, err := cluster.Dial(cluster.Options{Endpoints: d.etcd.Endpoints(), Cluster: deskID, Timeout: 2 * time.Second})
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

// TestThreeNodes: three processes start, see each other and agree on one ring, which is in
// Redis too; one is killed, and the ring follows; one is ended, and leaves at once; and all say
// the same about where a device belongs.
func TestThreeNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	d := newDesk(t)
	nodes := map[string]*proc{}
	for _, id := range []string{"n1", "n2", "n3"} {
		nodes[id] = launch(t, d.args(id)...)
	}
	hash := d.agree(0, "n1", "n2", "n3")
	v := d.watcher.View()
	for id, p := range nodes {
		m := v.Members[id]
		if m.Addr != "ws://"+p.listen || m.API != "http://"+p.api || m.Zone != "z-"+id || m.Start == 0 || m.Capacity != 1000 {
			t.Errorf("%s says %+v", id, m)
		}
	}
	d.sameRoute(nodes)
	testredis.Await(t, "the ring in Redis", func() bool {
		return strings.Contains(d.redis.Text("GET", "roost:ring:active"), v.Pointer.StableHash.String())
	})
	if ttl := d.redis.Text("TTL", fmt.Sprint("roost:ring:", v.Pointer.Stable)); ttl != "-1" {
		t.Errorf("the ring in force expires in %s s", ttl)
	}

	nodes["n2"].kill()
	delete(nodes, "n2")
	hash = d.agree(hash, "n1", "n3")
	d.sameRoute(nodes)

	began := time.Now()
	if err := nodes["n3"].term(); err != nil {
		t.Errorf("n3 ends with %v", err)
	}
	delete(nodes, "n3")
	v = d.sees("n1 alone", func(v *cluster.View) bool { return len(v.Members) == 1 && v.Weights["n3"].Value == 0 })
	if time.Since(began) > cluster.DefaultTTL {
		t.Log("leaving took as long as a lease lives")
	}
	if _, still := v.Weights["n3"]; still {
		t.Error("n3 has left its weight behind")
	}
	d.agree(hash, "n1")
}

// sameRoute asks every node where devices belong.
func (d *desk) sameRoute(nodes map[string]*proc) {
	d.t.Helper()
	for i := range 50 {
		said := map[string]string{}
		for id, p := range nodes {
			var r struct{ Node, RH string }
			if code := d.get(p, fmt.Sprint("/v1/route?device=d", i), &r); code != 200 {
				d.t.Fatalf("%s: /v1/route: %d", id, code)
			}
			said[r.Node+" by "+r.RH] += " " + id
			if nodes[r.Node] == nil {
				d.t.Errorf("%s sends d%d to %q, which is not there", id, i, r.Node)
			}
		}
		if len(said) != 1 {
			d.t.Errorf("d%d: %v", i, said)
		}
	}
}

// TestStartWithoutEtcd: a node that starts while etcd is down has the last ring from its file,
// and joins when etcd is back; another cluster's node is refused whenever it finds out.
func TestStartWithoutEtcd(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	d := newDesk(t)
	dir := filepath.Join(t.TempDir(), "n1")
	args := append(d.args("n1"), "--data-dir", dir)
	p := launch(t, args...)
	hash := d.agree(0, "n1")
	testredis.Await(t, "the ring file", func() bool { _, err := os.Stat(filepath.Join(dir, "ring.json")); return err == nil })
	p.kill()
	d.etcd.Kill()
	p = launch(t, args...)
	var r struct {
		Node, RH string
	}
	if code := d.get(p, "/v1/route?device=d1", &r); code != 200 || r.Node != "n1" || r.RH != hash.String() {
		t.Errorf("route without etcd: %d, %+v; the ring was %v", code, r, hash)
	}
	stranger := begin(t, append(d.args("x1"), "--cluster", "other", "--redis-prefix", "other")...)
	if err := stranger.wait(); err == nil || !strings.Contains(stranger.says(), `belongs to cluster "desk"`) {
		t.Errorf("another cluster's node in this Redis: %v; it says:\n%s", err, stranger.says())
	}
	d.etcd.Restart()
	d.agree(0, "n1")
	if err := p.term(); err != nil {
		t.Errorf("n1 ends with %v", err)
	}
}

// TestWrongPlaces: what is not this cluster's ends the process with what to do.
func TestWrongPlaces(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	d := newDesk(t)
	launch(t, d.args("n1")...)
	guarded := testredis.Start(t)
	guarded.Text("CONFIG", "SET", "requirepass", "right")
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	fresh := func() string { return testredis.Start(t).Addr() }
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"another cluster on the prefix of etcd": {[]string{"--cluster", "other", "--redis", "redis://" + fresh()}, "give one of them another prefix"},
		"another environment":                   {[]string{"--environment", "production", "--redis", "redis://" + fresh()}, "give one of them another prefix"},
		"another cluster's Redis":               {[]string{"--cluster", "other", "--etcd-prefix", "/other"}, `belongs to cluster "desk"`},
		"no Redis":                              {[]string{"--redis", "redis://" + web.Listener.Addr().String()}, "does not speak Redis' protocol"},
		"a wrong password":                      {[]string{"--redis", "redis://:wrong@" + guarded.Addr()}, "mend user and password"},
		"no password":                           {[]string{"--redis", "redis://" + guarded.Addr()}, "mend user and password"},
		"no Redis Cluster":                      {[]string{"--redis", "redis-cluster://" + fresh()}, "write redis://"},
	} {
		p := begin(t, append(d.args("x1"), tt.args...)...)
		if err := p.wait(); err == nil || !strings.Contains(p.says(), tt.want) {
			t.Errorf("%s: %v, want %q; it says:\n%s", name, err, tt.want, p.says())
		}
		if strings.Contains(p.says(), "wrong@") {
			t.Errorf("%s: the password is shown", name)
		}
	}
}
