package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/testetcd"
	"roost/server/testredis"
)

// TestThreeNodes: three processes start, see each other and agree on one ring, which is in
// Redis too; one is killed, and the ring follows; one is ended, and leaves at once; and all say
// the same about where a device belongs.
func TestThreeNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
	d := newDesk(t)
	launch(t, d.args("n1")...)
	d.sees("n1 says that it reaches Redis", func(v *cluster.View) bool { return reaches(v, "n1") })
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
		"a Redis that the others do not use":    {[]string{"--redis", "redis://" + fresh()}, "n1 are registered in etcd and say that they reach their Redis"},
		"an etcd that the others do not use":    {[]string{"--etcd", testetcd.Start(t).Addr()}, "n1 are alive in it and not registered in etcd"},
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

// TestEndOfANode: at the signal a node's devices move to the others, which have the ring
// without it before it goes; a second signal cuts what is left short.
func TestEndOfANode(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	t.Parallel()
	d := newDesk(t)
	a, b := launch(t, d.args("n1")...), launch(t, append(d.args("n2"), "--drain", "5m")...)
	d.agree(0, "n1", "n2")
	one := connectDevice(t, a, "d1")
	testredis.Await(t, "d1 is connected", func() bool { return one.at() != "" })
	if err := a.term(); err != nil {
		t.Errorf("n1 ends with %v", err)
	}
	testredis.Await(t, "d1 is at n2", func() bool { return one.at() == "n2" })

	// n2 has nobody to send d1 to, and five minutes.
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	testredis.Await(t, "n2 drains", func() bool { return strings.Contains(b.says(), "msg=draining") })
	if err := b.term(); err != nil {
		t.Errorf("n2 ends with %v", err)
	}
	d.sees("nobody", func(v *cluster.View) bool { return len(v.Members) == 0 && len(v.Weights) == 0 })
}
