package dawn

import (
	"fmt"
	"slices"
	"time"
)

// Stage is how far an opening has come. Each arrow is one step of the plan, due
// at the time beside it, and committed once:
//
//	             Begin-Notice       Low            End            Clear
//	Planned ────────────▶ Falling ────▶ AtFloor ─────▶ Rising ─────▶ Cleared
//	 │    ▲ lacks headroom: Begin moves
//	 │    │ on by Limits.Retry
//	 ├────╯
//	 ╰──────────────────▶ Skipped: too late, postponed too often, nowhere to go
type Stage uint8

// The stages.
const (
	Planned Stage = iota
	Falling       // weights follow the curve from Begin on
	AtFloor       // the nodes should be empty: the caller checks and reports it
	Rising        // the maintenance is over
	Cleared       // full weight again
	Skipped       // nothing has been or will be done; Reason says why
)

var stageNames = [...]string{"planned", "falling", "floor", "rising", "cleared", "skipped"}

// String returns the name of the stage.
func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

// MarshalText returns the name of the stage.
func (s Stage) MarshalText() ([]byte, error) {
	if int(s) >= len(stageNames) {
		return nil, fmt.Errorf("there is no stage %d", uint8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a name.
func (s *Stage) UnmarshalText(text []byte) error {
	i := slices.Index(stageNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("there is no stage %.32q", text)
	}
	*s = Stage(i)
	return nil
}

// over reports whether nothing more happens to the opening.
func (s Stage) over() bool { return s == Cleared || s == Skipped }

// Entry is an opening in the record, and how far it has come.
type Entry struct {
	Opening
	Stage     Stage
	Postponed int    // how often its fall was put off
	Reason    string // of the last decision, in words
}

// Record is the night as the cluster has agreed on it, the value of DoneKey. Who
// makes it decides the openings: a node whose calendar differs follows the
// record. A Record is a value; nothing that it refers to is changed.
type Record struct {
	Date        Date
	Environment string
	Step        int    // commits so far: 1 for the record itself, then one for each step
	Holder      string // node that made the last one
	Life        uint64 // of that node, as in Config
	Fence       int64  // of the lock under which it was made
	Entries     []Entry
}

// NewRecord begins a night at now. Openings for which it is too late are skipped
// from the start, so that every node knows that nobody will do them.
func NewRecord(n *Night, now time.Time) Record {
	r := Record{Date: n.Date, Environment: n.Environment, Entries: make([]Entry, len(n.Openings))}
	for i := range n.Openings {
		r.Entries[i].Opening = n.Openings[i]
		if now.After(n.Openings[i].Last()) {
			r.Entries[i].Stage, r.Entries[i].Reason = Skipped, fmt.Sprintf("too late: nobody had begun the night by %s", clock(n.Openings[i].Last()))
		}
	}
	return r
}

// Done reports whether nothing is left to do.
func (r *Record) Done() bool {
	_, _, ok := r.Due()
	return !ok
}

// Due returns which entry takes the next step, and when. ok is false if the night
// is done.
func (r *Record) Due() (entry int, at time.Time, ok bool) {
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Stage.over() {
			continue
		}
		if t := e.due(); !ok || t.Before(at) {
			entry, at, ok = i, t, true
		}
	}
	return entry, at, ok
}

func (e *Entry) due() time.Time {
	switch e.Stage {
	case Planned:
		return e.Begin.Add(-Notice)
	case Falling:
		return e.Low()
	case AtFloor:
		return e.End
	}
	return e.Clear()
}

// advance returns the record with the entry, which is not Planned, one stage on.
func (r Record) advance(entry int) Record {
	r.Entries = slices.Clone(r.Entries)
	r.Entries[entry].Stage++
	return r
}

// decide returns the record with the decision about the fall of a Planned entry.
// A fall that is late begins now, for weights must not jump.
func (r Record) decide(entry int, now time.Time, d *Decision) Record {
	r.Entries = slices.Clone(r.Entries)
	e := &r.Entries[entry]
	e.Reason = d.Reason
	switch d.Verdict {
	case Go:
		e.Stage = Falling
		if now.After(e.Begin) {
			e.Begin = now
		}
	case Postpone:
		e.Postponed++
		e.Begin = d.Until
	case Skip:
		e.Stage = Skipped
	}
	return r
}

// begun returns the other openings that have begun to fall.
func (r *Record) begun(except int) []Opening {
	var all []Opening
	for i := range r.Entries {
		if e := &r.Entries[i]; i != except && e.falls() {
			all = append(all, e.Opening)
		}
	}
	return all
}

// falls reports whether the curve of the entry holds.
func (e *Entry) falls() bool { return e.Stage != Planned && e.Stage != Skipped }

// Factor returns the weight factor of a node at t: the lowest over the openings
// that have begun, 1 if there is none. It depends on no stage after Falling:
// weights come back by themselves although everyone who could commit be dead, and
// a holder whose clock is off moves stages early or late but no weight.
func (r *Record) Factor(t time.Time, n *Node) float64 {
	f := 1.0
	for i := range r.Entries {
		if e := &r.Entries[i]; e.falls() && e.Nodes.Matches(n) {
			f = min(f, e.Factor(t))
		}
	}
	return f
}

// Validate reports what is wrong with the record.
func (r *Record) Validate() error {
	if !r.Date.Valid() || r.Environment == "" || r.Holder == "" || r.Step < 1 || r.Fence < 1 {
		return fmt.Errorf("date %v, environment %q, step %d, holder %q, fence %d: one of them is not possible", r.Date, r.Environment, r.Step, r.Holder, r.Fence)
	}
	if len(r.Entries) == 0 || len(r.Entries) > maxEntries {
		return fmt.Errorf("%d openings; 1 to %d are possible", len(r.Entries), maxEntries)
	}
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Postponed < 0 || int(e.Stage) >= len(stageNames) {
			return fmt.Errorf("window %q: %v, postponed %d times", e.Window, e.Stage, e.Postponed)
		}
		if err := e.Validate(); err != nil {
			return fmt.Errorf("window %q: %w", e.Window, err)
		}
	}
	return nil
}

// maxEntries bounds the openings of a record: those of a night, and of windows
// that are added while it goes on.
const maxEntries = 2 * maxPerDay
