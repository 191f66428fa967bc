package dawn

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// result is what explore found: how much there is, and the first thing wrong.
type result struct {
	worlds, moves int
	depth         int // of the world that takes the most moves to reach
	done          int // worlds in which the night is done
	wrong         error
	way           []string // moves from the beginning to it
}

func (r *result) String() string {
	if r.wrong == nil {
		return fmt.Sprintf("%d worlds, %d moves, depth %d, %d with the night done", r.worlds, r.moves, r.depth, r.done)
	}
	return fmt.Sprintf("%v, after %d moves:\n  %s", r.wrong, len(r.way), strings.Join(r.way, "\n  "))
}

// explorer is a search breadth first, so the way to what is wrong is a shortest.
type explorer struct {
	set    *setup
	ids    map[[2]uint64]int32 // by a hash of the key; 128 bits do not collide
	seeds  [2]maphash.Seed
	from   []int32 // the world before
	by     []move  // from it
	depths []int32
	done   []bool // the night is done
	dead   []bool // nobody is up who can finish it
	edges  []edge // of moves that are no faults
	key    keyer
}

type edge struct{ from, to int32 }

// explore goes through every world that setup can get into. It checks each step
// that takes effect, and then that from each world in which a node is up the
// night can be finished without luck: by moves that are no faults.
func explore(s *setup) *result {
	x := &explorer{set: s, ids: map[[2]uint64]int32{}, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	r := &result{}
	first := newWorld(s)
	x.add(first, -1, move{})
	var moves []move
	next := first.clone()
	for queue, at := []*world{first}, int32(0); len(queue) > 0; at++ {
		w := queue[0]
		queue[0] = nil
		queue = queue[1:]
		moves = w.moves(moves[:0])
		for _, mv := range moves {
			r.moves++
			next.become(w)
			if err := next.do(mv); err != nil {
				r.wrong, r.way = err, append(x.way(at), mv.name(w))
				return x.count(r)
			}
			next.tidy()
			id, fresh := x.add(next, at, mv)
			if fresh {
				queue = append(queue, next.clone())
			}
			if !mv.fault() {
				x.edges = append(x.edges, edge{at, id})
			}
		}
		if len(x.from) > s.limit {
			r.wrong = fmt.Errorf("more than %d worlds", s.limit)
			return x.count(r)
		}
	}
	if stuck := x.stuck(); stuck >= 0 && s.night.Environment == s.env {
		r.wrong, r.way = fmt.Errorf("from here the night is never done"), x.way(stuck)
	}
	return x.count(r)
}

// tidy forgets requests that can do nothing any more.
func (w *world) tidy() {
	for i := range w.nodes {
		if n := &w.nodes[i]; n.ghost != nil && !w.potent(n.ghost) {
			n.ghost = nil
		}
	}
}

func (x *explorer) add(w *world, from int32, by move) (id int32, fresh bool) {
	bytes := x.key.key(w)
	key := [2]uint64{maphash.Bytes(x.seeds[0], bytes), maphash.Bytes(x.seeds[1], bytes)}
	if id, ok := x.ids[key]; ok {
		return id, false
	}
	id = int32(len(x.from))
	x.ids[key] = id
	depth := int32(0)
	if from >= 0 {
		depth = x.depths[from] + 1
	}
	up := false
	for i := range w.nodes { // who does not know its clock, or the calendar, may have to leave it to others
		up = up || !w.nodes[i].down && !slices.Contains(x.set.unsure, i) && !x.set.ignorant(i)
	}
	x.from, x.by, x.depths = append(x.from, from), append(x.by, by), append(x.depths, depth)
	x.done, x.dead = append(x.done, w.rev != 0 && w.done(&w.set.night)), append(x.dead, !up)
	return id, true
}

// way returns the moves to a world, by playing them again.
func (x *explorer) way(id int32) []string {
	var moves []move
	for ; x.from[id] >= 0; id = x.from[id] {
		moves = append(moves, x.by[id])
	}
	var names []string
	w := newWorld(x.set)
	for _, mv := range slices.Backward(moves) {
		names = append(names, mv.name(w))
		if err := w.do(mv); err != nil {
			return append(names, "which is "+err.Error())
		}
		w.tidy()
	}
	return names
}

// stuck returns the first world in which a node is up and from which no way leads
// to one where the night is done, -1 if there is none.
func (x *explorer) stuck() int32 {
	n := len(x.from)
	starts := make([]int32, n+1) // of the edges into each world
	for _, e := range x.edges {
		starts[e.to+1]++
	}
	for i := range n {
		starts[i+1] += starts[i]
	}
	back := make([]int32, len(x.edges))
	at := append([]int32(nil), starts...)
	for _, e := range x.edges {
		back[at[e.to]] = e.from
		at[e.to]++
	}
	good := append([]bool(nil), x.done...)
	var queue []int32
	for i, ok := range good {
		if ok {
			queue = append(queue, int32(i))
		}
	}
	for len(queue) > 0 {
		id := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, from := range back[starts[id]:starts[id+1]] {
			if !good[from] {
				good[from] = true
				queue = append(queue, from)
			}
		}
	}
	for i, ok := range good {
		if !ok && !x.dead[i] {
			return int32(i)
		}
	}
	return -1
}

func (x *explorer) count(r *result) *result {
	r.worlds = len(x.from)
	for i, done := range x.done {
		if done {
			r.done++
		}
		r.depth = max(r.depth, int(x.depths[i]))
	}
	return r
}
