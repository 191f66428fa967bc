package swarm

// account is what one subscriber has of one stream: 24 bytes, without pointers.
// It knows which messages are due to the subscriber, by where they begin, and
// which of the last 64 have come; those that leave this window without having
// come are noted in a ledger.
//
//	closed --open--> open --part--> away --open--> open
//	   ^               |              |
//	   +-----drop------+------drop----+
type account struct {
	bits  uint64 // bit k: message next-1-k has come
	next  uint32 // behind the newest that has come
	from  uint32 // the first that is due to it, or away: the first that it has missed
	due   uint32 // streams of one client: behind the newest that is planned
	state accountState
	// parted says that a kept account has been without a connection: what it
	// lacks in the end was lost there.
	parted bool
}

type accountState uint8

const (
	accountClosed accountState = iota // nothing is due to it
	accountOpen                       // its subscriber is connected; of a kept stream, will be again
	accountAway                       // its subscriber is not connected and means to come back
)

// windowSize is how far messages of a stream may overtake each other and be
// judged by the account alone.
const windowSize = 64

// verdict is what a delivery was.
type verdict uint8

const (
	fresh     verdict = iota
	behind            // fresh, but later than a newer one
	duplicate         // it had that
	joining           // sent before it was due to this subscriber
)

// subject names whose account it is, of what.
type subject struct {
	place
	client uint32 // of this worker
}

// place is a stream, as a group of clients sees it.
type place struct {
	publish uint16
	group   uint8
	stream  uint32 // of the publish: a topic, a client, a node
}

// open makes what comes from number planned on due to the subscriber. What was
// planned while it was away is a gap.
func (a *account) open(planned uint32, s subject, l *ledger) {
	if a.state == accountOpen { // of a kept stream
		return
	}
	if a.state == accountAway {
		l.addRange(s, gap, a.from, planned)
	}
	a.bits, a.next, a.from, a.state = 0, planned, planned, accountOpen
}

// take judges a delivery.
func (a *account) take(seq uint32, s subject, l *ledger) verdict {
	if a.state != accountOpen || seq < a.from {
		return joining
	}
	if seq >= a.next {
		a.slide(seq, s, l)
		return fresh
	}
	back := a.next - 1 - seq
	if back >= windowSize {
		if l.fill(s, seq) {
			return behind
		}
		return duplicate
	}
	if a.bits>>back&1 != 0 {
		return duplicate
	}
	a.bits |= 1 << back
	return behind
}

// slide moves the window so that seq is the newest, and notes what has not come
// and leaves it.
func (a *account) slide(seq uint32, s subject, l *ledger) {
	if end := int64(seq) + 1 - windowSize; end > int64(a.from) {
		a.holes(uint32(end), s, missing, l)
		if uint32(end) > a.next {
			l.addRange(s, missing, a.next, uint32(end))
		}
	}
	a.bits = a.bits<<(seq-a.next+1) | 1 // shifting by 64 and more gives 0
	a.next = seq + 1
}

// holes notes those of the window below end that have not come.
func (a *account) holes(end uint32, s subject, k lossKind, l *ledger) {
	first := a.from
	if a.next > windowSize {
		first = max(first, a.next-windowSize)
	}
	for n := first; n < min(end, a.next); n++ {
		if a.bits>>(a.next-1-n)&1 == 0 {
			l.add(s, k, n)
		}
	}
}

// lacks reports whether a message that is due to a connected subscriber has not
// come.
func (a *account) lacks(seq uint32, s subject, l *ledger) bool {
	switch {
	case a.state != accountOpen || seq < a.from:
		return false
	case seq >= a.next:
		return true
	case a.next-1-seq >= windowSize:
		_, lacks := l.holes[hole{s, seq}]
		return lacks
	}
	return a.bits>>(a.next-1-seq)&1 == 0
}

// complete reports whether nothing below planned is still to come to a
// subscriber that is connected. What has left the window is not waited for.
func (a *account) complete(planned uint32) bool {
	if a.state != accountOpen {
		return true
	}
	if a.next < planned {
		return false
	}
	span := min(a.next-a.from, windowSize)
	came := ^uint64(0) >> (windowSize - span) // shifting by 64 gives 0
	return a.bits&came == came
}

// resolve notes everything below planned that has not come as lost by k, and
// begins anew from there.
func (a *account) resolve(planned uint32, s subject, k lossKind, l *ledger) {
	planned = max(planned, a.next)
	switch a.state {
	case accountOpen:
		a.holes(a.next, s, k, l)
		l.addRange(s, k, a.next, planned)
	case accountAway:
		l.addRange(s, gap, a.from, planned)
	}
	a.bits, a.next, a.from = 0, planned, planned
}

// part ends the connection of a subscriber that means to come back: what was
// due and has not come is lost by k.
func (a *account) part(planned uint32, s subject, k lossKind, l *ledger) {
	if a.state == accountOpen {
		a.resolve(planned, s, k, l)
		a.state = accountAway
	}
}

// drop ends the account; what has not come is nobody's loss.
func (a *account) drop() { *a = account{due: a.due} }
