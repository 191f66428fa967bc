package cluster

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/server/testetcd"
)

// TestOneClusterAPrefix: of two clusters on one prefix the second is refused, in
// all that it tries, and also if it finds out late.
func TestOneClusterAPrefix(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	again := dial(t, s)
	if err := again.Identify(limit(t)); err != nil {
		t.Errorf("the same cluster again: %v", err)
	}
	for name, id := range map[string]Identity{"id": {"other", desk.Environment}, "environment": {desk.ID, "production"}} {
		other := dial(t, s, func(o *Options) { o.Cluster = id })
		if err := other.Identify(limit(t)); !errors.Is(err, ErrOtherCluster) || !strings.Contains(err.Error(), `"desk"`) {
			t.Errorf("another %s: %v", name, err)
		}
		refusesAll(t, other)
	}
	identified(t, s, func(o *Options) { o.Cluster.ID, o.Prefix = "other", "/other" })

	// Somebody takes the prefix from under a cluster that runs: it freezes.
	w := watching(t, c, fast)
	joined(t, c, member("n1"), RegisterOptions{TTL: time.Second})
	sees(t, w, "n1", func(v *View) bool { return v.Has("n1") })
	put(t, c, c.keys.cluster(), Identity{"other", "test"}.encode())
	put(t, c, c.keys.node("n2"), `{"id":"n2","addr":"x"}`)
	v := sees(t, w, "a view of the past", func(v *View) bool { return !v.Stale.IsZero() })
	if v.Has("n2") || v.Members["n1"].ID == "" {
		t.Errorf("the view has taken in another cluster: %+v", v.Members)
	}
	refusesAll(t, c)
	put(t, c, c.keys.cluster(), c.mark)
	sees(t, w, "a view of now", func(v *View) bool { return v.Stale.IsZero() && v.Has("n2") })
}

// refusesAll tries what writes, as a cluster that has no right to.
func refusesAll(t *testing.T, c *Client) {
	t.Helper()
	r, err := c.Register(member("x"), RegisterOptions{TTL: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Wait(limit(t)); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("Register: %v", err)
	}
	if err := c.Publisher("x").Publish(limit(t), Weight{Value: 1}); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("Publish: %v", err)
	}
	v := c.Versions()
	if _, err := v.Put(limit(t), built(t, 99, "a")); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("Put: %v", err)
	}
	p, err := v.Pointer(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Rollback(limit(t), p.Activation, tell); err == nil {
		t.Error("Rollback was done")
	}
}

// put puts a key, whatever the rules.
func put(t testing.TB, c *Client, key, value string, o ...clientv3.OpOption) int64 {
	t.Helper()
	resp, err := c.etcd.Put(limit(t), key, value, o...)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.GetRevision()
}

// TestRegister: a node is there once it has registered, and gone as soon as it is
// closed; each start is another incarnation, larger than the last.
func TestRegister(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	last := int64(0)
	for range 3 {
		r := joined(t, c, member("n1"), RegisterOptions{})
		v := sees(t, w, "n1", func(v *View) bool { return v.Has("n1") })
		m := v.Members["n1"]
		if m.Incarnation <= last || m.Incarnation != r.Status().Incarnation || m.Created != m.Incarnation {
			t.Errorf("incarnation %d after %d; the node says %d", m.Incarnation, last, r.Status().Incarnation)
		}
		last = m.Incarnation
		if m.Token = ""; m.Addr != member("n1").Addr || m.Zone != "a" || m.Capacity != 10_000 || m.Build != "test" {
			t.Errorf("%+v", m)
		}
		r.Close()
		if r.Status().State != Left {
			t.Errorf("after Close it is %v", r.Status().State)
		}
		sees(t, w, "nobody", func(v *View) bool { return len(v.Members) == 0 })
	}
	for _, bad := range []RegisterOptions{{TTL: 500 * time.Millisecond}, {TTL: -1}, {TTL: 1500 * time.Millisecond}} {
		if _, err := c.Register(member("n1"), bad); !errors.Is(err, ErrOptions) {
			t.Errorf("TTL %v: %v", bad.TTL, err)
		}
	}
	if _, err := c.Register(Member{}, RegisterOptions{}); !errors.Is(err, ErrMember) {
		t.Errorf("a member without id: %v", err)
	}
}

// TestTaken: an id that a living process has is refused with words; one of a dead
// process is free after its TTL, and at once for who brings its token.
func TestTaken(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	alive, second := identified(t, s), dial(t, s)
	joined(t, alive, member("n1"), RegisterOptions{TTL: time.Second})
	r, err := second.Register(member("n1"), RegisterOptions{TTL: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Wait(limit(t)); !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), member("n1").Addr) {
		t.Errorf("an id that is taken: %v", err)
	}

	// A process that died: its key is on a lease that nobody keeps.
	dead := func(id string, ttl int64, token string) {
		grant, err := alive.etcd.Grant(limit(t), ttl)
		if err != nil {
			t.Fatal(err)
		}
		m := member(id)
		m.Token = token
		text, _ := m.encode()
		put(t, alive, alive.keys.node(id), text, clientv3.WithLease(grant.ID))
	}
	dead("n2", 1, "theirs")
	joined(t, second, member("n2"), RegisterOptions{TTL: time.Second})
	dead("n3", 3600, "ours")
	joined(t, second, member("n3"), RegisterOptions{Token: "ours"})
}

// TestLostLease: a node whose lease is gone registers again as the same
// incarnation, with a new key.
func TestLostLease(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	var mu sync.Mutex
	var states []RegState
	r := joined(t, c, member("n1"), RegisterOptions{TTL: time.Second, OnState: func(s RegStatus) {
		mu.Lock()
		defer mu.Unlock()
		states = append(states, s.State)
	}})
	first := sees(t, w, "n1", func(v *View) bool { return v.Has("n1") }).Members["n1"]
	for name, spoil := range map[string]func(){
		"lease revoked": func() {
			resp, err := c.etcd.Get(limit(t), c.keys.node("n1"))
			if err != nil || len(resp.Kvs) == 0 {
				t.Fatal(err)
			}
			if _, err := c.etcd.Revoke(limit(t), clientv3.LeaseID(resp.Kvs[0].Lease)); err != nil {
				t.Fatal(err)
			}
		},
		"key deleted": func() {
			if _, err := c.etcd.Delete(limit(t), c.keys.node("n1")); err != nil {
				t.Fatal(err)
			}
		},
		"key overwritten by a former life": func() {
			m := member("n1")
			m.Token = r.o.Token
			text, _ := m.encode()
			put(t, c, c.keys.node("n1"), text)
		},
	} {
		before := r.Status().Times
		spoil()
		r.Nudge()
		eventually(t, name+": it registers again", func() bool { s := r.Status(); return s.Times > before && s.State == Registered })
		v := sees(t, w, name, func(v *View) bool { return v.Has("n1") && v.Members["n1"].Created > first.Created })
		if m := v.Members["n1"]; m.Incarnation != first.Incarnation {
			t.Errorf("%s: incarnation %d, was %d", name, m.Incarnation, first.Incarnation)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(states) < 3 || states[0] != Registered || states[1] != Registering {
		t.Errorf("states told: %v", states)
	}
}

// TestRegisterThroughRestarts: a registration outlives an etcd that is started
// again, one that hangs, and one that has lost everything.
func TestRegisterThroughRestarts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for leases for seconds: runs without -short")
	}
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	r := joined(t, c, member("n1"), RegisterOptions{TTL: 3 * time.Second})
	incarnation := r.Status().Incarnation
	back := func(what string) {
		t.Helper()
		sees(t, w, what, func(v *View) bool {
			return v.Stale.IsZero() && v.Has("n1") && v.Members["n1"].Incarnation == incarnation
		})
		eventually(t, what+": registered", func() bool { return r.Status().State == Registered })
	}
	back("start")
	s.Kill()
	eventually(t, "unheard", func() bool { return r.Status().State == Unheard })
	if v := w.View(); v.Members["n1"].ID == "" {
		t.Error("the view has lost the node because etcd is away")
	}
	s.Restart()
	back("restart")
	s.Pause()
	eventually(t, "unheard", func() bool { return r.Status().State == Unheard })
	s.Resume()
	back("resume")
	s.Wipe()
	back("wipe")
}

// TestRegisterBeforeEtcd: a node that starts while etcd is down is registered when
// etcd comes, and can be closed before.
func TestRegisterBeforeEtcd(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	s.Kill()
	c := dial(t, s, func(o *Options) { o.Timeout = 300 * time.Millisecond })
	if err := c.Ping(limit(t)); err == nil {
		t.Error("Ping of an etcd that is not there")
	}
	early, err := c.Register(member("n0"), RegisterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := early.Wait(short); err == nil {
		t.Error("registered without etcd")
	}
	early.Close()
	r, err := c.Register(member("n1"), RegisterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s.Restart()
	if err := r.Wait(limit(t)); err != nil {
		t.Error(err)
	}
}

// TestPublish: a weight is there while it is published, changes when it does, and
// expires when its loop has stopped, while the node stays.
func TestPublish(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	joined(t, c, member("n1"), RegisterOptions{TTL: time.Second})
	p := c.Publisher("n1")
	publish := func(weight Weight) Weight {
		t.Helper()
		if err := p.Publish(limit(t), weight); err != nil {
			t.Fatal(err)
		}
		return sees(t, w, "the weight", func(v *View) bool { got, ok := v.Weights["n1"]; return ok && got.Value == weight.Value }).Weights["n1"]
	}
	first := publish(Weight{Value: 5000, Inputs: []byte(`{"cpu":0.5}`)})
	if string(first.Inputs) != `{"cpu":0.5}` || first.At.IsZero() {
		t.Errorf("%+v", first)
	}
	if same := publish(Weight{Value: 5000}); same.Revision != first.Revision {
		t.Error("the same weight was put again")
	}
	trial := Weight{Value: 5000, Trial: &Counts{Trial: 3}}
	if err := p.Publish(limit(t), trial); err != nil {
		t.Fatal(err)
	}
	sees(t, w, "the trial", func(v *View) bool { return v.Weights["n1"].Trial != nil })
	publish(Weight{Value: 4000})
	// The lease of a node that slept is gone; the next one that is published counts.
	if _, err := c.etcd.Revoke(limit(t), p.lease); err != nil {
		t.Fatal(err)
	}
	sees(t, w, "no weight", func(v *View) bool { return len(v.Weights) == 0 })
	publish(Weight{Value: 4000})
	if !testing.Short() {
		v := sees(t, w, "the weight expires", func(v *View) bool { return len(v.Weights) == 0 })
		if !v.Has("n1") {
			t.Error("the node went with its weight")
		}
		publish(Weight{Value: 3000})
	}
	p.Close()
	sees(t, w, "no weight", func(v *View) bool { return len(v.Weights) == 0 })
	if err := p.Publish(limit(t), Weight{Value: -1}); !errors.Is(err, ErrMember) {
		t.Errorf("a weight of -1: %v", err)
	}
	if err := p.Publish(limit(t), Weight{Inputs: []byte("{")}); !errors.Is(err, ErrMember) {
		t.Errorf("inputs that are no JSON: %v", err)
	}
	p.Close()
}
