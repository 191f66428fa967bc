package inbox

import "strconv"

// Epoch names one device's sequence of numbers: the store, and the era in which
// the sequence began. It changes when the history of the numbers is lost.
type Epoch struct {
	store uint64
	era   uint32
}

// storeBits are how many bits of a store's random id go into an epoch's name.
const storeBits = 40

// Append appends the epoch's name: at most 8 + 1 + 7 characters.
func (e Epoch) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, e.store&(1<<storeBits-1), 36)
	return strconv.AppendUint(append(dst, '.'), uint64(e.era), 36)
}

// String returns the epoch's name.
func (e Epoch) String() string {
	var buf [24]byte
	return string(e.Append(buf[:0]))
}

// Is reports whether name is the epoch's.
func (e Epoch) Is(name []byte) bool {
	var buf [24]byte
	return string(e.Append(buf[:0])) == string(name)
}

// eraStep is more than a process begins within the second or so until one of its
// eras is on disk: at its start one is, removals are logged with theirs, and what
// begins when a device knows more than the store is logged with the next tick.
const eraStep = 4096

// beginEra makes the eras of this process its own: those that a crash has forgotten
// are never used again. Those that were lost with the records that named them were,
// all but surely, begun before now.
func (x *index) beginEra(now uint32) { x.era = max(x.era+eraStep, now) }
