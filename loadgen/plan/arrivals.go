package plan

import (
	"math"
	"math/rand/v2"
	"time"
)

// Arrival says how due times are spread over a phase.
type Arrival struct {
	// Kind is constant, linear, step, poisson, spike, replay or at_once. Another
	// one plans nothing.
	Kind string
	// Rate is due times a second: the first of linear, the base of spike. Rates
	// count up to 1e9; what is not a positive number is no due time at all.
	Rate  float64
	To    float64         // the last rate of linear, the rate during a spike
	Steps []float64       // rates of step, each for an equal part of the phase
	At    time.Duration   // when a spike begins
	For   time.Duration   // how long it is
	Times []time.Duration // of replay, ascending
	Loop  bool            // replay begins anew, one mean gap after its last time
	// Burst is how many events share a due time; 0 is 1. At_once is one burst at
	// the begin: a ramp's is as large as its number of dials.
	Burst int
}

// forever stands for the end of a phase that has none: 146 years.
const forever = time.Duration(1) << 62

// Arrivals walks the due times of a phase in order. The same arrival, length
// and seed give the same walk wherever it is walked. It allocates nothing on
// its way.
type Arrivals struct {
	arrival Arrival
	end     time.Duration // what is due at it or later is not planned
	curve   curve         // of kinds with a closed form
	replay  replay
	random  *rand.Rand
	source  *rand.PCG // of random
	at      float64   // ns, of the last Poisson due time

	group uint64        // due times that have begun
	left  int           // events of the due time that are still to come
	due   time.Duration // of the due time
	over  bool
}

// NewArrivals returns the walk over a phase of a length. Length 0 has no end,
// which constant, poisson, spike, replay and at_once can do; linear and step
// then stay at their first rate.
func NewArrivals(a Arrival, length time.Duration, seed uint64) *Arrivals {
	a.Burst = max(a.Burst, 1)
	it := &Arrivals{arrival: a, end: length}
	if length <= 0 {
		it.end = forever
	}
	switch a.Kind {
	case "constant":
		it.curve = steps(it.end, a.Rate)
	case "linear":
		it.curve = line(it.end, a.Rate, a.To)
	case "step":
		it.curve = steps(it.end, a.Steps...)
	case "spike":
		it.curve = spike(it.end, a.Rate, a.To, a.At, a.For)
	case "poisson":
		it.source = rand.NewPCG(finalise(seed), seed) // PCG's output is fixed by its documentation
		it.random = rand.New(it.source)
	case "replay":
		it.replay = newReplay(a.Times, a.Loop)
	}
	it.advance()
	return it
}

// Clone returns a walk that goes on from where this one is.
func (it *Arrivals) Clone() *Arrivals {
	c := *it
	if it.source != nil {
		source := *it.source
		c.source, c.random = &source, rand.New(&source)
	}
	return &c
}

// Next returns when the next event is due, counted from the phase's begin, and
// goes on. ok is false when there are no more.
func (it *Arrivals) Next() (due time.Duration, ok bool) {
	if it.over {
		return 0, false
	}
	due = it.due
	if it.left--; it.left == 0 {
		it.advance()
	}
	return due, true
}

// Peek returns what Next will, and does not go on.
func (it *Arrivals) Peek() (due time.Duration, ok bool) {
	if it.over {
		return 0, false
	}
	return it.due, true
}

// advance goes to the next due time. Due times never go back: where rounding
// would let one, it shares the one before.
func (it *Arrivals) advance() {
	due, ok := it.next()
	if !ok || due >= it.end {
		it.over = true
		return
	}
	it.due = max(it.due, due)
	it.left = it.arrival.Burst
	it.group++
}

func (it *Arrivals) next() (due time.Duration, ok bool) {
	switch it.arrival.Kind {
	case "poisson":
		rate := cleanRate(it.arrival.Rate)
		if rate == 0 {
			return 0, false
		}
		it.at += it.random.ExpFloat64() / rate * 1e9
		return nanoseconds(it.at), true
	case "replay":
		return it.replay.at(it.group)
	case "at_once":
		return 0, it.group == 0
	}
	return it.curve.at(it.group)
}

// Count returns how many events the whole walk has: exactly, or for poisson as
// many as are expected. A walk without an end has math.MaxUint64.
func (it *Arrivals) Count() (n uint64, exact bool) {
	groups, exact := it.groups()
	if groups > math.MaxUint64/uint64(it.arrival.Burst) {
		return math.MaxUint64, exact
	}
	return groups * uint64(it.arrival.Burst), exact
}

func (it *Arrivals) groups() (n uint64, exact bool) {
	a := it.arrival
	at := it.curve.at
	switch {
	case a.Kind == "at_once":
		return 1, true
	case a.Kind == "replay":
		at = it.replay.at
	case a.Kind == "poisson" && cleanRate(a.Rate) == 0:
		return 0, true
	case a.Kind == "poisson" && it.end == forever:
		return math.MaxUint64, false
	case a.Kind == "poisson":
		return uint64(math.Round(cleanRate(a.Rate) * it.end.Seconds())), false
	}
	planned := func(k uint64) bool {
		due, ok := at(k)
		return ok && due < it.end
	}
	return countPrefix(planned, it.end == forever), true
}

// countPrefix returns how many numbers from 0 on are planned, given that none
// is after one that is not. In a walk without an end, what goes on for 2^40 due
// times goes on forever.
func countPrefix(planned func(k uint64) bool, endless bool) uint64 {
	if !planned(0) {
		return 0
	}
	lo, hi := uint64(0), uint64(1) // lo is planned
	for planned(hi) {
		if lo, hi = hi, 2*hi; hi > 1<<40 && endless || hi > 1<<61 {
			return math.MaxUint64
		}
	}
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; planned(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// Peak returns the most events a second that are planned for any second: what
// a generator has to be able to do. That of poisson is its rate.
func (it *Arrivals) Peak() float64 {
	peak := 0.0
	switch it.arrival.Kind {
	case "poisson":
		peak = cleanRate(it.arrival.Rate)
	case "at_once":
		peak = 1
	case "replay":
		peak = float64(it.replay.busiest(min(it.end, time.Hour)))
	default:
		peak = it.curve.peak()
	}
	return peak * float64(it.arrival.Burst)
}
