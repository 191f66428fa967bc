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
	ends  int // aborts that operators may still ask for
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
	night   Night     // as it is to be done at last
	old     Night     // as the nodes know it before they read the calendar again; empty: as night
	fire    time.Time // of night, from newWorld on
	readers int       // nodes that ever read it again, the first ones
	aborts  int       // that operators ask for
	unsure  []int     // nodes that do not know how far their clocks are off
	env     string    // that the cluster really is
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
	old     bool   // it has not read the calendar again
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
	reload              // the node reads the calendar again
	crash               // the node dies
	restart             // it starts again
	lost                // the request is lost
	late                // the request is given up and arrives afterwards
	unheard             // the request arrives, its answer is lost
	double              // the request arrives twice, the second answer counts
	expired             // the node hears that its lease is lost
	abort               // an operator ends the night
)

var kindNames = [...]string{
	"a tick passes", "cron fires", "wakes", "%T arrives", "%T arrives and finds too much load", "%T is answered", "a request that was given up arrives", "reads the calendar again",
	"dies", "starts again", "%T is lost", "%T is late", "%T arrives, its answer is lost", "%T arrives twice", "hears that its lease is lost", "is told to end the night",
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
	s.fire = s.night.Fire()
	w := &world{set: s, left: s.budget, ends: s.aborts}
	for i := range s.nodes {
		n := member{life: s.nodes[i].Life, old: len(s.old.Openings) > 0}
		m, err := NewMachine(s.nodes[i], w.calendar(&n))
		if err != nil {
			panic(err)
		}
		n.m = *m
		w.nodes = append(w.nodes, n)
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

// ignorant says that the node never reads the calendar again.
func (s *setup) ignorant(i int) bool { return len(s.old.Openings) > 0 && i >= s.readers }

// calendar is the night as a node knows it.
func (w *world) calendar(n *member) Night {
	if n.old {
		return w.set.old
	}
	return w.set.night
}

// done says that the night is done as a calendar has it.
func (w *world) done(n *Night) bool {
	for i := range n.Openings {
		if !w.rec.has(&n.Openings[i]) {
			return false
		}
	}
	return w.rec.Done()
}

// doneFor says that the night was done when the node last read the record: all
// that it has in its calendar, or found there. Others may have added to it since.
func (w *world) doneFor(n *member) bool {
	night := w.calendar(n)
	for i := range night.Openings {
		if !w.rec.has(&night.Openings[i]) {
			return false
		}
	}
	for i := range w.rec.Entries {
		if e := &w.rec.Entries[i]; !e.Stage.over() && n.m.record.has(&e.Opening) {
			return false
		}
	}
	return true
}

// clockNow is a clock that is right.
func (w *world) clockNow() time.Time {
	return w.set.fire.Add(time.Duration(w.tick) * Alive)
}

// now is the clock of node i.
func (w *world) now(i int) time.Time {
	return w.set.fire.Add(time.Duration(w.tick+w.set.skews[i]) * Alive)
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
		if n.old && !w.set.ignorant(i) {
			all = append(all, move{reload, at})
		}
		if w.ends > 0 && n.m.state != Idle && n.m.state != Refused {
			all = append(all, move{abort, at})
		}
		switch {
		case n.answer != nil:
			all = append(all, move{deliver, at})
		case n.request != nil:
			all = w.requestMoves(all, n, at)
		case n.m.state == Idle && (!w.now(i).Before(w.set.fire) || w.ended()):
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
