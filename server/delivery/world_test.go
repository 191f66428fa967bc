package delivery_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/session"
)

// A world runs hub, lanes, registry and a store in one goroutine on a clock of
// its own. What would be goroutines and TCP are events in a queue; their delays
// come from a seeded source, within what is possible outside:
//
//	lane        tasks in the order in which they were posted, one at a time
//	connection  frames of either direction in order
//	store call  another lane may run while one is inside it (yield)
//
// Without delays (calm) events happen in the order in which they were made.
type world struct {
	t     testing.TB
	seed  uint64
	rng   *rand.Rand
	calm  bool
	now   time.Time
	queue events
	n     uint64 // events made
	done  int    // events that have happened
	trace []string

	kind   *storeKind
	opt    worldOptions
	store  *watched
	disk   *crashDisk // of the File store
	hub    *delivery.Hub
	reg    *session.Registry
	lanes  []*lane
	conns  []*conn // all that ever were; number + 1 is the handle
	depth  int     // of yields
	dead   bool    // the machine has crashed and was not started again
	failed bool

	devices []*device
	ledger  *ledger
	waits   []*wait
}

// worldOptions say what may happen in a world.
type worldOptions struct {
	limits inbox.Limits
	inline bool // the store is asked on the lane's goroutine
	lossy  bool // Post fails now and then
}

// event is something that will happen.
type event struct {
	at   time.Time
	n    uint64
	name string
	run  func()
}

type events []event

func (q events) Len() int           { return len(q) }
func (q events) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)        { *q = append(*q, x.(event)) }
func (q *events) Pop() any          { e := (*q)[len(*q)-1]; *q = (*q)[:len(*q)-1]; return e }
func (q events) Less(i, j int) bool { return q[i].before(&q[j]) }

func (e *event) before(o *event) bool {
	if !e.at.Equal(o.at) {
		return e.at.Before(o.at)
	}
	return e.n < o.n
}

// newWorld starts a node with a store of the given kind.
func newWorld(t testing.TB, kind *storeKind, seed uint64, opt worldOptions) *world {
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), kind: kind, opt: opt, now: time.Unix(1_800_000_000, 0)}
	w.ledger = newLedger(w)
	w.disk = newCrashDisk(w)
	w.start()
	return w
}

// start starts the node on what its store holds.
func (w *world) start() {
	w.store = &watched{Store: w.kind.open(w), w: w}
	w.reg = session.NewRegistry()
	w.hub = delivery.NewHub(w.store, w.reg, (*lanes)(w))
	w.lanes = nil
	for i := range 3 {
		l := &lane{w: w, i: i}
		l.Lane = w.hub.NewLane(l)
		w.lanes = append(w.lanes, l)
	}
	w.dead = false
}

// fatal ends the test with what happened last.
func (w *world) fatal(format string, args ...any) {
	w.t.Helper()
	if w.failed {
		return
	}
	w.failed = true
	w.t.Fatalf("%s\nthe last events:\n%s\n%s\nagain: ROOST_SIM_SEED=%d go test -run '%s$' ./server/delivery/", fmt.Sprintf(format, args...),
		strings.Join(w.trace, "\n"), fmt.Sprintf(format, args...), w.seed, w.t.Name())
}

// note writes an event down, for fatal.
func (w *world) note(format string, args ...any) {
	const keep = 60
	if len(w.trace) >= 2*keep && os.Getenv("ROOST_SIM_SEED") == "" {
		w.trace = append(w.trace[:0], w.trace[keep:]...)
	}
	w.trace = append(w.trace, fmt.Sprintf("%9.3f %s%s", w.now.Sub(time.Unix(1_800_000_000, 0)).Seconds(),
		strings.Repeat("  ", w.depth), fmt.Sprintf(format, args...)))
}

// chance is true once in n times, never in a calm world.
func (w *world) chance(n int) bool { return !w.calm && w.rng.IntN(n) == 0 }

// delay is how long something takes that takes its time.
func (w *world) delay() time.Duration {
	if w.calm {
		return 0
	}
	most := [...]time.Duration{time.Microsecond, time.Millisecond, time.Millisecond, 20 * time.Millisecond, time.Second}[w.rng.IntN(5)]
	return time.Duration(w.rng.Int64N(int64(most)))
}

// at makes an event.
func (w *world) at(at time.Time, name string, run func()) {
	w.n++
	heap.Push(&w.queue, event{at: at, n: w.n, name: name, run: run})
}

// soon makes an event after a delay.
func (w *world) soon(name string, run func()) { w.at(w.now.Add(w.delay()), name, run) }

// clock is the time for stores.
func (w *world) clock() time.Time { return w.now }

// later is when the device notices that its connection is cut.
func (w *world) later(c *conn) time.Time { return c.arrival(&c.down) }

// step has the next event happen, if it is due until then.
func (w *world) step(until time.Time) bool {
	if len(w.queue) == 0 || w.queue[0].at.After(until) {
		return false
	}
	e := heap.Pop(&w.queue).(event)
	if e.at.After(w.now) {
		w.now = e.at
	}
	w.note("%s", e.name)
	if w.crashes(e.run) {
		w.crash()
	}
	w.done++
	w.ledger.verify()
	return true
}

// pass lets time pass, with a tick every second.
func (w *world) pass(d time.Duration) {
	for end := w.now.Add(d); ; {
		tick := w.now.Truncate(time.Second).Add(time.Second)
		until := tick
		if end.Before(tick) {
			until = end
		}
		for w.step(until) {
		}
		w.now = until
		if until != tick {
			return
		}
		w.tick()
	}
}

// settle lets happen whatever is about to happen at once.
func (w *world) settle() {
	for i := 0; w.step(w.now); i++ {
		if i > 100_000 {
			w.fatal("it does not end")
		}
	}
}

// tick is what the node does every second.
func (w *world) tick() {
	w.store.Tick()
	w.kind.stepSoon(w)
	for _, l := range w.lanes {
		l.post("tick", func() {
			l.Tick()
			if l.missed {
				l.missed = false
				for _, c := range w.conns {
					if c.lane == l && l.Peer(c.name()) != nil {
						l.Look(c.name(), &c.peer)
					}
				}
			}
		})
	}
}

// lane is a loop: a queue of tasks.
type lane struct {
	*delivery.Lane
	w       *world
	i       int
	tasks   []task
	running bool
	due     bool // an event will run the next task
	missed  bool
	dead    bool
}

type task struct {
	name string
	run  func()
}

// post appends a task.
func (l *lane) post(name string, run func()) {
	l.tasks = append(l.tasks, task{name, run})
	l.wake()
}

func (l *lane) wake() {
	if l.due || l.dead || len(l.tasks) == 0 {
		return
	}
	l.due = true
	l.w.soon(fmt.Sprintf("lane %d: %s", l.i, l.tasks[0].name), func() {
		l.due = false
		l.next()
		l.wake()
	})
}

// next runs one task.
func (l *lane) next() {
	if l.dead || l.running || len(l.tasks) == 0 {
		return
	}
	t := l.tasks[0]
	l.tasks = l.tasks[1:]
	l.running = true
	t.run()
	l.running = false
}

// yield lets another lane run a task, as it could at any time while this
// goroutine is in the store.
func (w *world) yield() {
	if !w.chance(12) || w.depth > 1 || w.dead {
		return
	}
	l := w.lanes[w.rng.IntN(len(w.lanes))]
	if l.running || len(l.tasks) == 0 {
		return
	}
	w.depth++
	w.note("meanwhile lane %d: %s", l.i, l.tasks[0].name)
	l.next()
	w.depth--
}

// lanes implements delivery.Lanes.
type lanes world

func (ls *lanes) Of(c delivery.Conn) int { return (*world)(ls).conn(c).lane.i }
func (ls *lanes) Len() int               { return len(ls.lanes) }

func (ls *lanes) Post(i int, f func(*delivery.Lane)) bool {
	w := (*world)(ls)
	l := w.lanes[i]
	if w.opt.lossy && w.chance(20) {
		w.note("lane %d takes no task", i)
		l.missed = true
		return false
	}
	l.post("posted", func() { f(l.Lane) })
	return true
}

func (w *world) conn(c delivery.Conn) *conn { return w.conns[c-1] }

// Peer implements delivery.Sender.
func (l *lane) Peer(c delivery.Conn) *delivery.Peer {
	if at := l.w.conn(c); at.lane == l && at.begun && !at.over {
		return &at.peer
	}
	return nil
}

// Message implements delivery.Sender.
func (l *lane) Message(c delivery.Conn, seq uint64, m *inbox.Message) delivery.Result {
	at := l.w.conn(c)
	l.w.ledger.sending(at, seq, string(m.Payload))
	r := at.write(frame{kind: "msg", seq: seq, id: string(m.ID), payload: string(m.Payload)})
	if r == delivery.Written || r == delivery.Queued {
		at.sent = seq
	}
	return r
}

// Skip implements delivery.Sender.
func (l *lane) Skip(c delivery.Conn, to uint64, why string) delivery.Result {
	at := l.w.conn(c)
	l.w.ledger.skipping(at, to, why)
	r := at.write(frame{kind: "skip", seq: to, payload: why})
	if r == delivery.Written || r == delivery.Queued {
		at.sent = to
	}
	return r
}

// Fetch implements delivery.Sender.
func (l *lane) Fetch(j *delivery.Job) {
	if l.w.opt.inline {
		l.w.store.Fetch(&j.Fetch)
		l.Fetched(j)
		return
	}
	l.w.soon(fmt.Sprintf("fetch for lane %d", l.i), func() {
		if !l.dead {
			l.w.store.Fetch(&j.Fetch)
			l.post("fetched", func() { l.Fetched(j) })
		}
	})
}
