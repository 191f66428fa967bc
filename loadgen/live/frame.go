// Package live shows a run under way. A view is handed a Frame each second and
// the result at the end; it only reads them, and never holds the run up.
package live

import (
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// View shows a run. Its methods are called by one goroutine, in turn, and must
// return soon: a view that writes to something slow does so elsewhere.
type View interface {
	// Show takes the state of the run, once a second and when a phase is over. f
	// and all that it refers to are valid during the call only.
	Show(f *Frame)
	// Done takes the result, or nil where there is none, and ends the view.
	Done(r *result.Result) error
}

// Frame is a run at one instant.
type Frame struct {
	At       time.Duration // since the run's start
	Scenario string
	Workers  int
	Lost     int    // of Workers, those that are gone
	Silent   string // which worker says nothing, and for how long; empty: all do

	// The phase under way.
	Phase   string
	Index   int // of Phases, from 0
	Phases  int
	Warmup  bool
	State   string        // what the run waits for: begin, under way, answers, deliveries, accounts, over
	Elapsed time.Duration // since the phase's begin; negative before it
	Left    time.Duration // until its planned end, or its timeout where it has a condition
	Until   string        // its condition in words, empty if it is over after a time

	// Levels, sums over the workers.
	Clients, Connected, Dialing, Goal int
	Cut, Restored, Away, Pending      int

	// Point is the last interval of the series; its zero value before the first.
	Point result.Point
	// Counts are of the phase so far, Total of the run; Delivery
	// is the phase's latency from due, of groups that read (nil: none yet).
	Counts   tally.Counts
	Total    tally.Counts
	Delivery *tally.Hist

	// Hists are the phase's, of no group; nil where nothing was recorded.
	Hists *tally.Hists

	Errors     []result.ErrorLine // of the phase, the most frequent first, at most 5
	AllErrors  tally.Errors       // of the run, by class
	Validity   []result.Check     // so far
	Thresholds []result.Threshold // so far
	Units      []string           // of the values of Thresholds, by index; empty: not known

	// ServerBase is what the probed servers had resident before the first
	// connection, in bytes; 0: not known.
	ServerBase int64
}

// unit is that of threshold i.
func (f *Frame) unit(i int) string {
	if i >= len(f.Units) {
		return ""
	}
	return f.Units[i]
}
