package chaos

import (
	"time"

	"roost/bench/chaos/fleet"
	"roost/bench/chaos/ledger"
	"roost/bench/chaos/rig"
)

// Verdict is what a scenario came to.
type Verdict string

// The verdicts.
const (
	Held   Verdict = "held"   // everything that was promised
	Missed Verdict = "missed" // everything that was promised, but not a number: Result.Missed
	Broken Verdict = "broken" // something was not: Result.Faults
	Failed Verdict = "failed" // it could not be carried through: Result.Error
)

// Result is what is known of a scenario's run. Durations are in nanoseconds in JSON.
type Result struct {
	Scenario string        `json:"scenario"`
	About    string        `json:"about"`
	Verdict  Verdict       `json:"verdict"`
	Command  []string      `json:"command"`
	Started  time.Time     `json:"started"`
	Took     time.Duration `json:"took"`
	Error    string        `json:"error,omitempty"`
	Faults   []string      `json:"faults,omitempty"`
	Missed   []string      `json:"missed,omitempty"`
	Events   []Event       `json:"events"`

	Nodes   int     `json:"nodes"`
	Devices int     `json:"devices"`
	Rate    float64 `json:"rate"`  // messages a second
	Batch   int     `json:"batch"` // of them in a request
	Pace    float64 `json:"pace"`  // of what the ring does by itself: so many times faster than it is meant

	Ledger  ledger.Account `json:"ledger"`
	Reasons map[string]int `json:"reasons,omitempty"` // why requests were made again
	Late    time.Duration  `json:"late"`              // most that a request waited in the generator
	Settled time.Duration  `json:"settled"`           // from the end of publishing until all was handled

	Delivery   Spread     `json:"delivery"`                  // due to handled, from the first to the last message
	Hurt       Spread     `json:"delivery_hurt"`             // of those due between hurt and mended
	Without    Spread     `json:"without"`                   // the longest time without a connection of each device that had one
	WithoutAll Spread     `json:"without_all"`               // the longest of each device, 0 of those that had none
	Gaps       []string   `json:"longest_without,omitempty"` // in words
	Recovery   *Recovery  `json:"recovery,omitempty"`
	Dials      fleet.Rate `json:"dials"` // from hurt to the end

	Ring     string               `json:"ring"`     // what all nodes agree on
	Presence Presence             `json:"presence"` // against the devices
	Before   map[string]rig.Level `json:"levels_before"`
	After    map[string]rig.Level `json:"levels_after"`
	Extra    map[string]float64   `json:"extra,omitempty"` // of this scenario alone; names carry the unit
}

// Event is something that happened.
type Event struct {
	At   time.Duration `json:"at"` // since the start
	What string        `json:"what"`
}

// Spread is percentiles of durations.
type Spread struct {
	N   int           `json:"n"`
	P50 time.Duration `json:"p50"`
	P90 time.Duration `json:"p90"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

// spreadOf sums up an ordered list.
func spreadOf(ordered []time.Duration) Spread {
	return Spread{len(ordered), ledger.Percentile(ordered, 0.50), ledger.Percentile(ordered, 0.90), ledger.Percentile(ordered, 0.99), ledger.Percentile(ordered, 1)}
}

// Recovery is how devices that lost their node came back: connected, and all
// handled that was accepted for them meanwhile.
type Recovery struct {
	Devices int     `json:"devices"`
	Back    Spread  `json:"back"`      // connected again
	Caught  Spread  `json:"caught_up"` // and caught up
	Lacking int     `json:"lacking"`   // that never did
	Peak    int     `json:"peak_dials_per_s"`
	Taken   int     `json:"peak_taken_per_s"` // the same of connects that a node let in
	PutOff  int     `json:"put_off"`          // dials that a node refused with a slot
	Refused int     `json:"refused"`          // tries of the balancer that came to nobody, at the dead node mostly
	Budget  float64 `json:"budget_per_s"`     // what those that are left say they take; 0: not known
}

// Presence is what nodes said of devices.
type Presence struct {
	Asked  int           `json:"asked"`
	Agreed time.Duration `json:"agreed"` // until all was as it is
	Wrong  int           `json:"wrong"`  // that still was not when time was over
}

// judge gives the verdict.
func (r *Result) judge() {
	switch {
	case r.Error != "":
		r.Verdict = Failed
	case len(r.Faults) > 0:
		r.Verdict = Broken
	case len(r.Missed) > 0:
		r.Verdict = Missed
	default:
		r.Verdict = Held
	}
}
