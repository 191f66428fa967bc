package poller

// Class says what may become of a write that the socket does not take at once.
type Class uint8

const (
	// Reliable output is refused (Full) when the queue is at its bound, and
	// never dropped once it is queued.
	Reliable Class = iota
	// Droppable output pushes out the oldest Droppable output when the queue is
	// at its bound.
	Droppable
	// Control output has a small bound of its own, so that a full queue does
	// not keep a pong or a close from going out.
	Control
)

// Result is what became of a write.
type Result uint8

const (
	// Written means the kernel took all of it.
	Written Result = iota
	// Queued means that some of it waits for the socket.
	Queued
	// Full means that nothing of it was taken: the queue is at its bound.
	Full
	// Gone means that the connection is closed or closing.
	Gone
)

// Limits bounds the output queue of a connection; a zero field means that of
// DefaultLimits. A frame counts until the last
// byte of it is out; the rest of a frame that has begun is kept whatever the
// bounds say.
type Limits struct {
	Messages     int // frames of class Reliable and Droppable
	Bytes        int // their bytes
	Control      int // frames of class Control
	ControlBytes int // their bytes
}

// DefaultLimits are those of a device: 64 messages and 64 KiB, and 16 control
// frames of together 4 KiB beside them.
var DefaultLimits = Limits{Messages: 64, Bytes: 64 << 10, Control: 16, ControlBytes: 4 << 10}

// outItem is one write that waits.
type outItem struct {
	b      []byte
	frames uint32 // messages in b, for counting drops
	key    uint32 // replaces a waiting item of the same key, if not 0
	class  Class
	owned  bool // b came from Loop.buffers
	begun  bool // the kernel has taken bytes of this frame that are not in b
}

// outQueue is the output of a connection whose socket is full. It exists only
// as long as that lasts.
type outQueue struct {
	slot     uint32
	index    uint32 // own index in Loop.outs
	items    []outItem
	off      int   // bytes of items[0] that the kernel has taken
	bytes    int   // all bytes that wait
	progress int64 // Loop.now when the kernel last took something

	messages, msgBytes int
	control, ctlBytes  int
}

// count adds (sign 1) or takes away (sign -1) an item in the bounds' terms.
func (q *outQueue) count(it *outItem, sign int) {
	q.bytes += sign * len(it.b)
	if it.class == Control {
		q.control += sign
		q.ctlBytes += sign * len(it.b)
		return
	}
	q.messages += sign * int(it.frames)
	q.msgBytes += sign * len(it.b)
}

// room reports whether an item of n bytes fits within the limits.
func (q *outQueue) room(lim *Limits, class Class, frames, n int) bool {
	if class == Control {
		return q.control < lim.Control && q.ctlBytes+n <= lim.ControlBytes
	}
	return q.messages+frames <= lim.Messages && q.msgBytes+n <= lim.Bytes
}

// droppable reports whether item i may be dropped. The first item is left alone
// once bytes of it are on the wire: dropping the rest would tear its frame.
func (q *outQueue) droppable(i int) bool {
	it := &q.items[i]
	return it.class == Droppable && !it.begun && (i > 0 || q.off == 0)
}

// enqueue puts an item, or what is left of it after the kernel took some, behind
// what waits. Its bytes are copied unless they are shared.
func (l *Loop) enqueue(slot uint32, s *conn, it outItem, shared bool) Result {
	q := l.queueOf(slot, s)
	lim := &l.p.opt.Limits[s.limit]
	if it.key != 0 && !it.begun {
		l.removeKey(q, it.key)
	}
	if !it.begun && !q.room(lim, it.class, int(it.frames), len(it.b)) {
		if it.class != Droppable || !l.makeRoom(q, lim, int(it.frames), len(it.b)) {
			l.n.overflow.Add(uint64(it.frames))
			return Full
		}
	}
	if !shared {
		it.b = append(l.buffers.Get(len(it.b)), it.b...)
		it.owned = true
	}
	q.items = append(q.items, it)
	q.count(&it, 1)
	return Queued
}

// removeKey takes the item with a key out of the queue, if it has not begun: a
// newer one is about to take its place.
func (l *Loop) removeKey(q *outQueue, key uint32) {
	for i := range q.items {
		it := &q.items[i]
		if it.key != key || !q.droppable(i) {
			continue
		}
		q.count(it, -1)
		l.n.replaced.Add(uint64(it.frames))
		if it.owned {
			l.buffers.Put(it.b)
		}
		copy(q.items[i:], q.items[i+1:])
		q.items[len(q.items)-1] = outItem{}
		q.items = q.items[:len(q.items)-1]
		return
	}
}

// makeRoom drops the oldest droppable items until n bytes fit. It drops nothing
// when even all of them would not make room.
func (l *Loop) makeRoom(q *outQueue, lim *Limits, frames, n int) bool {
	messages, bytes := q.messages+frames-lim.Messages, q.msgBytes+n-lim.Bytes // too many
	last := -1
	for i := 0; i < len(q.items) && (messages > 0 || bytes > 0); i++ {
		if q.droppable(i) {
			messages -= int(q.items[i].frames)
			bytes -= len(q.items[i].b)
			last = i
		}
	}
	if messages > 0 || bytes > 0 {
		return false
	}
	kept := q.items[:0]
	for i := range q.items {
		it := q.items[i]
		if i > last || !q.droppable(i) {
			kept = append(kept, it)
			continue
		}
		q.count(&it, -1)
		l.n.dropped.Add(uint64(it.frames))
		if it.owned {
			l.buffers.Put(it.b)
		}
	}
	clear(q.items[len(kept):])
	q.items = kept
	return true
}

// queueOf returns the connection's output queue, starting one, with
// write-readiness armed, if there is none.
func (l *Loop) queueOf(slot uint32, s *conn) *outQueue {
	if s.out != 0 {
		return l.outs[s.out-1]
	}
	var q *outQueue
	if n := len(l.spareOuts); n > 0 {
		q = l.spareOuts[n-1]
		l.spareOuts = l.spareOuts[:n-1]
	} else {
		q = &outQueue{}
	}
	q.slot, q.index, q.progress = slot, uint32(len(l.outs)), l.now
	l.outs = append(l.outs, q)
	s.out = q.index + 1
	l.register(slot, s)
	return q
}

// dropOutput gives the queue and what is in it back.
func (l *Loop) dropOutput(s *conn) {
	if s.out == 0 {
		return
	}
	q := l.outs[s.out-1]
	s.out = 0
	for i := range q.items {
		if q.items[i].owned {
			l.buffers.Put(q.items[i].b)
		}
	}
	last := len(l.outs) - 1
	if moved := l.outs[last]; moved != q {
		l.outs[q.index], moved.index = moved, q.index
		l.conns.At(moved.slot).out = q.index + 1
	}
	l.outs[last] = nil
	l.outs = l.outs[:last]
	clear(q.items)
	*q = outQueue{items: q.items[:0]}
	if cap(q.items) <= keepEntries && len(l.spareOuts) < keepQueues {
		l.spareOuts = append(l.spareOuts, q)
	}
	if last == 0 && cap(l.outs) > keepEntries {
		l.outs = nil // after a burst
	}
}
