package poller

import (
	"slices"

	"golang.org/x/sys/unix"
)

const (
	// MaxVariants is how many forms of a message one Cast can carry, the
	// unused 0 included.
	MaxVariants = 32

	// sliceTargets is how many connections one slice of a cast sends to before
	// the loop looks at other events: 512 sends are about 2.4 ms. 256 cost 3 to
	// 6 % more CPU per delivery.
	sliceTargets = 512

	// sliceScan bounds the slots looked at in one slice, where few of them are
	// receivers.
	sliceScan = 8192

	// fewTargets is the number below which the ring is not worth its submit.
	fewTargets = 16

	// joinBytes bounds how much of the casts that wait is joined into one send.
	joinBytes = 16 << 10

	// maxCasts bounds the casts that wait on one loop.
	maxCasts = 1024
)

// Cast is one message to many connections of a loop. What receivers get is
// encoded once per variant and shared by all of them; nobody may change it
// afterwards.
type Cast struct {
	// Frames holds the bytes for each variant; receivers of a variant that is
	// nil get nothing. Index 0 is not used.
	Frames [MaxVariants][]byte
	// Group is who receives: nil for every connection with a variant.
	Group *Group
	// Class is what may become of it at a connection whose socket is full.
	Class Class
	// Done, if set, is called on the loop when the last receiver was dealt
	// with.
	Done func(CastResult)
}

// CastResult counts receivers of one cast on one loop.
type CastResult struct {
	Written int // the kernel took the whole frame
	Queued  int // waits in the connection's queue
	Dropped int // refused by a full queue, or the connection broke
}

// castJob is a cast under way, at the head of those that go out with it.
type castJob struct {
	Cast
	started bool
	cursor  uint32              // next slot, or next member of the group
	also    []*castJob          // the casts joined behind this one
	joined  [MaxVariants][]byte // what is sent: Frames of all of them in order
	whole   [MaxVariants]int    // receivers by variant whose socket took all of it
	result  CastResult          // of this cast alone, whole apart
}

// target is one send of the slice that is being put together.
type target struct {
	slot    uint32
	fd      int32
	variant uint8
	b       []byte
}

// Cast queues a message to many. Casts of one loop go out in the order of the
// calls; those that wait for the same receivers are joined into one send. It
// reports false, and does nothing, when too many wait.
func (l *Loop) Cast(c Cast) bool {
	if len(l.jobs) >= maxCasts || l.stopping {
		return false
	}
	c.Frames[0] = nil // variant 0 is nobody's
	l.jobs = append(l.jobs, &castJob{Cast: c})
	l.tasks.signal()
	return true
}

// castSlice sends one slice of the first cast, or of several that have few
// receivers, and reports whether there is more to do.
func (l *Loop) castSlice() bool {
	for budget := sliceTargets; budget > 0 && len(l.jobs) > 0; {
		j := l.jobs[0]
		if !j.started {
			l.startJob(j)
		}
		n, scanned := l.collect(j, budget)
		budget -= max(n, scanned/(sliceScan/sliceTargets), 8)
		if l.ring != nil && n >= fewTargets {
			l.sendRing(j, l.targets[:n])
		} else {
			l.sendEach(j, l.targets[:n])
		}
		if j.Group != nil {
			for i := range n {
				l.conns.At(l.targets[i].slot).flags &^= flagTarget
			}
		}
		if j.cursor >= l.end(j) {
			l.endJob(j)
		}
	}
	return len(l.jobs) > 0
}

// end returns one past the last cursor position.
func (l *Loop) end(j *castJob) uint32 {
	if j.Group != nil {
		return uint32(len(j.Group.members))
	}
	return l.slots
}

// startJob joins the casts behind j that go to the same receivers. They share
// the sends and nothing else: where a socket does not take all of them, each
// frame is queued, dropped and counted by itself.
func (l *Loop) startJob(j *castJob) {
	j.started = true
	if j.Group != nil {
		j.Group.active = j
	}
	size := j.largest()
	n := 1
	for n < len(l.jobs) {
		next := l.jobs[n]
		if next.Group != j.Group || next.Class != j.Class || size+next.largest() > joinBytes {
			break
		}
		size += next.largest()
		n++
	}
	j.joined = j.Frames
	if n == 1 {
		return
	}
	j.also = slices.Clone(l.jobs[1:n])
	l.jobs = slices.Delete(l.jobs, 1, n)
	for v := range j.joined {
		together := 0
		for _, k := range j.also {
			together += len(k.Frames[v])
		}
		if together == 0 {
			continue
		}
		b := append(make([]byte, 0, len(j.Frames[v])+together), j.Frames[v]...)
		for _, k := range j.also {
			b = append(b, k.Frames[v]...)
		}
		j.joined[v] = b
	}
}

// largest returns the size of the cast's largest frame.
func (j *castJob) largest() int {
	size := 0
	for _, b := range j.Frames {
		size = max(size, len(b))
	}
	return size
}

// collect fills targets with the next receivers whose sockets are free, in slot
// order (which is close to the order in which the kernel allocated them: a
// random order costs 7-15 % more), and queues for those whose are not.
func (l *Loop) collect(j *castJob, atMost int) (n, scanned int) {
	end := l.end(j)
	for ; j.cursor < end && n < atMost && scanned < sliceScan; scanned++ {
		slot := j.cursor
		if j.Group != nil {
			slot = j.Group.members[j.cursor]
		}
		j.cursor++
		s := l.conns.At(slot)
		b := j.joined[s.variant]
		if len(b) == 0 || s.flags&flagUsed == 0 || s.flags&noData != 0 {
			continue
		}
		if s.out != 0 {
			l.queueFrames(j, slot, s, 0)
			continue
		}
		if j.Group != nil {
			if s.flags&flagTarget != 0 { // a member twice: a short send must not be followed by another
				j.cursor--
				break
			}
			s.flags |= flagTarget
		}
		l.targets[n] = target{slot: slot, fd: s.fd, variant: s.variant, b: b}
		n++
	}
	return n, scanned
}

// queueFrames queues, for one receiver, the frames behind the first sent bytes,
// one by one; of a frame that has begun, the rest.
func (l *Loop) queueFrames(j *castJob, slot uint32, s *conn, sent int) {
	variant := s.variant
	for i := -1; i < len(j.also); i++ {
		k := j
		if i >= 0 {
			k = j.also[i]
		}
		b := k.Frames[variant]
		if len(b) == 0 {
			continue
		}
		if sent >= len(b) {
			sent -= len(b)
			k.result.Written++
			continue
		}
		switch l.enqueue(slot, s, b[sent:], j.Class, 1, true, sent > 0) {
		case Queued:
			k.result.Queued++
		default:
			k.result.Dropped++
		}
		sent = 0
	}
}

// dropFrames counts, for one receiver, the frames of a connection that broke.
func (j *castJob) dropFrames(variant uint8) {
	for i := -1; i < len(j.also); i++ {
		k := j
		if i >= 0 {
			k = j.also[i]
		}
		if len(k.Frames[variant]) > 0 {
			k.result.Dropped++
		}
	}
}

// sendEach sends to the targets one by one.
func (l *Loop) sendEach(j *castJob, targets []target) {
	bytes := 0
	for i := range targets {
		t := &targets[i]
		n, errno := sysSend(int(t.fd), t.b)
		bytes += n
		if n == len(t.b) {
			j.whole[t.variant]++
		} else {
			l.notWhole(j, t, n, errno)
		}
		t.b = nil
	}
	l.n.sends.Add(uint64(len(targets)))
	l.n.bytesOut.Add(uint64(bytes))
}

// notWhole deals with a send that was short or failed. Between collect and here
// nothing runs that could change or free the receiver.
func (l *Loop) notWhole(j *castJob, t *target, n int, errno unix.Errno) {
	s := l.conns.At(t.slot)
	if errno != 0 && !temporary(errno) {
		l.doom(t.slot, s, errno)
		j.dropFrames(t.variant)
		return
	}
	l.queueFrames(j, t.slot, s, n)
}

// endJob takes the finished cast off and reports.
func (l *Loop) endJob(j *castJob) {
	if j.Group != nil {
		j.Group.active = nil
	}
	l.jobs = slices.Delete(l.jobs, 0, 1)
	if len(l.jobs) == 0 && cap(l.jobs) > keepEntries {
		l.jobs = nil // after a burst
	}
	l.report(j, &j.whole)
	for _, k := range j.also {
		l.report(k, &j.whole)
	}
}

// report counts one cast and says how it went.
func (l *Loop) report(j *castJob, whole *[MaxVariants]int) {
	for v, n := range whole {
		if len(j.Frames[v]) > 0 {
			j.result.Written += n
		}
	}
	l.n.castWritten.Add(uint64(j.result.Written))
	l.n.castQueued.Add(uint64(j.result.Queued))
	l.n.castDropped.Add(uint64(j.result.Dropped))
	if j.Done != nil {
		j.Done(j.result)
	}
}

// failJobs ends every cast as it stands, when the loop stops.
func (l *Loop) failJobs() {
	for len(l.jobs) > 0 {
		l.endJob(l.jobs[0])
	}
}

// Group is a set of connections of one loop that casts can address. It belongs
// to that loop. Whoever adds a connection remembers its position and removes it
// at the latest in Handler.Closed.
type Group struct {
	members []uint32 // slots
	active  *castJob // the cast that walks it
}

// Len returns the number of members.
func (g *Group) Len() int { return len(g.members) }

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
	if j := g.active; j != nil && pos < j.cursor {
		j.cursor--
		fill(pos, j.cursor)
		pos = j.cursor
	}
	fill(pos, last)
	g.members = g.members[:last]
	if last == 0 {
		g.members = nil
	}
}
