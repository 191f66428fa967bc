package poller

import "golang.org/x/sys/unix"

const (
	// MaxVariants is how many forms of a message one Cast can carry, the
	// unused 0 included.
	MaxVariants = 16

	// sliceTargets is how many connections one slice of a cast sends to before
	// the loop looks at other events: 256 sends are about 1.3 ms.
	sliceTargets = 256

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

// castJob is a cast under way, or several joined ones.
type castJob struct {
	Cast
	frames  int // messages joined
	started bool
	cursor  uint32 // next slot, or next member of the group
	result  CastResult
	also    []func(CastResult) // Done of the joined ones
}

// target is one send of the slice that is being put together.
type target struct {
	slot, gen uint32
	fd        int32
	b         []byte
}

// Cast queues a message to many. Casts of one loop go out in the order of the
// calls; those that wait for the same receivers are joined into one send. It
// reports false, and does nothing, when too many wait.
func (l *Loop) Cast(c Cast) bool {
	if len(l.jobs) >= maxCasts || l.stopping {
		return false
	}
	l.jobs = append(l.jobs, &castJob{Cast: c, frames: 1})
	l.tasks.signal()
	return true
}

// castSlice sends one slice of the first cast and reports whether there is more
// to do.
func (l *Loop) castSlice() bool {
	if len(l.jobs) == 0 {
		return false
	}
	j := l.jobs[0]
	if !j.started {
		l.startJob(j)
	}
	n := l.collect(j)
	if l.ring != nil && n >= fewTargets {
		l.sendRing(j, l.targets[:n])
	} else {
		l.sendEach(j, l.targets[:n])
	}
	if j.cursor >= l.end(j) {
		l.endJob(j)
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

// startJob joins the casts behind j that go to the same receivers.
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
	if n == 1 {
		return
	}
	var joined [MaxVariants][]byte
	for _, k := range l.jobs[:n] {
		for v, b := range k.Frames {
			joined[v] = append(joined[v], b...)
		}
		if k != j && k.Done != nil {
			j.also = append(j.also, k.Done)
		}
	}
	j.Frames, j.frames = joined, n
	l.jobs = append(l.jobs[:1], l.jobs[n:]...)
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
func (l *Loop) collect(j *castJob) (n int) {
	end := l.end(j)
	for scanned := 0; j.cursor < end && n < sliceTargets && scanned < sliceScan; scanned++ {
		slot := j.cursor
		if j.Group != nil {
			slot = j.Group.members[j.cursor]
		}
		j.cursor++
		s := l.conns.At(slot)
		b := j.Frames[s.variant]
		if len(b) == 0 || s.flags&noData != 0 {
			continue
		}
		if s.out != 0 {
			j.tally(l.enqueue(slot, s, b, j.Class, j.frames, true, false))
			continue
		}
		l.targets[n] = target{slot: slot, gen: s.gen, fd: s.fd, b: b}
		n++
	}
	return n
}

// tally counts what became of one receiver's frame.
func (j *castJob) tally(r Result) {
	switch r {
	case Written:
		j.result.Written++
	case Queued:
		j.result.Queued++
	default:
		j.result.Dropped++
	}
}

// sendEach sends to the targets one by one.
func (l *Loop) sendEach(j *castJob, targets []target) {
	written, bytes := 0, 0
	for i := range targets {
		t := &targets[i]
		n, errno := sysSend(int(t.fd), t.b)
		bytes += n
		if n == len(t.b) && errno == 0 {
			written++
		} else {
			l.notWhole(j, t, n, errno)
		}
		t.b = nil
	}
	j.result.Written += written
	l.n.sends.Add(uint64(len(targets)))
	l.n.bytesOut.Add(uint64(bytes))
}

// notWhole deals with a send that was short or failed.
func (l *Loop) notWhole(j *castJob, t *target, n int, errno unix.Errno) {
	s := l.conns.At(t.slot)
	if s.gen != t.gen || s.flags&noData != 0 {
		j.result.Dropped++
		return
	}
	if errno != 0 && !temporary(errno) {
		l.doom(t.slot, s, errno)
		j.result.Dropped++
		return
	}
	j.tally(l.enqueue(t.slot, s, t.b[n:], j.Class, j.frames, true, n > 0))
}

// endJob takes the finished cast off and reports.
func (l *Loop) endJob(j *castJob) {
	if j.Group != nil {
		j.Group.active = nil
	}
	copy(l.jobs, l.jobs[1:])
	l.jobs[len(l.jobs)-1] = nil
	l.jobs = l.jobs[:len(l.jobs)-1]
	if len(l.jobs) == 0 {
		l.jobs = nil
	}
	l.n.castWritten.Add(uint64(j.result.Written * j.frames))
	l.n.castQueued.Add(uint64(j.result.Queued * j.frames))
	l.n.castDropped.Add(uint64(j.result.Dropped * j.frames))
	if j.Done != nil {
		j.Done(j.result)
	}
	for _, done := range j.also {
		done(j.result)
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
