package link

import "time"

// offsetWindow is how many pings an estimate is over. At one a second and two
// clocks that drift apart by 20 ppm, what the oldest says is wrong by 0.3 ms;
// Bound counts that in.
const (
	offsetWindow = 16
	drift        = 20e-6
)

// Offset estimates by how much a worker's clock has to be shifted to be the
// coordinator's: from pings, by the one with the shortest way. A reading that
// took rtt can be wrong by half of it and no more, whatever the two ways were.
// The zero value knows nothing.
type Offset struct {
	last [offsetWindow]reading
	n    int
}

type reading struct {
	at    int64 // coordinator's clock
	shift int64
	rtt   int64
}

// Add takes the answer to a ping that was sent at sent and came back at back,
// both on the coordinator's clock, with own on the worker's.
func (o *Offset) Add(sent, back, own int64) {
	if back < sent {
		return // not of this coordinator
	}
	o.last[o.n%offsetWindow] = reading{at: back, shift: sent + (back-sent)/2 - own, rtt: back - sent}
	o.n++
}

// Shift returns the best estimate, and the bound of its error at the instant
// now; ok is false if there was no reading.
func (o *Offset) Shift(now int64) (shift int64, bound time.Duration, ok bool) {
	best := int64(-1)
	for _, r := range o.last[:min(o.n, offsetWindow)] {
		b := (r.rtt+1)/2 + int64(drift*float64(max(now-r.at, 0)))
		if best < 0 || b < best {
			best, shift = b, r.shift
		}
	}
	return shift, time.Duration(best), best >= 0
}
