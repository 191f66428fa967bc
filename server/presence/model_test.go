package presence

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// checkModel lets three nodes and five devices do anything in any order, with a store
// that goes away and loses answers, nodes that die and clocks that jump, and a model of
// who is connected beside it. What has to hold:
//
// After every step: the fence of a device never goes back, and a device that is held
// is in the index of its owner.
//
// Once everything works again and some time has passed: a device has at most one
// connection; if its latest is open, that one; presence says exactly that, on every
// node; indexes hold that and no more; dead nodes are forgotten; and if nothing was
// lost on the way, the last change that was told of a device is true.
func checkModel(t *testing.T, s *stage) {
	n := map[string]int{"memory": 300, "redis": 40, "cluster": 10}[s.name]
	if testing.Short() {
		n /= 4
	}
	times(t, n, func(rt *rapid.T) {
		s.clear()
		w := newWorld(rt, s)
		rt.Repeat(w.actions())
		w.settle()
		w.verify()
	})
}

// times checks a property n times.
func times(t *testing.T, n int, f func(*rapid.T)) {
	t.Helper()
	before := flag.Lookup("rapid.checks").Value.String()
	must(t, flag.Set("rapid.checks", fmt.Sprint(n)))
	defer flag.Set("rapid.checks", before)
	rapid.Check(t, f)
}

// world is the nodes and the devices.
type world struct {
	t      *rapid.T
	s      *stage
	f      *faulty
	leases bool
	nodes  []*worldNode
	dead   map[Owner]time.Time
	conns  []*worldConn // open
	latest map[string]int64
	fences map[string]uint32
	starts uint64
	sids   uint64
	clean  bool // nobody died, and no answer was lost
	heard  []Change
}

type worldNode struct {
	k       *Keeper
	l       *Listener
	zombies []Zombie
}

type worldConn struct {
	device string
	n      *worldNode
	fence  uint32
	at     int64
}

var worldDevices = []string{"a", "b", "c", "}", "%d{"}

func newWorld(t *rapid.T, s *stage) *world {
	w := &world{t: t, s: s, f: &faulty{Store: s.Store}, dead: map[Owner]time.Time{}, latest: map[string]int64{}, fences: map[string]uint32{}, clean: true}
	w.leases = rapid.Bool().Draw(t, "leases")
	for i := range 3 {
		w.nodes = append(w.nodes, w.start(i))
	}
	return w
}

// start starts a node anew.
func (w *world) start(i int) *worldNode {
	w.starts++
	n := &worldNode{}
	o := Options{Self: Owner{fmt.Sprint("n", i), w.starts}, Store: w.f, Clock: w.s.clock.now, RefreshEvery: 15 * time.Second, Batch: 3,
		Deadline: time.Minute, ClaimWithin: time.Minute, OnZombie: func(z Zombie) { n.zombies = append(n.zombies, z) }}
	if w.leases {
		o.Leases = func(o Owner) (Lease, time.Time) {
			if at, dead := w.dead[o]; dead {
				return LeaseGone, at
			}
			return LeaseHeld, time.Time{}
		}
	}
	k, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	n.k, n.l = k, k.Feed().Listen(0)
	return n
}

func (w *world) node() *worldNode { return rapid.SampledFrom(w.nodes).Draw(w.t, "node") }

func (w *world) actions() map[string]func(*rapid.T) {
	ctx := context.Background()
	return map[string]func(*rapid.T){
		"connect":  func(*rapid.T) { w.connect() },
		"connect2": func(*rapid.T) { w.connect() },
		"close": func(t *rapid.T) {
			if len(w.conns) == 0 {
				t.Skip("nobody is connected")
			}
			c := rapid.SampledFrom(w.conns).Draw(t, "connection")
			w.s.clock.add(time.Millisecond)
			if !c.n.k.Release(c.device, c.fence, 1000) {
				t.Fatalf("the release of %s, fence %d, on %v was taken for a late one", c.device, c.fence, c.n.k.Self())
			}
			w.drop(c)
		},
		"work":  func(*rapid.T) { _ = w.node().k.turn(ctx) },
		"work2": func(*rapid.T) { _ = w.node().k.turn(ctx) },
		"beat":  func(*rapid.T) { w.node().k.beatOnce(ctx) },
		"time": func(t *rapid.T) {
			w.s.clock.add(time.Duration(rapid.SampledFrom([]int{1, 10, 1000, 6000, 40_000}).Draw(t, "ms")) * time.Millisecond)
		},
		"second": func(*rapid.T) { w.second() },
		"store": func(t *rapid.T) {
			w.f.set(rapid.Bool().Draw(t, "down"), false)
		},
		"lossy": func(t *rapid.T) {
			w.clean = false
			w.f.set(false, true)
		},
		"die": func(t *rapid.T) {
			i := rapid.IntRange(0, 2).Draw(t, "node")
			if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
				t.Skip("not now")
			}
			w.die(i)
		},
		"": func(*rapid.T) {
			w.closeZombies()
			w.always()
		},
	}
}

// second lets all nodes work for a second.
func (w *world) second() {
	w.s.clock.add(time.Second)
	for _, n := range w.nodes {
		n.k.beatOnce(context.Background())
	}
	for _, n := range w.nodes {
		_ = n.k.turn(context.Background())
	}
	w.closeZombies()
}

func (w *world) connect() {
	n, device := w.node(), rapid.SampledFrom(worldDevices).Draw(w.t, "device")
	now := w.s.clock.add(time.Millisecond).UnixMilli()
	w.sids++
	c, err := n.k.Claim(context.Background(), device, w.sids)
	if err != nil || c.Late || c.Fence == 0 {
		w.t.Fatalf("a claim of %s on %v: %+v, %v", device, n.k.Self(), c, err)
	}
	for _, old := range slices.Clone(w.conns) {
		if old.n == n && old.device == device {
			if old.fence >= c.Fence {
				w.t.Fatalf("%s connects with fence %d after %d", device, c.Fence, old.fence)
			}
			if n.k.Release(device, old.fence, 4002) {
				w.t.Fatalf("the late release of %s, fence %d, ended fence %d", device, old.fence, c.Fence)
			}
			w.drop(old)
		}
	}
	w.conns = append(w.conns, &worldConn{device: device, n: n, fence: c.Fence, at: now})
	w.latest[device] = now
}

func (w *world) drop(c *worldConn) {
	w.conns = slices.DeleteFunc(w.conns, func(o *worldConn) bool { return o == c })
}

// die ends a node and starts it anew.
func (w *world) die(i int) {
	w.clean = false
	n := w.nodes[i]
	w.conns = slices.DeleteFunc(w.conns, func(c *worldConn) bool { return c.n == n })
	w.dead[n.k.Self()] = w.s.clock.now()
	w.s.silence(n.k.Self())
	w.nodes[i] = w.start(i)
}

// closeZombies closes what keepers want closed.
func (w *world) closeZombies() {
	for _, n := range w.nodes {
		for _, z := range n.zombies {
			i := slices.IndexFunc(w.conns, func(c *worldConn) bool { return c.n == n && c.device == z.Device && c.fence == z.Fence })
			if i < 0 {
				w.t.Fatalf("%v takes %s, fence %d, for a zombie: there is no such connection", n.k.Self(), z.Device, z.Fence)
			}
			if c := w.conns[i]; c.at == w.latest[z.Device] {
				w.t.Fatalf("the latest connection of %s, fence %d on %v, is taken for a zombie; stored is %+v", z.Device, z.Fence, n.k.Self(), z.Current)
			}
			if n.k.Release(z.Device, z.Fence, 4002) {
				w.t.Fatalf("%s: the release of a zombie counts", z.Device)
			}
			w.drop(w.conns[i])
		}
		n.zombies = nil
		for len(n.l.C) > 0 {
			w.heard = append(w.heard, <-n.l.C)
		}
	}
}

// always is what holds after every step.
func (w *world) always() {
	answers, err := w.s.Get(context.Background(), worldDevices)
	if err != nil {
		w.t.Fatal(err)
	}
	indexes := map[Owner]map[string]bool{}
	for i, d := range worldDevices {
		r := answers[i].Record
		if r.Fence < w.fences[d] {
			w.t.Fatalf("the fence of %s went from %d to %d", d, w.fences[d], r.Fence)
		}
		w.fences[d] = r.Fence
		if r.Hold != Held {
			continue
		}
		if indexes[r.Owner] == nil {
			indexes[r.Owner] = w.index(r.Owner)
		}
		if !indexes[r.Owner][d] {
			w.t.Fatalf("%s is held by %v and not in its index", d, r.Owner)
		}
	}
}

func (w *world) index(o Owner) map[string]bool {
	out, cursor := map[string]bool{}, uint64(0)
	for {
		devices, next, err := w.s.Page(context.Background(), o, cursor, 100)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, d := range devices {
			out[d] = true
		}
		if cursor = next; next == 0 {
			return out
		}
	}
}

// settle lets everything work until it has to be right.
func (w *world) settle() {
	w.f.set(false, false)
	for o := range w.dead {
		w.s.silence(o) // in Redis its time goes by another clock
	}
	for i := range 65 {
		w.second()
		if i == 55 {
			for _, n := range w.nodes {
				n.k.mu.Lock()
				n.k.trim = true
				n.k.mu.Unlock()
			}
		}
	}
}

// verify is what holds in the end.
func (w *world) verify() {
	w.always()
	open := map[string]*worldConn{}
	for _, c := range w.conns {
		if o := open[c.device]; o != nil {
			w.t.Fatalf("%s is connected twice: fence %d on %v, %d on %v", c.device, o.fence, o.n.k.Self(), c.fence, c.n.k.Self())
		}
		open[c.device] = c
	}
	for _, n := range w.nodes {
		w.verifyNode(n, open)
	}
	for o := range w.dead {
		if left := w.index(o); len(left) > 0 {
			w.t.Fatalf("the dead %v still has %v in its index", o, left)
		}
	}
	if w.clean {
		w.verifyChanges(open)
	}
}

func (w *world) verifyNode(n *worldNode, open map[string]*worldConn) {
	self := n.k.Self()
	where, err := n.k.Get(context.Background(), worldDevices...)
	if err != nil {
		w.t.Fatal(err)
	}
	stored, err := w.s.Get(context.Background(), worldDevices)
	if err != nil {
		w.t.Fatal(err)
	}
	mine := map[string]bool{}
	for i, d := range worldDevices {
		c := open[d]
		if c == nil {
			if where[i].Status != Offline {
				w.t.Fatalf("%v says that %s is %v, and it is not connected: %+v", self, d, where[i].Status, where[i])
			}
			continue
		}
		r := where[i].Record
		if where[i].Status != Online || r.Owner != c.n.k.Self() || r.Fence != stored[i].Record.Fence || where[i].Here != (c.n == n) {
			w.t.Fatalf("%v says of %s, which is connected to %v: %+v; stored is %+v", self, d, c.n.k.Self(), where[i], stored[i].Record)
		}
		if c.n == n {
			mine[d] = true
		}
	}
	if got := w.index(self); !maps.Equal(got, mine) {
		w.t.Fatalf("the index of %v is %v, and connected are %v", self, got, mine)
	}
	if s := n.k.Stats(); s.Devices != len(mine) || s.Provisional != 0 || s.Pending != 0 || !s.DownSince.IsZero() {
		w.t.Fatalf("%v has %d devices: %+v", self, len(mine), s)
	}
	nodes, _ := n.k.Nodes()
	if len(nodes) != len(w.nodes) {
		w.t.Fatalf("%v knows of %d nodes, want %d: %+v", self, len(nodes), len(w.nodes), nodes)
	}
	for _, o := range nodes {
		if !o.Evidence.Alive() || o.Marked {
			w.t.Fatalf("%v thinks ill of %+v", self, o)
		}
	}
}

// verifyChanges: who orders the changes of a device by fence has the truth last.
func (w *world) verifyChanges(open map[string]*worldConn) {
	last := map[string]Change{}
	for _, c := range w.heard {
		if c.Device == "" {
			continue
		}
		l, known := last[c.Device]
		if !known || c.Fence > l.Fence || c.Fence == l.Fence && c.Kind == DeviceOffline {
			last[c.Device] = c
		}
	}
	for d, c := range last {
		if (c.Kind == DeviceOnline) != (open[d] != nil) {
			w.t.Fatalf("the last change of %s is %+v; connected: %v; all: %+v", d, c, open[d] != nil, w.heard)
		}
	}
	for d := range open {
		if _, told := last[d]; !told {
			w.t.Fatalf("%s is connected, and nobody told", d)
		}
	}
}
