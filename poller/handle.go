package poller

import "fmt"

// Handle names one connection for as long as the process lives: a loop, a slot
// of that loop and the generation of the slot. It fits in a word, holds no
// pointer, and never names a later connection that got the same slot or
// descriptor. The zero Handle names nobody.
//
//	63      56 55              32 31                       0
//	+---------+------------------+--------------------------+
//	|  loop   |       slot       |        generation        |
//	+---------+------------------+--------------------------+
type Handle uint64

const (
	slotBits = 24

	// MaxLoops is the largest number of loops of one Poller.
	MaxLoops = 128
	// MaxSlots is the largest number of connections of one loop.
	MaxSlots = 1 << slotBits
)

func makeHandle(loop int, slot, gen uint32) Handle {
	return Handle(uint64(loop)<<56 | uint64(slot)<<32 | uint64(gen))
}

// Loop returns the index of the owning loop.
func (h Handle) Loop() int { return int(h >> 56) }

// Slot returns the index of the connection among those of its loop. Slots are
// reused, the last released first, so they stay dense enough to index a Slab.
func (h Handle) Slot() uint32 { return uint32(h>>32) & (MaxSlots - 1) }

func (h Handle) gen() uint32 { return uint32(h) }

// String prints loop.slot.generation, for logs.
func (h Handle) String() string {
	return fmt.Sprintf("%d.%d.%d", h.Loop(), h.Slot(), h.gen())
}

// What a token in epoll's data stands for. The layout below the tag bit is
// that of Handle, with the kind in place of the loop.
const (
	kindConn = iota
	kindListener
	kindWake
	kindTimer
)

func makeToken(kind int, slot, gen uint32) uint64 {
	return tokenTag | uint64(kind)<<56 | uint64(slot)<<32 | uint64(gen)
}

func splitToken(t uint64) (kind int, slot, gen uint32) {
	return int(t >> 56 & 0x7f), uint32(t>>32) & (MaxSlots - 1), uint32(t)
}
