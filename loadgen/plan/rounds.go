package plan

// Mark says what a delivery was.
type Mark uint8

const (
	// Fresh is a round that this connection had not got.
	Fresh Mark = iota
	// Duplicate is one that it had.
	Duplicate
	// Stale is one so far behind the newest that the Window cannot tell.
	Stale
)

// WindowSize is how far rounds of one connection may overtake each other.
const WindowSize = 64

// Window remembers which of its last rounds one connection has got. Rounds that
// are published at the same time may arrive in any order.
type Window struct {
	bits uint64 // bit k: round next-1-k has arrived
	next uint32 // newest round + 1
}

// Mark takes note of a delivery.
func (w *Window) Mark(round uint32) Mark {
	if round >= w.next {
		w.bits = w.bits<<(round-w.next+1) | 1 // shifting by 64 and more gives 0
		w.next = round + 1
		return Fresh
	}
	back := w.next - 1 - round
	if back >= WindowSize {
		return Stale
	}
	if w.bits>>back&1 != 0 {
		return Duplicate
	}
	w.bits |= 1 << back
	return Fresh
}

// Round is what is known about one broadcast.
type Round struct {
	Count       int   // connections that got it
	First, Last int64 // ns, of its deliveries
}

// Deliver counts one delivery at time now.
func (r *Round) Deliver(now int64) {
	if r.Count == 0 {
		r.First = now
	}
	r.Count++
	r.Last = now
}

// Add joins what another loop has seen of the same round.
func (r *Round) Add(o Round) {
	switch {
	case o.Count == 0:
	case r.Count == 0:
		*r = o
	default:
		*r = Round{Count: r.Count + o.Count, First: min(r.First, o.First), Last: max(r.Last, o.Last)}
	}
}

// Missing returns how many of the deliveries to readers connections did not
// happen, over all rounds.
func Missing(rounds []Round, readers int) int {
	n := 0
	for _, r := range rounds {
		n += max(readers-r.Count, 0)
	}
	return n
}
