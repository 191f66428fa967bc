package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait of a test.
const patience = 20 * time.Second

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// start starts a cluster whose roostd is this test binary.
func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	o.Roostd, o.Logs, o.Env = os.Args[0], t.TempDir(), []string{"ROOST_RIG_FAKE=1"}
	return New(t, o)
}

// TestNodes: two nodes are started, stopped where they are, killed and started
// again at the same place, and end in order.
func TestNodes(t *testing.T) {
	c := start(t, Options{})
	a, b := c.Add(), c.Add()
	c.Start()
	if a.ID != "n1" || b.ID != "n2" || a.Zone == b.Zone || len(c.Living()) != 2 || c.Node("n2") != b || c.Node("n3") != nil {
		t.Fatalf("%+v, %+v", a, b)
	}
	if want := "n1 uses etcd " + c.Etcd.Addr() + " and Redis redis://" + c.Redis.Addr(); !strings.Contains(a.Said(), want) {
		t.Errorf("n1 said %q, want %q", a.Said(), want)
	}
	if l, err := a.Level(); err != nil || l.Goroutines != 12 || l.Descriptors < 3 || l.Devices != 7 {
		t.Errorf("level %+v, %v", l, err)
	}
	if r, err := c.Agreed(c.Nodes); err != nil || r != "2:0123456789abcdef" {
		t.Errorf("agreed on %q, %v", r, err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "other-ring"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Agreed(c.Nodes); err == nil || !strings.Contains(err.Error(), "fedcba9876543210") {
		t.Errorf("two that differ: %v", err)
	}
	if d, err := b.Device("d1"); err != nil || d.Where() != "n2" {
		t.Errorf("d1: %+v, %v", d, err)
	}
	if d, err := b.Device("d2"); err != nil || d.Where() != "" {
		t.Errorf("d2, which is not known: %+v, %v", d, err)
	}
	b.Pause()
	await(t, "a stopped node is silent", func() bool { return !b.Ready() })
	b.Resume()
	await(t, "and goes on", b.Ready)
	b.Kill()
	if b.Alive() || b.Ready() || len(c.Living()) != 1 || b.Exit() != "signal: killed" {
		t.Errorf("a killed node lives: %s", b.Exit())
	}
	c.Start()
	if !strings.Contains(b.Said(), "--- start 2 of n2") {
		t.Errorf("n2 said %q", b.Said())
	}
	b.Stop()
	if b.Exit() != "signal: terminated" {
		t.Errorf("it ended: %s", b.Exit())
	}
	refused := c.Add("--fail", "not yours")
	refused.Start()
	if refused.Exit() != "exit status 3" || !strings.Contains(refused.Said(), "refused: not yours") {
		t.Errorf("%s: %s", refused.Exit(), refused.Said())
	}
}

// TestLinks: a way that is cut is silent and delivers late what was said, one that is
// refused is closed, and both are mended.
func TestLinks(t *testing.T) {
	c := start(t, Options{Links: true})
	n := c.Add()
	if n.ToEtcd.Addr() == c.Etcd.Addr() || n.ToRedis.Addr() == c.Redis.Addr() {
		t.Fatal("there are no links")
	}
	r := dialRedis(t, n.ToRedis.Addr())
	if got := r.ask("PING"); got != "+PONG" {
		t.Fatalf("PING: %q", got)
	}
	n.ToRedis.Cut()
	r.say("SET k 1")
	if c.Redis.Text("GET", "k") != "" {
		t.Error("a cut way lets things pass")
	}
	second := dialRedis(t, n.ToRedis.Addr()) // is taken, and hears nothing
	second.say("SET l 1")
	gone := dialRedis(t, n.ToRedis.Addr()) // gives up before it is mended
	gone.say("SET m 1")
	gone.c.Close()
	n.ToRedis.Mend()
	await(t, "what was said by one that is gone arrives", func() bool { return c.Redis.Text("GET", "m") == "1" })
	if got := r.hear(); got != "+OK" || c.Redis.Text("GET", "k") != "1" {
		t.Errorf("after mending: %q, k is %q", got, c.Redis.Text("GET", "k"))
	}
	if got := second.hear(); got != "+OK" {
		t.Errorf("a connection that was made meanwhile: %q", got)
	}
	n.ToRedis.Refuse()
	if _, err := r.c.Read(make([]byte, 1)); err == nil {
		t.Error("a refused way is open")
	}
	n.ToRedis.Mend()
	if got := dialRedis(t, n.ToRedis.Addr()).ask("GET k"); got != "$1" {
		t.Errorf("after mending: %q", got)
	}
	n.ToRedis.Cut()
	n.ToRedis.Refuse() // of one that is cut
	n.ToRedis.Mend()
	if got := dialRedis(t, n.ToRedis.Addr()).ask("PING"); got != "+PONG" {
		t.Errorf("after mending both: %q", got)
	}
}

// TestEtcd: what a rig asks of etcd over its gateway.
func TestEtcd(t *testing.T) {
	c := start(t, Options{})
	if p, err := c.Pointer(); err != nil || p != (Pointer{}) {
		t.Errorf("no pointer: %+v, %v", p, err)
	}
	if err := c.Noise(10); err != nil {
		t.Fatal(err)
	}
	keys, revision, err := c.Keys("/config/")
	if err != nil || len(keys) != 1 || string(keys[0].Value) != "9" || revision < 10 {
		t.Fatalf("%+v at %d, %v", keys, revision, err)
	}
	if err := c.Compact(); err != nil {
		t.Fatal(err)
	}
	if err := c.etcd("kv/range", map[string]any{"key": []byte("x"), "revision": 2}, &struct{}{}); err == nil || !strings.Contains(err.Error(), "compacted") {
		t.Errorf("a revision of before: %v", err)
	}
	var lease struct{ ID string }
	if err := c.etcd("lease/grant", map[string]int{"TTL": 100}, &lease); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"/nodes/n1": "{}", "/weights/n1": `{"inputs":{"accept_per_s":750}}`, "/nodes/n10": "{}"} {
		put := map[string]any{"key": []byte(Prefix + key), "value": []byte(value)}
		if key != "/nodes/n10" {
			put["lease"] = lease.ID
		}
		if err := c.etcd("kv/put", put, &struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := c.Budgets(); err != nil || len(b) != 1 || b["n1"] != 750 {
		t.Errorf("budgets %v, %v", b, err)
	}
	if n, err := c.Expire("n1"); err != nil || n != 1 {
		t.Errorf("%d leases, %v", n, err)
	}
	if keys, _, err := c.Keys("/nodes/"); err != nil || len(keys) != 1 || string(keys[0].Key) != Prefix+"/nodes/n10" {
		t.Errorf("%+v, %v", keys, err)
	}
}

func TestMetrics(t *testing.T) {
	m, err := parseMetrics(strings.NewReader("# HELP a b\n\na 1\nb{x=\"1\"} 2\nb{x=\"}\"} 3 1700000000\nc 1e3\n"))
	if err != nil || m["a"] != 1 || m["b"] != 5 || m[`b{x="}"}`] != 3 || m["c"] != 1000 {
		t.Errorf("%v, %v", m, err)
	}
	for _, bad := range []string{"a\n", "a x\n", "b{x=\"1\"}\n"} {
		if m, err := parseMetrics(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: %v", bad, m)
		}
	}
}
