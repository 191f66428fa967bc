package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/client"
	"roost/server/cluster"
	"roost/server/fanout"
)

// TestSentToOwner: a device at a node that is not its owner is served, and told where it belongs; but not when it
// has been sent on often, says that the node failed, or the owner is not there.
func TestSentToOwner(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1"), f.node("n2")
	f.ring(1, "n1", "n2")
	f.up(a, b)
	d := f.owned("n2", 6)
	p, _ := device(t, a, "device="+d[0], "roost.v1.json")
	away := p.awaits("away")
	if want := "ws://" + b.Addr().String() + "/v1/connect?hop=1"; away["url"] != want || away["code"] != 4002.0 || away["in"].(float64) > 1000 {
		t.Errorf("away %v, want %s", away, want)
	}
	if got := publish(t, a, fmt.Sprintf(`{"device":%q,"payload":1}`, d[0])); !strings.Contains(got, `"written"`) {
		t.Errorf("publish: %s", got)
	}
	for i, query := range []string{"&hop=1", "&hop=2"} {
		p, _ := device(t, a, "device="+d[1]+query, "roost.v1.json")
		if away := p.awaits("away"); !strings.HasSuffix(away["url"].(string), fmt.Sprint("?hop=", i+2)) {
			t.Errorf("%s: %v", query, away)
		}
	}
	for _, query := range []string{"&hop=3", "&failed=n2", "&failed="} {
		p, _ := device(t, a, "device="+d[2]+query, "roost.v1.json")
		p.silent("away")
	}
	mine, _ := device(t, a, "device="+f.owned("n1", 1)[0], "roost.v1.json")
	mine.silent("away")
	eventually(t, "n1 knows of n2", func() bool { return a.cluster.others.Load() == 1 })
	f.change(func(v *cluster.View) { delete(v.Members, "n2") })
	dead, _ := device(t, a, "device="+d[3], "roost.v1.json")
	dead.silent("away")
	eventually(t, "n1 knows", func() bool { return a.cluster.others.Load() == 0 })
	// It is back: those that are here are told, though the ring is the same.
	f.member("n2", "ws://"+b.Addr().String())
	dead.awaits("away")
}

// TestNotSentToTheDead: a node that was killed is a member until its lease is over, but nobody is sent there once one of its
// devices has come from there; when it listens again, those that it owns are.
func TestNotSentToTheDead(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1"), f.node("n2")
	f.ring(1, "n1", "n2")
	f.up(a, b)
	d := f.owned("n2", 2)
	first, _ := device(t, b, "device="+d[0], "roost.v1.json")
	eventually(t, "n1 knows of n2", func() bool { return a.cluster.others.Load() == 1 })
	f.hub.Partition([]string{"n2"})
	again, _ := device(t, a, "device="+d[0], "roost.v1.json")
	again.silent("away") // its notice has found nobody
	other, _ := device(t, a, "device="+d[1], "roost.v1.json")
	other.silent("away")
	if r, ok := a.routeOf(d[1], nil); !ok || r.Node != "n1" {
		t.Errorf("route %+v", r)
	}
	eventually(t, "it is counted out", func() bool { return a.cluster.others.Load() == 0 })
	f.hub.Partition()
	again.awaits("away")
	other.awaits("away")
	if code := first.closeCode(); code != 4303 && code != 4002 {
		t.Errorf("the connection that is left at n2: closed with %d", code)
	}
}

// follower is a real client, and what became of it.
type follower struct {
	c      *client.Client
	cancel context.CancelFunc
	ended  chan struct{}

	mu   sync.Mutex // covers the following
	node string
	ups  int // welcomes
	lost int // times without a connection
	got  map[string]int
}

func (f *fleet) follow(s *Server, device string) *follower {
	f.t.Helper()
	fo := &follower{ended: make(chan struct{}), got: map[string]int{}}
	var err error
	fo.c, err = client.New(client.Options{URL: "ws://" + s.Addr().String(), Device: device,
		OnMessage: func(m client.Message) {
			fo.mu.Lock()
			defer fo.mu.Unlock()
			fo.got[string(m.Payload)]++
		},
		OnState: func(st client.State) {
			fo.mu.Lock()
			defer fo.mu.Unlock()
			switch st.Phase {
			case client.Connected:
				fo.node = st.Node
				fo.ups++
			case client.Waiting:
				fo.lost++
			}
		}})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	fo.cancel = cancel
	go func() {
		defer close(fo.ended)
		fo.c.Run(ctx)
	}()
	f.t.Cleanup(fo.stop)
	return fo
}

func (fo *follower) stop() { fo.cancel(); <-fo.ended }

func (fo *follower) at() string {
	fo.mu.Lock()
	defer fo.mu.Unlock()
	return fo.node
}

// TestFollowTheRing: real clients are where the ring says, go where a new one says without being without a connection,
// and get each kept message once, published throughout.
func TestFollowTheRing(t *testing.T) {
	t.Run("hub", func(t *testing.T) { followTheRing(t, newFleet(t)) })
	t.Run("redis", func(t *testing.T) {
		f := newFleet(t)
		f.bus = func(o fanout.Options) (fanout.Bus, error) {
			return fanout.NewRedis(fanout.RedisOptions{Options: o, Addrs: []string{f.redis.Addr()}})
		}
		followTheRing(t, f)
	})
}

func followTheRing(t *testing.T, f *fleet) {
	nodes := map[string]*Server{"n1": f.node("n1"), "n2": f.node("n2"), "n3": f.node("n3")}
	f.ring(1, "n1", "n2")
	f.up(slices.Collect(maps.Values(nodes))...)
	clients := map[string]*follower{}
	for i := range 24 {
		d := fmt.Sprintf("d%d", i)
		clients[d] = f.follow(nodes[[]string{"n1", "n2", "n3"}[i%3]], d)
	}
	settled := func() bool {
		for d, c := range clients {
			r, i := f.Load().Routes.Lookup(d)
			if c.at() != r.Node(i).ID || f.held(d) != r.Node(i).ID {
				return false
			}
		}
		return nodes["n1"].registry.Len()+nodes["n2"].registry.Len()+nodes["n3"].registry.Len() == len(clients)
	}
	eventually(t, "all are at their owners", settled)
	published := 0
	say := func() {
		published++
		for d := range clients {
			publish(t, nodes["n1"], fmt.Sprintf(`{"device":%q,"id":"m%d","payload":%d}`, d, published, published))
		}
	}
	say()
	before := map[string]int{}
	for d, c := range clients {
		c.mu.Lock()
		before[d] = c.lost
		c.mu.Unlock()
	}
	f.ring(2, "n1", "n2", "n3")
	say()
	eventually(t, "all are at their new owners", settled)
	say()
	f.ring(3, "n2", "n3")
	eventually(t, "and again", settled)
	say()
	eventually(t, "all messages are there", func() bool {
		for _, c := range clients {
			c.mu.Lock()
			n := len(c.got)
			c.mu.Unlock()
			if n != published {
				return false
			}
		}
		return true
	})
	for d, c := range clients {
		c.mu.Lock()
		for m, n := range c.got {
			if n != 1 {
				t.Errorf("%s got %s %d times", d, m, n)
			}
		}
		if c.lost != before[d] {
			t.Errorf("%s was without a connection %d times", d, c.lost-before[d])
		}
		c.mu.Unlock()
	}
}

// TestToldOnce: a device that does not go is told once for each version of the ring, and goes on being served.
func TestToldOnce(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1"), f.node("n2")
	f.ring(1, "n1")
	f.up(a, b)
	p, _ := device(t, a, "device=d1", "roost.v1.json")
	p.silent("away")
	f.ring(2, "n2")
	if away := p.awaits("away"); away["code"] != 4003.0 || !strings.Contains(away["url"].(string), b.Addr().String()) {
		t.Errorf("away %v", away)
	}
	eventually(t, "the round is over", func() bool { return a.cluster.moves.round.Load() == nil })
	// The same version again, as where a canary's share grows.
	same := *f.Load()
	same.Pointer.Activation = 99
	f.now.Store(&same)
	f.changed[0] <- struct{}{}
	eventually(t, "it was looked at", func() bool { return len(f.changed[0]) == 0 && a.cluster.moves.round.Load() == nil })
	p.silent("away")
	f.ring(3, "n2")
	p.awaits("away")
	if got := publish(t, a, `{"device":"d1","payload":1}`); !strings.Contains(got, `"written"`) {
		t.Errorf("publish: %s", got)
	}
}

// TestToldAgain: a device whose dial to its owner failed, and which stays or comes back with failed, is told again while the
// owner is there, mostTold times at most; so is one that was sent on too often to be sent on at once. Until 2026-11 that one stayed
// until there was another ring.
func TestToldAgain(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1", func(o *Options) { o.timing.again = time.Millisecond }), f.node("n2")
	f.ring(1, "n2")
	f.up(a, b)
	other := at(t, a, "d0")
	p, _ := device(t, a, "device=d1", "roost.v1.json")
	first := p.awaits("away")
	for i := range mostTold {
		m := p.awaits("away")
		if m["code"] != 4003.0 || m["url"] != first["url"] {
			t.Errorf("%d: away %v, before %v", i, m, first)
		}
	}
	eventually(t, "it is left alone", func() bool { return a.cluster.moves.astray.Load() == 0 })
	p.silent("away")
	for range mostTold {
		if m := other.awaits("away"); m["code"] != 4003.0 || m["url"] != first["url"] {
			t.Errorf("sent on too often: away %v", m)
		}
	}
	other.silent("away")
	if told, deaf := a.cluster.moves.told[again].Load(), a.cluster.moves.deaf.Load(); told != 2*uint64(mostTold) || deaf != 2 {
		t.Errorf("told %d times again, given up %d times", told, deaf)
	}
	// By another ring, to which it belongs here, and that nobody is told of: it is not astray any more.
	q, _ := device(t, a, "device=d2", "roost.v1.json")
	q.awaits("away")
	f.ring(2, "n1")
	eventually(t, "nobody is astray", func() bool { return a.cluster.moves.astray.Load() == 0 })
	r, _ := device(t, b, "device=d3&failed=n1", "roost.v1.json")
	eventually(t, "it is astray", func() bool { return b.cluster.moves.astray.Load() == 1 })
	r.nc.Close()
	eventually(t, "and gone", func() bool { return b.cluster.moves.astray.Load() == 0 })
	f.ring(3, "n2")
	back, _ := device(t, a, "device=d4&failed=n2", "roost.v1.json")
	if m := back.awaits("away"); m["code"] != 4003.0 || m["url"] != first["url"] {
		t.Errorf("with failed: away %v", m)
	}
}

// TestNotToldAgainTooEarly: a device is told again when it has been there for a look, and while no slots at its owner are
// given out for a while ahead, of which one may be its own.
func TestNotToldAgainTooEarly(t *testing.T) {
	k, st, now := &clustered{}, &connState{}, time.Now()
	k.stray(st, true)
	if k.due(st, "n2", now) {
		t.Error("at the first look")
	}
	if !k.due(st, "n2", now) {
		t.Error("not at the second")
	}
	k.moves.pace.slot("n2", now.Add(time.Minute), 1)
	if k.due(st, "n2", now) || !k.due(st, "n3", now) {
		t.Error("not by the slots at its owner")
	}
	if !k.due(st, "n2", now.Add(time.Minute)) {
		t.Error("not after the slots")
	}
	if k.stray(st, true); k.due(st, "n2", now.Add(time.Hour)) || k.moves.astray.Load() != 1 {
		t.Error("told anew, and not as young as the first time")
	}
	if k.stray(st, false); k.moves.astray.Load() != 0 || st.flags != 0 {
		t.Error("it is astray")
	}
}

// TestCutOff: a node that is cut off from Redis and the bus, while others are not, sends its devices away, takes no
// more, and is ready again when it is not cut off any more. Where all are cut off, nothing of that happens.
func TestCutOff(t *testing.T) {
	f := newFleet(t)
	quick := func(o *Options) { o.timing.cut, o.Cluster.ShedOver = 200*time.Millisecond, 500*time.Millisecond }
	a, b := f.node("n1", quick), f.node("n2", quick)
	f.ring(1, "n1", "n2")
	f.up(a, b)
	p, _ := device(t, a, "device="+f.owned("n1", 1)[0], "roost.v1.json")
	f.weighs("n1", 1, true)
	f.weighs("n2", 1, false)
	f.hub.SetCut("n1", true)
	f.stores["n1"].cut.Store(true)
	eventually(t, "it knows that it is cut off", func() bool { return !a.Reaches() && !a.cluster.keeper.Up() })
	for range 10 { // twice as long as it takes to be sure
		p.silent("away")
		time.Sleep(40 * time.Millisecond)
	}
	if a.Ready() != nil {
		t.Error("not ready, though nobody is better off")
	}
	f.weighs("n2", 1, true)
	if code := p.closeCode(); code != 4101 {
		t.Errorf("closed with %d", code)
	}
	if a.Ready() == nil {
		t.Error("ready, though it is cut off")
	}
	if code, _ := status(t, a, "/healthz"); code != "503" {
		t.Errorf("healthz %s", code)
	}
	if got := exchange(t, a, upgradeRequest("/v1/connect?device=d1")); !strings.HasPrefix(got, "HTTP/1.1 503 ") {
		t.Errorf("got %q", got)
	}
	f.hub.SetCut("n1", false)
	f.stores["n1"].cut.Store(false)
	eventually(t, "it is ready", func() bool { return a.Ready() == nil })
	device(t, a, "device=d1&hop=3", "roost.v1.json")
}
