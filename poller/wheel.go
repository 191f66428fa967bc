package poller

import "math/bits"

// wheelSize is the number of buckets of a wheel: 4,096 ticks of 125 ms reach
// 512 s, past the longest heartbeat deadline (1.5 x 300 s), so that a node is
// moved on at most once before it is due.
const wheelSize = 4096

// wheel keeps one deadline per slot, in ticks, in buckets of doubly linked
// slots. Setting, clearing and firing are O(1); an idle connection costs the 12
// bytes of its node and no periodic work. It has no clock: the loop says what
// the time is.
type wheel struct {
	nodes Slab[timerNode]
	heads [wheelSize]uint32      // slot + 1 of the first node of a bucket; 0 is empty
	busy  [wheelSize / 64]uint64 // bit per bucket that is not empty
	now   uint32                 // last tick that advance has dealt with
}

// timerNode is one slot's deadline. prev of the first node of a bucket names
// the bucket, marked by isHead.
type timerNode struct {
	deadline   uint32 // tick; 0 when not set
	next, prev uint32 // slot + 1
}

const isHead = uint32(1) << 31

// set arms slot's deadline, replacing the one before. A tick that has passed
// fires at the next one.
func (w *wheel) set(slot, tick uint32) {
	w.clear(slot)
	if tick <= w.now {
		tick = w.now + 1
	}
	w.nodes.At(slot).deadline = tick
	w.link(slot, tick)
}

// link puts slot at the front of the bucket of its tick, or of the farthest
// bucket when the tick lies beyond the wheel.
func (w *wheel) link(slot, tick uint32) {
	if tick-w.now >= wheelSize {
		tick = w.now + wheelSize - 1
	}
	b := tick % wheelSize
	n := w.nodes.At(slot)
	n.next, n.prev = w.heads[b], isHead|b
	if n.next != 0 {
		w.nodes.At(n.next - 1).prev = slot + 1
	}
	w.heads[b] = slot + 1
	w.busy[b/64] |= 1 << (b % 64)
}

// clear disarms slot's deadline, if there is one.
func (w *wheel) clear(slot uint32) {
	n := w.nodes.At(slot)
	if n.deadline == 0 {
		return
	}
	n.deadline = 0
	if n.next != 0 {
		w.nodes.At(n.next - 1).prev = n.prev
	}
	if n.prev&isHead == 0 {
		w.nodes.At(n.prev - 1).next = n.next
		return
	}
	b := n.prev &^ isHead
	w.heads[b] = n.next
	if n.next == 0 {
		w.busy[b/64] &^= 1 << (b % 64)
	}
}

// advance moves the wheel to tick to and calls fire for each deadline that has
// passed, each once; fire may set and clear any deadline.
func (w *wheel) advance(to uint32, fire func(slot uint32)) {
	for {
		t, ok := w.next()
		if !ok || t > to {
			break
		}
		w.now = t
		for b := t % wheelSize; w.heads[b] != 0; {
			slot := w.heads[b] - 1
			d := w.nodes.At(slot).deadline
			w.clear(slot)
			if d <= t {
				fire(slot)
				continue
			}
			w.nodes.At(slot).deadline = d
			w.link(slot, d)
		}
	}
	if to > w.now {
		w.now = to
	}
}

// next returns the earliest tick at which a bucket has to be looked at.
func (w *wheel) next() (tick uint32, ok bool) {
	first := w.now + 1
	b := first % wheelSize
	for i := uint32(0); i <= wheelSize/64; i++ {
		word := (b/64 + i) % (wheelSize / 64)
		set := w.busy[word]
		if i == 0 {
			set &= ^uint64(0) << (b % 64)
		}
		if i == wheelSize/64 {
			set &= 1<<(b%64) - 1
		}
		if set != 0 {
			at := word*64 + uint32(bits.TrailingZeros64(set))
			return first + (at-b+wheelSize)%wheelSize, true
		}
	}
	return 0, false
}
