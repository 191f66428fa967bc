package plan

import "time"

// replay is a list of due times, played once or over and over.
type replay struct {
	times  []time.Duration
	period time.Duration // from one begin to the next; 0: played once
}

// newReplay loops with a period of the list's length and one mean gap, so that
// the mean rate is that of the list. One time alone, or times that are all the
// same, have no gap and are played once.
func newReplay(times []time.Duration, loop bool) replay {
	r := replay{times: times}
	if n := len(times); loop && n > 1 {
		span := times[n-1] - times[0]
		r.period = span + span/time.Duration(n-1)
	}
	return r
}

func (r *replay) at(k uint64) (time.Duration, bool) {
	n := uint64(len(r.times))
	switch {
	case k < n:
		return max(r.times[k], 0), true
	case r.period <= 0 || k/n > uint64(forever/r.period):
		return 0, false
	}
	return max(r.times[k%n], 0) + time.Duration(k/n)*r.period, true
}

// busiest returns the most due times in any one second of the first few: of a
// list that loops, until its second playing has ended.
func (r *replay) busiest(until time.Duration) (most uint64) {
	first := uint64(0)
	for k := range uint64(2 * len(r.times)) {
		due, ok := r.at(k)
		if !ok || due >= until {
			break
		}
		for {
			if begin, _ := r.at(first); due-begin < time.Second {
				break
			}
			first++
		}
		most = max(most, k-first+1)
	}
	return most
}
