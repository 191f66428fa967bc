package plan

import "time"

// Schedule plans events at a constant rate, all of them up front: an open loop.
// An event's latency counts from when it was due, not from when it was sent, or
// a server that stalls would stop the clock that measures it.
type Schedule struct {
	Rate  float64 // due times per second; above 0
	Burst int     // events that share a due time; 0 means 1
}

func (s Schedule) burst() int { return max(s.Burst, 1) }

// Due returns when event i, from 0, is due, counted from the start.
func (s Schedule) Due(i int) time.Duration {
	return time.Duration(float64(i/s.burst()) / s.Rate * 1e9)
}

// Count returns how many events are due before d has passed.
func (s Schedule) Count(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	n := int(d.Seconds()*s.Rate) + 2 // rounding may be off by one either way
	for n > 0 && s.Due((n-1)*s.burst()) >= d {
		n--
	}
	return n * s.burst()
}
