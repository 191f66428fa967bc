package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/inbox"
	"roost/server/presence"
)

// holder is rings and members that tests set.
type holder struct {
	active atomic.Pointer[cluster.Active]
	view   atomic.Pointer[cluster.View]
}

func (h *holder) Load() *cluster.Active { return h.active.Load() }
func (h *holder) View() *cluster.View   { return h.view.Load() }

// rig is some nodes in one process: buses of one hub, presence in one memory, rings and
// members that are the same for all.
type rig struct {
	t        testing.TB
	hub      fanout.Hub
	presence *presence.Memory
	holder   holder
	nodes    []*node
	log      *slog.Logger
}

// node is one of them: a mesh, a keeper, and a Local that notes what it is asked.
type node struct {
	r      *rig
	id     string
	m      *Mesh
	keeper *presence.Keeper
	end    func()

	mu       sync.Mutex
	fences   map[string]uint32 // of the devices that are connected here
	lives    []string          // "device payload"
	casts    []string          // "topic payload latest pace"
	notices  []inbox.Notice
	waits    []time.Duration // of notices that want an answer
	spreads  []string
	subs     []string // "device topic on"
	controls []string // "device fence code reason"
	sweeps   []bool
	hold     bool // answers wait in held
	held     []func(Status)
	says     Status // to notices with a wait; 0: StatusAcknowledged
	counts   Counts // of casts
	mute     bool   // casts are not answered
}

// play runs f with so many nodes, named n1, n2 ..., in virtual time.
func play(t *testing.T, nodes int, f func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nodes)
		defer r.close()
		f(t, r)
	})
}

func newRig(t testing.TB, nodes int) *rig {
	r := &rig{t: t, presence: presence.NewMemory(0, nil), log: slog.New(slog.DiscardHandler)}
	var ids []string
	for i := range nodes {
		ids = append(ids, fmt.Sprint("n", i+1))
	}
	r.members(ids...)
	r.active(&cluster.Active{Routes: ring.NewRoutes(r.ring(1, ids...), nil, 0), Pointer: cluster.Pointer{Stable: 1, StableHash: 0xa1, Activation: 10}})
	for _, id := range ids {
		r.nodes = append(r.nodes, r.start(id))
	}
	time.Sleep(2 * time.Second) // first beats
	synctest.Wait()
	for _, n := range r.nodes {
		n.forget()
	}
	return r
}

// ring is one of nodes with equal weights.
func (r *rig) ring(version uint64, ids ...string) *ring.Ring {
	var nodes []ring.Node
	for _, id := range ids {
		nodes = append(nodes, ring.Node{ID: id, Addr: "ws://ring/" + id, Zone: "z", Weight: 1})
	}
	out, err := ring.Build(version, nodes, ring.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// members has these nodes, with weight 100 each.
func (r *rig) members(ids ...string) {
	v := &cluster.View{Revision: 5, Members: map[string]cluster.Member{}, Weights: map[string]cluster.Weight{}}
	for _, id := range ids {
		v.Members[id] = cluster.Member{ID: id, Addr: "ws://" + id, API: "http://" + id, Zone: "z"}
		v.Weights[id] = cluster.Weight{Value: 100}
	}
	r.holder.view.Store(v)
}

// change changes the view.
func (r *rig) change(f func(v *cluster.View)) {
	old := r.holder.View()
	v := &cluster.View{Revision: old.Revision + 1, Members: map[string]cluster.Member{}, Weights: map[string]cluster.Weight{}, Held: map[string]time.Time{}}
	for id, m := range old.Members {
		v.Members[id] = m
	}
	for id, w := range old.Weights {
		v.Weights[id] = w
	}
	f(v)
	r.holder.view.Store(v)
}

// active brings rings into force.
func (r *rig) active(a *cluster.Active) {
	a.At = time.Now()
	r.holder.active.Store(a)
}

// start makes a node.
func (r *rig) start(id string) *node {
	n := &node{r: r, id: id, fences: map[string]uint32{}}
	var err error
	n.keeper, err = presence.New(presence.Options{Self: presence.Owner{Node: id, Incarnation: 7}, Store: r.presence})
	if err != nil {
		r.t.Fatal(err)
	}
	n.m, err = New(Options{Self: id, Rings: &r.holder, Members: &r.holder, Where: n.keeper, Local: n, Log: r.log,
		Bus: func(o fanout.Options) (fanout.Bus, error) { return r.hub.Bus(o) }})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.keeper.Run(ctx)
	}()
	n.end = sync.OnceFunc(func() {
		n.m.Close()
		cancel()
		<-ended
	})
	return n
}

func (r *rig) close() {
	for _, n := range r.nodes {
		n.end()
	}
}

// at returns a node by its number from 1.
func (r *rig) at(i int) *node { return r.nodes[i-1] }

// device returns an id whose owner is a node.
func (r *rig) device(owner string) string {
	for i := range 10_000 {
		if d := fmt.Sprint("dev-", i); r.nodes[0].m.look(d).owner == owner {
			return d
		}
	}
	r.t.Fatalf("no device of %s", owner)
	return ""
}

// connect puts a device onto a node.
func (n *node) connect(device string) {
	c, err := n.keeper.Claim(context.Background(), device, 1)
	if err != nil || c.Provisional {
		n.r.t.Fatalf("%s claims %s: %+v, %v", n.id, device, c, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fences[device] = c.Fence
}

// vanish takes it away, without a word to presence.
func (n *node) vanish(device string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.fences, device)
}

// set changes how the node behaves.
func (n *node) set(f func(n *node)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n)
}

// forget empties what was noted.
func (n *node) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lives, n.casts, n.notices, n.waits, n.spreads, n.subs, n.controls, n.sweeps = nil, nil, nil, nil, nil, nil, nil, nil
}

// noted locks and compares a note.
func noted[T any](t testing.TB, n *node, what string, got func() []T, want ...T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if fmt.Sprint(got()) != fmt.Sprint(want) {
		t.Errorf("%s at %s: %v, want %v", what, n.id, got(), want)
	}
}

func (n *node) gotLives(t testing.TB, want ...string) {
	t.Helper()
	noted(t, n, "live messages", func() []string { return n.lives }, want...)
}

func (n *node) gotCasts(t testing.TB, want ...string) {
	t.Helper()
	noted(t, n, "casts", func() []string { return n.casts }, want...)
}

func (n *node) gotSpreads(t testing.TB, want ...string) {
	t.Helper()
	noted(t, n, "spreads", func() []string { return n.spreads }, want...)
}

func (n *node) gotSweeps(t testing.TB, want ...bool) {
	t.Helper()
	noted(t, n, "sweeps", func() []bool { return n.sweeps }, want...)
}

func (n *node) gotSeqs(t testing.TB, want ...uint64) {
	t.Helper()
	noted(t, n, "notices", func() (seqs []uint64) {
		for i := range n.notices {
			seqs = append(seqs, n.notices[i].Seq)
		}
		return seqs
	}, want...)
}

// Live implements Local.
func (n *node) Live(device []byte, m *Message, answer func(Status)) {
	n.mu.Lock()
	_, here := n.fences[string(device)]
	if here {
		n.lives = append(n.lives, string(device)+" "+string(m.Payload))
	}
	if n.hold {
		n.held = append(n.held, answer)
	}
	hold := n.hold
	n.mu.Unlock()
	switch {
	case hold:
	case here:
		answer(StatusWritten)
	default:
		answer(StatusOffline)
	}
}

// Cast implements Local.
func (n *node) Cast(topic string, m *Message, latest bool, pace int, done func(Counts)) {
	n.mu.Lock()
	n.casts = append(n.casts, fmt.Sprint(topic, " ", string(m.Payload), " ", latest, " ", pace))
	c, mute := n.counts, n.mute
	n.mu.Unlock()
	if done != nil && !mute {
		done(c)
	}
}

// Noticed implements Local.
func (n *node) Noticed(x *inbox.Notice, wait time.Duration, answer func(Status)) {
	n.mu.Lock()
	n.notices = append(n.notices, inbox.Notice{Device: slices.Clone(x.Device), Epoch: slices.Clone(x.Epoch), Fence: x.Fence, Seq: x.Seq, Tag: x.Tag})
	if k := x.Message; k != nil {
		n.notices[len(n.notices)-1].Message = &inbox.Message{TTL: k.TTL, Raw: k.Raw, ID: slices.Clone(k.ID), Channel: slices.Clone(k.Channel), Payload: slices.Clone(k.Payload)}
	}
	_, here := n.fences[string(x.Device)]
	says := n.says
	if answer != nil {
		n.waits = append(n.waits, wait)
		if n.hold {
			n.held = append(n.held, answer)
		}
	}
	hold := n.hold
	n.mu.Unlock()
	switch {
	case answer == nil || hold:
	case !here:
		answer(StatusOffline)
	case says != StatusNone:
		time.AfterFunc(wait, func() { answer(says) })
	default:
		answer(StatusAcknowledged)
	}
}

// Spread implements Local.
func (n *node) Spread(topic string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.spreads = append(n.spreads, topic)
}

// Subscribed implements Local.
func (n *node) Subscribed(device []byte, topic string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.subs = append(n.subs, fmt.Sprint(string(device), " ", topic, " ", on))
}

// Control implements Local.
func (n *node) Control(device []byte, fence uint64, code uint16, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.controls = append(n.controls, fmt.Sprint(string(device), " ", fence, " ", code, " ", reason))
}

// Sweep implements Local.
func (n *node) Sweep(topics bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweeps = append(n.sweeps, topics)
}

// release gives the answers that were held.
func (n *node) release(s Status) {
	n.mu.Lock()
	held := n.held
	n.held, n.hold = nil, false
	n.mu.Unlock()
	for _, answer := range held {
		answer(s)
	}
}

func text(s string) *Message { return &Message{Payload: []byte(s)} }
