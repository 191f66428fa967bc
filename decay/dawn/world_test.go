package dawn

import (
	"fmt"
	"time"
)

// A world is a state of the whole system: the store, the clock, the machines,
// and of each machine the request that is under way and one that it has given up
// and that may still arrive. explore goes through all worlds that can be reached.
//
// A tick is Alive, so a lock is taken for dead after one and has expired after
// two. Ticks end at setup.last; the age of the lock goes on, so the worlds are
// finitely many, and none is stuck because time ends.
type world struct {
	set  *setup
	tick int

	// The store.
	lock lock
	rev  int64
	rec  Record
	top  int64 // revisions given

	nodes []member
	left  budget
}

// lock is the key LockKey; fence 0 is none.
type lock struct {
	fence int64
	value string
	node  string
	life  uint64
	age   int // in ticks
}

// budget is what may still go wrong.
type budget struct{ crashes, losses, doubles int }

// setup does not change on the way.
type setup struct {
	night   Night
	env     string // that the cluster really is
	nodes   []Config
	skews   []int // of their clocks, in ticks
	budget  budget
	scarce  bool // Assess may be answered with too much load
	travel  bool // answers take time; else they are there when the request has arrived
	last    int  // tick at which time ends
	limit   int  // of worlds; more are an error
	variant variant
}

// member is a node: its machine, unless it is down, and its requests.
type member struct {
	m       Machine
	life    uint64
	down    bool
	request Action // nil: none under way
	answer  Event  // to request, on its way back; nil: request has not arrived
	ghost   Action // given up, may still arrive; nil: none
}

// kind is what happens in a move. From crash on it is a fault: nobody may count
// on it to happen, or not to, so liveness does without.
type kind uint8

const (
	pass    kind = iota // a tick passes
	fire                // cron fires
	wake                // the wait of a machine is over
	arrive              // the request arrives
	scarce              // Assess arrives and finds too much load
	deliver             // the answer is there
	haunt               // a request that was given up arrives
	crash               // the node dies
	restart             // it starts again
	lost                // the request is lost
	late                // the request is given up and arrives afterwards
	unheard             // the request arrives, its answer is lost
	double              // the request arrives twice, the second answer counts
	expired             // the node hears that its lease is lost
)

var kindNames = [...]string{
	"a tick passes", "cron fires", "wakes", "%T arrives", "%T arrives and finds too much load", "%T is answered", "a request that was given up arrives",
	"dies", "starts again", "%T is lost", "%T is late", "%T arrives, its answer is lost", "%T arrives twice", "hears that its lease is lost",
}

// move is a step from one world to the next.
type move struct {
	kind kind
	node int8
}

func (mv move) fault() bool { return mv.kind >= crash }

// name describes the move as it would be made in w.
func (mv move) name(w *world) string {
	name := kindNames[mv.kind]
	switch {
	case mv.kind == pass:
		return name
	case mv.kind == arrive || mv.kind == scarce || mv.kind == deliver || mv.kind >= lost && mv.kind <= double:
		name = fmt.Sprintf(name, w.nodes[mv.node].request)
	}
	return fmt.Sprintf("%s: %s", w.set.nodes[mv.node].Node, name)
}

func newWorld(s *setup) *world {
	w := &world{set: s, left: s.budget}
	for i := range s.nodes {
		m, err := NewMachine(s.nodes[i], s.night)
		if err != nil {
			panic(err)
		}
		w.nodes = append(w.nodes, member{m: *m, life: s.nodes[i].Life})
	}
	return w
}

func (w *world) clone() *world {
	c := &world{}
	c.become(w)
	return c
}

// become makes w a copy of o.
func (w *world) become(o *world) {
	nodes := w.nodes
	*w = *o
	w.nodes = append(nodes[:0], o.nodes...)
}

// now is the clock of node i.
func (w *world) now(i int) time.Time {
	return w.set.night.Fire().Add(time.Duration(w.tick+w.set.skews[i]) * Alive)
}

// ended says that the ticks are used up: all that waits for a time may go on.
func (w *world) ended() bool { return w.tick >= w.set.last }

// moves appends what can happen next.
func (w *world) moves(all []move) []move {
	if !w.ended() || w.lock.fence != 0 {
		all = append(all, move{pass, 0})
	}
	for i := range w.nodes {
		n := &w.nodes[i]
		at := int8(i)
		if n.ghost != nil {
			all = append(all, move{haunt, at})
		}
		if n.down {
			all = append(all, move{restart, at})
			continue
		}
		if w.left.crashes > 0 {
			all = append(all, move{crash, at})
		}
		switch {
		case n.answer != nil:
			all = append(all, move{deliver, at})
		case n.request != nil:
			all = w.requestMoves(all, n, at)
		case n.m.state == Idle && (!w.now(i).Before(w.set.night.Fire()) || w.ended()):
			all = append(all, move{fire, at})
		case n.m.state == Asleep && (n.m.until.Before(w.now(i).Add(Alive)) || w.ended()):
			all = append(all, move{wake, at})
		}
		if n.m.fence != 0 && n.m.fence != w.lock.fence {
			all = append(all, move{expired, at})
		}
	}
	return all
}

func (w *world) requestMoves(all []move, n *member, at int8) []move {
	all = append(all, move{arrive, at})
	_, assess := n.request.(Assess)
	if assess && w.set.scarce {
		all = append(all, move{scarce, at})
	}
	if w.left.losses > 0 {
		all = append(all, move{lost, at})
		if w.potent(n.request) {
			all = append(all, move{unheard, at})
			if n.ghost == nil {
				all = append(all, move{late, at})
			}
		}
	}
	if _, ok := n.request.(Commit); ok && w.left.doubles > 0 {
		all = append(all, move{double, at})
	}
	return all
}

// do makes a move. An error is a promise that is broken.
func (w *world) do(mv move) error {
	i := int(mv.node)
	n := &w.nodes[i]
	switch mv.kind {
	case pass:
		w.passTick()
	case fire:
		return w.give(i, Fired{Now: w.now(i)})
	case wake:
		return w.give(i, Tick{later(n.m.until, w.now(i))})
	case arrive, scarce:
		return w.arrive(i, mv.kind == scarce)
	case deliver:
		return w.deliver(i)
	case haunt:
		ghost := n.ghost
		n.ghost = nil
		_, err := w.apply(ghost, 0, false)
		return err
	case crash:
		w.left.crashes--
		n.giveUp(w)
		n.down, n.m = true, Machine{}
	case restart:
		return w.restart(i)
	case lost, late, unheard:
		return w.lose(i, mv.kind)
	case double:
		w.left.doubles--
		if _, err := w.apply(n.request, n.m.seq, false); err != nil {
			return err
		}
		return w.arrive(i, false)
	case expired:
		n.giveUp(w)
		return w.give(i, LeaseLost{w.now(i)})
	}
	return nil
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (w *world) passTick() {
	w.tick = min(w.tick+1, w.set.last)
	if w.lock.fence != 0 && !w.set.variant.eternal {
		if w.lock.age++; w.lock.age >= int(LockTTL/Alive) {
			w.lock = lock{}
		}
	}
}

// give hands an event to node i and keeps the request that it makes.
func (w *world) give(i int, ev Event) error {
	n := &w.nodes[i]
	n.request, n.answer = nil, nil
	switch a := n.m.Handle(ev).(type) {
	case None:
		return fmt.Errorf("node %d in state %v does nothing with %T", i, n.m.state, ev)
	case Wait:
	case Stop:
		if !a.Refused && !w.rec.Done() {
			return fmt.Errorf("node %d stops (%s) before the night is done", i, a.Reason)
		}
	default:
		n.request = a
	}
	return nil
}

// giveUp keeps the request, if it has not arrived: it may still.
func (n *member) giveUp(w *world) {
	if n.request != nil && n.answer == nil && n.ghost == nil && w.potent(n.request) {
		n.ghost = n.request
	}
	n.request, n.answer = nil, nil
}

// potent reports whether a request that arrives now can do anything.
func (w *world) potent(a Action) bool {
	switch a := a.(type) {
	case Lock:
		return a.Replace == 0 || a.Replace == w.lock.fence
	case Commit:
		return w.set.variant.ignoreRevision || a.IfRevision == w.rev
	case Release:
		return a.Fence == w.lock.fence
	}
	return false
}

func (w *world) restart(i int) error {
	n := &w.nodes[i]
	n.life++
	c := w.set.nodes[i]
	c.Life = n.life
	m, err := NewMachine(c, w.set.night)
	if err != nil {
		return err
	}
	n.m, n.down = *m, false
	return nil
}

// lose gives the node no answer.
func (w *world) lose(i int, how kind) error {
	w.left.losses--
	n := &w.nodes[i]
	_, commit := n.request.(Commit)
	switch how {
	case late:
		n.giveUp(w)
	case unheard:
		if _, err := w.apply(n.request, 0, false); err != nil {
			return err
		}
	}
	if commit && w.set.variant.believe {
		return w.give(i, CommitResult{Now: w.now(i), Seq: n.m.seq, Rev: w.rev})
	}
	return w.give(i, Failed{Now: w.now(i), Seq: n.m.seq})
}

// arrive lets the store do the request of node i.
func (w *world) arrive(i int, scarce bool) error {
	n := &w.nodes[i]
	ev, err := w.apply(n.request, n.m.seq, scarce)
	if err != nil {
		return err
	}
	if n.answer = ev; w.set.travel {
		return nil
	}
	return w.deliver(i)
}

// deliver brings the answer, and then brings it again, which must do nothing.
func (w *world) deliver(i int) error {
	n := &w.nodes[i]
	answer := stamp(n.answer, w.now(i))
	if err := w.give(i, answer); err != nil {
		return err
	}
	state, seq := n.m.state, n.m.seq
	if a, none := n.m.Handle(answer).(None); !none || n.m.state != state || n.m.seq != seq {
		return fmt.Errorf("node %d in state %v: an answer that comes twice makes it %T", i, state, a)
	}
	return nil
}

// stamp puts the time of arrival into an answer.
func stamp(ev Event, now time.Time) Event {
	switch e := ev.(type) {
	case RecordRead:
		e.Now = now
		return e
	case LockResult:
		e.Now = now
		return e
	case Assessed:
		e.Now = now
		return e
	case CommitResult:
		e.Now = now
		return e
	case Released:
		e.Now = now
		return e
	}
	panic("no answer")
}
