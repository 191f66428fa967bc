package poller

// Group is a set of connections of one loop that casts can address. It belongs
// to that loop. Whoever adds a connection remembers its position and removes it
// at the latest in Handler.Closed.
type Group struct {
	members []uint32  // slots
	active  *castWalk // the walk that is on it
}

// Len returns the number of members.
func (g *Group) Len() int { return len(g.members) }

// Each calls f for every member until it says no. f must not change the group.
func (g *Group) Each(l *Loop, f func(c Conn) bool) {
	for _, slot := range g.members {
		if !f(Conn{l, makeHandle(l.index, slot, l.conns.At(slot).gen)}) {
			return
		}
	}
}

// Add puts the connection in and returns its position.
func (g *Group) Add(c Conn) (pos uint32) {
	g.members = append(g.members, c.Slot())
	return uint32(len(g.members) - 1)
}

// Remove takes the member at pos out and fills the gap: moved is called for
// each member (a slot) that got another position. A cast under way neither
// misses nor repeats anyone: what it has passed stays before its cursor.
//
//	passed . pos . passed | to come . last
//	         ^-- last passed moves here; last moves to where that was
func (g *Group) Remove(pos uint32, moved func(slot, pos uint32)) {
	fill := func(to, from uint32) {
		if to != from {
			g.members[to] = g.members[from]
			moved(g.members[to], to)
		}
	}
	last := uint32(len(g.members) - 1)
	if w := g.active; w != nil && pos < w.cursor {
		w.cursor--
		fill(pos, w.cursor)
		pos = w.cursor
	}
	fill(pos, last)
	g.members = g.members[:last]
	if last == 0 {
		g.members = nil
	}
}
