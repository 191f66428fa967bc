package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/inbox/redisinbox"
	"roost/server/presence"
	"roost/server/testredis"
)

// fleet is a cluster in one process: nodes with one real Redis, a bus in memory, and rings and
// members as the test says.
type fleet struct {
	t     testing.TB
	redis *testredis.Server
	hub   fanout.Hub
	bus   func(fanout.Options) (fanout.Bus, error) // that of the hub, unless it is set before nodes are
	tells bool                                     // stores tell other nodes themselves; needs a bus on redis
	now   atomic.Pointer[cluster.Active]
	view  atomic.Pointer[cluster.View]

	mu      sync.Mutex // covers the following
	changed []chan struct{}
	nodes   map[string]*Server
	stores  map[string]*cuttable
}

func newFleet(t testing.TB) *fleet {
	f := &fleet{t: t, redis: testredis.Start(t), nodes: map[string]*Server{}, stores: map[string]*cuttable{}}
	f.now.Store(&cluster.Active{Routes: ring.NewRoutes(nil, nil, 0)})
	f.bus = func(o fanout.Options) (fanout.Bus, error) { return f.hub.Bus(o) }
	f.view.Store(&cluster.View{Revision: 1, Members: map[string]cluster.Member{}, Weights: map[string]cluster.Weight{}})
	return f
}

// Load and View implement mesh.Rings and mesh.Members.
func (f *fleet) Load() *cluster.Active { return f.now.Load() }
func (f *fleet) View() *cluster.View   { return f.view.Load() }

// cuttable is presence in Redis that one node can be cut off from.
type cuttable struct {
	presence.Store
	cut atomic.Bool
}

var errTestCut = errors.New("cut by the test")

func (c *cuttable) Beat(ctx context.Context, o presence.Owner, ttl time.Duration, revive bool) (bool, error) {
	if c.cut.Load() {
		return false, errTestCut
	}
	return c.Store.Beat(ctx, o, ttl, revive)
}

// node starts a node and makes it a member.
func (f *fleet) node(id string, change ...func(*Options)) *Server {
	f.t.Helper()
	kept, err := presence.NewRedis(presence.RedisOptions{URL: "redis://" + f.redis.Addr(), Deadline: 500 * time.Millisecond})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { kept.Close() })
	store := &cuttable{Store: kept}
	changed := make(chan struct{}, 1)
	began := time.Now().UnixMilli()
	self := presence.Owner{Node: id, Incarnation: uint64(began)}
	c := &Cluster{Start: began, Rings: f, Members: f, Changed: changed,
		Bus: f.bus,
		Presence: presence.Options{Self: self, Store: store, BeatEvery: 100 * time.Millisecond, BeatTTL: time.Second, ClaimWithin: 500 * time.Millisecond,
			RefreshEvery: time.Second, FlushEvery: 20 * time.Millisecond, Deadline: 500 * time.Millisecond},
		Store: func(h StoreHooks) (RemoteStore, error) {
			var notify *redisinbox.Notify
			if f.tells {
				notify = &redisinbox.Notify{Lua: fanout.StoredLua, Channels: fanout.NodeChannels("roost"), Append: Notices(id)}
			}
			return redisinbox.New(redisinbox.Options{Notify: notify, Addrs: []string{f.redis.Addr()}, Deadline: 500 * time.Millisecond, Moved: h.Moved, End: h.End, Latest: h.Latest,
				Presence: &redisinbox.Presence{Lua: presence.LuaFunctions, Key: presence.Key, Owner: self.String(), Index: presence.IndexKey(self), Likely: redisinbox.Likely(LikelyOutcomes())}})
		}}
	s := start(f.t, func(o *Options) {
		o.Node, o.Cluster, o.timing = id, c, defaultTiming
		o.timing.tick = 50 * time.Millisecond
		for _, f := range change {
			f(o)
		}
	})
	f.mu.Lock()
	f.changed, f.nodes[id], f.stores[id] = append(f.changed, changed), s, store
	f.mu.Unlock()
	f.member(id, "ws://"+s.Addr().String())
	return s
}

// up waits until nodes reach Redis.
func (f *fleet) up(nodes ...*Server) {
	f.t.Helper()
	for _, s := range nodes {
		eventually(f.t, s.opt.Node+" reaches Redis", func() bool { return s.Reaches() && s.cluster.store.Reached() == nil })
	}
}

// change makes another view.
func (f *fleet) change(do func(v *cluster.View)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := *f.view.Load()
	v.Revision++
	v.Members, v.Weights = maps.Clone(v.Members), maps.Clone(v.Weights)
	do(&v)
	f.view.Store(&v)
}

func (f *fleet) member(id, addr string) {
	f.change(func(v *cluster.View) { v.Members[id] = cluster.Member{ID: id, Addr: addr} })
}

// weighs publishes a weight, and whether the node reaches Redis.
func (f *fleet) weighs(id string, weight float64, redis bool) {
	in := cluster.Inputs{Redis: &redis}
	b, err := in.Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	f.change(func(v *cluster.View) { v.Weights[id] = cluster.Weight{Value: weight, Inputs: b} })
}

// ring puts a ring of these nodes, all alike, in force.
func (f *fleet) ring(version uint64, ids ...string) {
	f.t.Helper()
	var nodes []ring.Node
	for _, id := range ids {
		nodes = append(nodes, ring.Node{ID: id, Weight: 1})
	}
	r, err := ring.Build(version, nodes, ring.Options{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.now.Store(&cluster.Active{Routes: ring.NewRoutes(r, nil, 0), At: time.Now(),
		Pointer: cluster.Pointer{Stable: version, StableHash: cluster.Hash(version << 32), Activation: int64(version)}})
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.changed {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// owned returns n devices that a node owns.
func (f *fleet) owned(id string, n int) (devices []string) {
	for i := 0; len(devices) < n; i++ {
		device := fmt.Sprintf("d%d", i)
		if r, at := f.Load().Routes.Lookup(device); r.Node(at).ID == id {
			devices = append(devices, device)
		}
	}
	return devices
}

// held returns the node that has a device, by what is stored; "" for nobody.
func (f *fleet) held(device string) string {
	fields, err := f.redis.Do("HMGET", presence.Key(device), "x", "o")
	list, _ := fields.([]any)
	if err != nil || len(list) != 2 || fmt.Sprint(list[0]) != "1" {
		return ""
	}
	node, _, _ := strings.Cut(fmt.Sprint(list[1]), ":")
	return node
}

// complete gives options what they have to have.
func (f *fleet) complete(o *Options) {
	o.Cluster.Bus = func(o fanout.Options) (fanout.Bus, error) { return f.hub.Bus(o) }
	o.Cluster.Store = func(StoreHooks) (RemoteStore, error) {
		return nil, errTestCut
	}
}

// maskedText is a text message of a client.
func maskedText(msg string) string {
	return string(gobwas.MustCompileFrame(gobwas.MaskFrame(gobwas.NewTextFrame([]byte(msg)))))
}

// awaits reads messages until one is of that type.
func (p *peer) awaits(kind string) map[string]any {
	p.t.Helper()
	for {
		var m map[string]any
		if err := json.Unmarshal(p.read(), &m); err != nil {
			p.t.Fatal(err)
		}
		if m["t"] == kind {
			return m
		}
	}
}

// silent fails if a message of that type comes before the answer to a heartbeat.
func (p *peer) silent(kind string) map[string]any {
	p.t.Helper()
	p.send(`{"t":"hb"}`)
	for {
		var m map[string]any
		if err := json.Unmarshal(p.read(), &m); err != nil {
			p.t.Fatal(err)
		}
		if m["t"] == kind {
			p.t.Fatalf("got %v", m)
		}
		if m["t"] == "hb" {
			return m
		}
	}
}

// closeCode reads up to the close frame.
func (p *peer) closeCode() int {
	p.t.Helper()
	for {
		if f := p.frame(); f.Header.OpCode == gobwas.OpClose {
			code, _ := gobwas.ParseCloseFrameData(f.Payload)
			return int(code)
		}
	}
}

// status asks a device listener and returns the status of the answer, and its body.
func status(t testing.TB, s *Server, target string) (code, body string) {
	t.Helper()
	answer := exchange(t, s, "GET "+target+" HTTP/1.1\r\nHost: x\r\n\r\n")
	_, body, _ = strings.Cut(answer, "\r\n\r\n")
	if len(answer) < 12 {
		t.Fatalf("got %q", answer)
	}
	return answer[9:12], body
}
