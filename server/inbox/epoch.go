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

// eraStep is more than a process begins, all but surely, before one of its eras is
// on disk: removals are logged with theirs, and what begins when a device knows more
// than the store within a second or so.
const eraStep = 4096

// beginEra makes the eras of this process its own. Those that the log does not know,
// because a crash has forgotten them or the records that named them were lost, are
// behind eraStep and now: they were begun one at a time, before now, by a process that
// began with the time of its start. Only one that has begun more eras than seconds
// since, and is followed by a loss, could see one again; a device would still have to
// have been away ever since to take it for its own.
func (x *index) beginEra(now uint32) { x.era = max(x.era+eraStep, now) }
