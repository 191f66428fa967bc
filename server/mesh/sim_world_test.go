package mesh_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/inbox"
	"roost/server/presence"
)

// leaseTTL is how long a dead node counts as a member.
const leaseTTL = 5 * time.Second

// world is nodes that share a bus, presence and a store; devices, publishers, and what is known to be true.
type world struct {
	t        *testing.T
	seed     uint64
	rng      *rand.Rand // of the scenario's goroutine
	began    time.Time
	hub      fanout.Hub
	presence *presence.Memory
	truth    *truth
	planner  *planner
	ids      []string
	devices  []*device
	byID     map[string]*device
	tally    tally

	// Owned by the scenario's goroutine.
	cut     map[string]bool
	parted  bool
	busDown bool

	publishing sync.WaitGroup
	dials      sync.WaitGroup

	mu       sync.Mutex // covers the following; nothing else is locked while it is held
	noise    *rand.Rand // of all others
	calm     bool
	over     bool
	broken   bool
	trace    []string
	messages []*message
	numbers  int
	procs    map[string]*proc
	starts   uint64
	view     *cluster.View
	gone     map[presence.Owner]time.Time // leases that have ended
	lives    map[string]uint32            // of devices in the store, for waits
}

// message is a kept publication. Guarded by world.mu.
type message struct {
	n         int
	topic     string
	answered  bool
	receivers []string // devices that it was accepted for
	stored    bool     // receivers are known
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), noise: rand.New(rand.NewPCG(seed, 2)), began: time.Now(),
		presence: presence.NewMemory(0, nil), byID: map[string]*device{}, cut: map[string]bool{}, procs: map[string]*proc{},
		gone: map[presence.Owner]time.Time{}, lives: map[string]uint32{}, view: &cluster.View{Revision: 1, Members: map[string]cluster.Member{}}}
	w.truth = newTruth(w)
	for i := range 2 + w.rng.IntN(4) {
		w.ids = append(w.ids, fmt.Sprint("n", i+1))
	}
	w.planner = newPlanner(w)
	for i := range 2 + w.rng.IntN(6) {
		d := &device{w: w, id: fmt.Sprint("d", i+1), handled: map[int]int{}, live: map[int]int{}}
		w.devices, w.byID[d.id] = append(w.devices, d), d
	}
	for _, id := range w.ids {
		w.start(id)
	}
	w.pass(3 * time.Second)
	return w
}

// end ends everything that runs.
func (w *world) end() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.redisDown(false)
	w.mendBus()
	if !w.failed() {
		w.publishing.Wait()
	}
	for _, p := range w.running() {
		p.end()
	}
	w.dials.Wait()
	w.publishing.Wait()
}

// fail ends the scenario with what happened last.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failLocked(format, args...)
}

func (w *world) failLocked(format string, args ...any) {
	if w.broken {
		return
	}
	w.broken = true
	what := fmt.Sprintf(format, args...)
	w.t.Errorf("%s\nthe last events:\n%s\n%s\nagain: go test -run 'TestSimulation$' ./server/mesh -seed=%d", what, strings.Join(w.trace, "\n"), what, w.seed)
}

func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// roll is a number below n, for whoever is not the scenario's goroutine.
func (w *world) roll(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.noise.IntN(n)
}

// delay is how long something takes that takes its time.
func (w *world) delay() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	most := [...]time.Duration{time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond, time.Second}[w.noise.IntN(4)]
	if w.calm {
		most = 5 * time.Millisecond
	}
	return time.Duration(w.noise.Int64N(int64(most)))
}

func (w *world) number() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.numbers++
	return w.numbers
}

func (w *world) message(device, topic string) *message {
	n := w.number()
	w.note("message %d for %s%q", n, device, topic)
	w.mu.Lock()
	defer w.mu.Unlock()
	m := &message{n: n, topic: topic}
	w.messages = append(w.messages, m)
	return m
}

// content is the message as it is published; its id is the same each time.
func (m *message) content() *inbox.Message {
	n := strconv.Itoa(m.n)
	return &inbox.Message{TTL: 86400, ID: []byte("k" + n), Channel: []byte(m.topic), Payload: []byte(n)}
}

// accepted notes for whom a message was accepted; the first answer counts.
func (w *world) accepted(m *message, devices ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acceptedLocked(m, devices)
}

func (w *world) acceptedLocked(m *message, devices []string) {
	if !m.stored {
		m.stored, m.receivers = true, devices
		w.tally.Accepted += len(devices)
	}
}

// acknowledged checks that what a publisher is told is true.
func (w *world) acknowledged(m *message, d *device) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally.Acknowledged++
	if d.handled[m.n] == 0 {
		w.failLocked("the publisher of %d was told that %s has acknowledged it, and it has not", m.n, d.id)
	}
}

func (w *world) proc(id string) *proc {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.procs[id]
}

// running returns the nodes that live, in order.
func (w *world) running() (all []*proc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(w.procs)) {
		all = append(all, w.procs[id])
	}
	return all
}

func (w *world) alive() int { return len(w.running()) }

func (w *world) someNode() *proc {
	all := w.running()
	if len(all) == 0 {
		return nil
	}
	return all[w.roll(len(all))]
}

// start starts a node and has it join.
func (w *world) start(id string) {
	w.mu.Lock()
	w.starts++
	inc := w.starts
	w.mu.Unlock()
	w.note("%s starts as %d", id, inc)
	p := newProc(w, id, inc)
	w.mu.Lock()
	w.procs[id] = p
	w.mu.Unlock()
	w.change(func(v *cluster.View) {
		v.Members[id] = cluster.Member{ID: id, Addr: "ws://" + id, Incarnation: int64(inc)}
	})
	w.plan(func(pl *planner) { pl.join(id) })
}

// kill ends a node without a word; its lease ends later.
func (w *world) kill(id string) {
	p := w.proc(id)
	w.note("%s is killed", id)
	w.tally.Kills++
	if p.mesh.Stats().Debts > 0 {
		// Its debts die with it. The store in Redis looks at every device each minute, for such cases.
		w.tally.Debts++
		w.after(time.Minute, w.look)
	}
	w.mu.Lock()
	delete(w.procs, id)
	w.mu.Unlock()
	p.end()
	for _, d := range w.devices {
		if c := d.conn(); c != nil && c.p == p {
			w.after(w.delay(), func() { c.lost() })
		}
	}
	w.after(leaseTTL, func() {
		w.mu.Lock()
		w.gone[p.keeper.Self()] = time.Now()
		w.mu.Unlock()
		if w.proc(id) != nil {
			return // it is back
		}
		w.change(func(v *cluster.View) { delete(v.Members, id) })
		w.plan(func(pl *planner) { pl.leave(id) })
	})
}

// look has every node look at everything.
func (w *world) look() {
	for _, p := range w.running() {
		p.Sweep(true)
	}
}

// after is time.AfterFunc that does nothing once all is over.
func (w *world) after(d time.Duration, f func()) {
	time.AfterFunc(d, func() {
		w.mu.Lock()
		over := w.over
		w.mu.Unlock()
		if !over {
			f()
		}
	})
}

func (w *world) change(f func(v *cluster.View)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := *w.view
	v.Members = maps.Clone(v.Members)
	v.Revision++
	f(&v)
	w.view = &v
}

// View implements mesh.Members.
func (w *world) View() *cluster.View {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.view
}

func (w *world) lease(o presence.Owner) (presence.Lease, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, gone := w.gone[o]; gone {
		return presence.LeaseGone, at
	}
	return presence.LeaseHeld, time.Time{}
}

func (w *world) presenceOptions() presence.Options {
	return presence.Options{Store: w.presence, RefreshEvery: 15 * time.Second, Leases: w.lease}
}

// lived notes which life of a device a message was stored for.
func (w *world) lived(p *inbox.Put) {
	if p.Verdict == inbox.Stored {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lives[p.Device] = p.Life
	}
}

func (w *world) life(device string) uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lives[device]
}

// statusOf is a put's outcome in words.
func statusOf(outcome uint8) string {
	names := [...]string{"none", "written", "queued", "offline", "acknowledged"}
	return names[min(int(outcome), len(names)-1)]
}
