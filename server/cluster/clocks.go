package cluster

import (
	"slices"
	"time"
)

// Times in a pointer are by the clock of whoever changed it, a planner's or that of an
// operator's machine, which may be minutes off. So what has to pass since a change is counted from when
// it was seen, by the clock of who counts; the times in the pointer are for people, and for
// who comes later (resting.left).

// sighting is since when a process has seen a trial. The zero value is of none.
type sighting struct {
	trial uint64
	since time.Time
}

// age returns how long a trial has been seen, 0 the first time. A process that starts while
// it is on counts from there: a trial may be longer by that, never shorter.
func (s *sighting) age(trial uint64, now time.Time) time.Duration {
	if s.trial != trial {
		*s = sighting{trial, now}
	}
	return max(now.Sub(s.since), 0)
}

// ClockOf returns now by the clocks of the nodes, for who is none: each puts its weight every WeightRefresh at least, so
// half of the nodes' clocks are between the median of those times and a refresh and a TTL later. A now that is outside goes
// to the nearer end; where no node says anything it stays.
func ClockOf(v *View, now time.Time) time.Time {
	var said []time.Time
	for _, w := range v.Weights {
		said = append(said, w.At)
	}
	if len(said) == 0 {
		return now
	}
	slices.SortFunc(said, time.Time.Compare)
	from := said[len(said)/2]
	if to := from.Add(WeightRefresh + WeightTTL); now.After(to) {
		return to
	}
	if now.Before(from) {
		return from
	}
	return now
}

// resting is the time after a rollback, in which nothing is tried. The zero value has not
// looked yet.
type resting struct {
	looked bool
	back   time.Time // Pointer.Back
	since  time.Time // when it was seen to change to that; zero: it was there at the first look
}

// left returns the rest after another look at the pointer, and how much of it is still to
// come. A rollback that was there at the first look is as old as its author's clock says, be it ahead or
// behind: then the rest is shorter or longer by how far it is off, by no more than a whole one.
func (r resting) left(p *Pointer, now time.Time, rest time.Duration) (resting, time.Duration) {
	if !r.back.Equal(p.Back) {
		if r.back = p.Back; r.looked {
			r.since = now
		}
	}
	r.looked = true
	switch {
	case p.Back.IsZero():
		return r, 0
	case !r.since.IsZero():
		return r, max(rest-now.Sub(r.since), 0)
	}
	if off := now.Sub(p.Back); off < rest && off > -rest {
		return r, min(rest-off, rest)
	}
	return r, 0
}
