package swarm

import "roost/loadgen/tally"

// rounds are the courses of messages to many that are under way: every
// stride'th message of a publish, in a ring. One without subscribers has a place
// in it and is handed to nobody.
type rounds struct {
	ring  []course // a power of two
	first uint32   // of all that were opened, the oldest in the ring
	next  uint32   // how many were opened
}

// course is a round that is under way.
type course struct {
	tally.Round
	stream uint32 // of the publish
	seq    uint32 // in its stream
	last   int64  // when somebody got it last
}

// maxRounds is how many may be under way. What is pushed out is handed over as
// it is.
const maxRounds = 4096

// open begins a round; the numbers of a publish are opened one after the other.
func (r *rounds) open(o course, rec *recorder) {
	if int(r.next-r.first) == len(r.ring) {
		if len(r.ring) == maxRounds {
			r.pop(rec)
		} else {
			r.grow()
		}
	}
	*r.at(r.next) = o
	r.next++
}

func (r *rounds) at(k uint32) *course { return &r.ring[int(k)&(len(r.ring)-1)] }

func (r *rounds) grow() {
	old := *r
	r.ring = make([]course, max(2*len(old.ring), 64))
	for k := old.first; k < old.next; k++ {
		*r.at(k) = *old.at(k)
	}
}

// deliver takes note of a delivery of message n at time now.
func (r *rounds) deliver(n, stride uint32, now int64) {
	if n%stride != 0 {
		return
	}
	if k := n / stride; k >= r.first && k < r.next {
		if round := r.at(k); round.Got < round.Want {
			round.Deliver(now)
			round.last = now
		}
	}
}

// leave takes a subscriber that ends as planned out of the rounds of a stream
// that it has not got: nobody may wait for it.
func (r *rounds) leave(a *account, s subject, l *ledger) {
	for k := r.first; k < r.next; k++ {
		if o := r.at(k); o.stream == s.stream && o.Got < o.Want && a.lacks(o.seq, s, l) {
			o.Leave(o.last)
		}
	}
}

// emit hands over, in order, what is complete or was due before overdue.
func (r *rounds) emit(overdue int64, rec *recorder) {
	for r.first < r.next {
		if o := r.at(r.first); o.Got < o.Want && o.Due >= overdue {
			return
		}
		r.pop(rec)
	}
}

func (r *rounds) pop(rec *recorder) {
	if o := r.at(r.first); o.Want > 0 {
		rec.t.Rounds = append(rec.t.Rounds, o.Round)
	}
	r.first++
}
