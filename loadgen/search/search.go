// Package search finds the largest value for which a run holds: exponentially
// up to one that breaks, then by halves, then the winner again and again. A run
// that says nothing is made again.
// Values in, values out: what a run is, is its caller's affair.
package search

import (
	"errors"
	"fmt"
	"math"
)

// Outcome is what one run said.
type Outcome int

// Outcomes of a run.
const (
	Holds   Outcome = iota // all thresholds hold
	Breaks                 // one does not
	Invalid                // it says nothing about the server; the next one may
	Beyond                 // this machine cannot make it, however often it is tried
)

// String names the outcome.
func (o Outcome) String() string {
	return [...]string{"holds", "breaks", "INVALID", "is beyond this machine"}[o]
}

// Options say where to search.
type Options struct {
	From, To int64
	// Precision ends the halving: a share of the value. Default 5 %.
	Precision float64
	// Confirm is how often the winner has to hold in all. Default 3.
	Confirm int
	// Retries is how often an INVALID run is made again before the generator is
	// taken to be the limit. Default 3; negative: never.
	Retries int
}

// Step is one run.
type Step struct {
	Value   int64
	Confirm int // which confirmation, from 1; 0: none
	Again   int // which repetition of an INVALID run, from 1; 0: none
	Outcome Outcome
	Reason  string
}

// Found is what a search has come to.
type Found struct {
	// Best is the largest value that held as often as was asked for; 0: none did.
	Best int64
	// Held is the largest value that held and never broke, however often it was
	// tried; 0: none did.
	Held int64
	// Broke is the smallest value that broke; 0: none up to To.
	Broke int64
	// Limited says that the generator, not the server, ended the search: runs
	// were INVALID at this value, again and again; 0: at none. Best and Held are
	// lower bounds then.
	Limited int64
	Again   int // runs that were made again as they were INVALID
	Steps   []Step
}

// ErrRange is of a range in which nothing can be searched.
var ErrRange = errors.New("search: want 1 <= from <= to")

// Run searches. try makes one run; an error of it ends the search, with what
// was found so far.
func Run(o Options, try func(Step) (Outcome, string, error)) (Found, error) {
	if o.From < 1 || o.To < o.From {
		return Found{}, fmt.Errorf("%w, not %d and %d", ErrRange, o.From, o.To)
	}
	if !(o.Precision > 0) {
		o.Precision = .05
	}
	if o.Confirm < 1 {
		o.Confirm = 3
	}
	if o.Retries == 0 {
		o.Retries = 3
	}
	s := &search{o: o, try: try, held: map[int64]int{}}
	err := s.run()
	s.found.Held = s.below(math.MaxInt64)
	return s.found, err
}

type search struct {
	o     Options
	try   func(Step) (Outcome, string, error)
	found Found
	held  map[int64]int // how often
}

// errLimited says that the generator is the limit at a value.
var errLimited = errors.New("INVALID again and again")

func (s *search) run() error {
	lo, hi, err := s.climb()
	for {
		if err == nil {
			lo, err = s.halve(lo, hi)
		}
		if errors.Is(err, errLimited) { // what has held below is worth to be confirmed
			lo, err = s.below(s.found.Limited), nil
		}
		if err != nil || lo == 0 { // 0: not even From holds
			return err
		}
		ok, err := s.confirm(lo)
		switch {
		case ok, errors.Is(err, errLimited):
			return nil
		case err != nil:
			return err
		}
		// It does not always hold: what is below it is searched.
		if hi, lo = lo, s.below(lo); hi <= s.o.From {
			return nil
		}
		if lo == 0 {
			lo = s.o.From - 1 // nothing below has been tried and held
		}
	}
}

// climb doubles until a run breaks. lo holds, or is 0; hi breaks, or is 0.
func (s *search) climb() (lo, hi int64, err error) {
	for v := s.o.From; ; v = next(v, s.o.To) {
		out, err := s.step(v, 0)
		switch {
		case err != nil:
			return lo, 0, err
		case out == Breaks:
			return lo, v, nil
		}
		if lo = v; v == s.o.To {
			return lo, 0, nil
		}
	}
}

func next(v, to int64) int64 {
	if v > to/2 {
		return to
	}
	return 2 * v
}

// halve narrows the range down to the precision, and returns its lower end: it
// holds, or is 0.
func (s *search) halve(lo, hi int64) (int64, error) {
	for hi != 0 && lo != 0 && hi-lo > max(int64(math.Ceil(s.o.Precision*float64(lo))), 1) {
		mid := lo + (hi-lo)/2
		out, err := s.step(mid, 0)
		switch {
		case err != nil:
			return lo, err
		case out == Breaks:
			hi = mid
		default:
			lo = mid
		}
	}
	if lo == s.o.From-1 && s.held[lo] == 0 {
		lo = 0
	}
	return lo, nil
}

// confirm runs the winner until it has held often enough.
func (s *search) confirm(v int64) (bool, error) {
	for n := 1; s.held[v] < s.o.Confirm; n++ {
		out, err := s.step(v, n)
		if err != nil {
			return false, err
		}
		if out == Breaks {
			return false, nil
		}
	}
	s.found.Best = v
	return true, nil
}

// below is the largest value below v that held; 0: none.
func (s *search) below(v int64) (best int64) {
	for k, n := range s.held {
		if n > 0 && k < v {
			best = max(best, k)
		}
	}
	return best
}

// step makes a run, and again if it is INVALID, and keeps what they say.
func (s *search) step(v int64, confirm int) (Outcome, error) {
	for again := 0; ; again++ {
		step := Step{Value: v, Confirm: confirm, Again: again}
		out, reason, err := s.try(step)
		if err != nil {
			return out, err
		}
		step.Outcome, step.Reason = out, reason
		s.found.Steps = append(s.found.Steps, step)
		switch out {
		case Holds:
			s.held[v]++
			return out, nil
		case Breaks:
			s.held[v] = 0
			if s.found.Broke == 0 || v < s.found.Broke {
				s.found.Broke = v
			}
			return out, nil
		}
		if out == Beyond || again >= s.o.Retries {
			s.found.Limited = v
			return out, errLimited
		}
		s.found.Again++
	}
}
