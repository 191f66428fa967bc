package dawn

import (
	"fmt"
	"slices"
	"strings"
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
//
// An operator's abort takes Planned to Skipped, and Falling and AtFloor to Rising.
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
	Aborted   bool   // End is where an operator's abort has put it
	Reason    string // of the last decision, in words
}

// Record is the night as the cluster has agreed on it, the value of DoneKey. An
// opening comes into it when its fall is to be decided, by whoever has it in its
// calendar, and then no calendar changes it any more: nodes whose calendars differ
// follow the record. Until then an edit of the calendar counts. A Record is a
// value; nothing that it refers to is changed.
type Record struct {
	Date        Date
	Environment string
	Step        int    // commits so far: 1 for the record itself, then one for each step, also one that adds openings
	Holder      string // node that made the last one
	Life        uint64 // of that node, as in Config
	Fence       int64  // of the lock under which it was made
	Entries     []Entry
}

// admit returns the record with the openings of the night that it lacks and whose
// time has come, and how many these are. One for which it is too late is skipped
// from the start, so that every node knows that nobody will do it; or left out, if
// it is not sure that it is too late. What is in the record stays as it is.
// Openings for which there is no room are left out.
func (r Record) admit(n *Night, now time.Time, sure bool) (Record, int) {
	return r.extend(n, "", func(e *Entry) bool {
		if now.Before(e.due()) || !sure && now.After(e.Last()) {
			return false
		}
		if now.After(e.Last()) {
			e.Stage, e.Reason = Skipped, fmt.Sprintf("too late: nobody had recorded it by %s", clock(e.Last()))
		}
		return true
	})
}

// extend adds the openings of the night, or of one window, that the record lacks
// and admit wants, as long as there is room.
func (r Record) extend(n *Night, window string, admit func(*Entry) bool) (Record, int) {
	if r.Step == 0 {
		r.Date, r.Environment = n.Date, n.Environment
	}
	had := len(r.Entries)
	var p *plan
	for i := range n.Openings {
		e := Entry{Opening: n.Openings[i]}
		if window != "" && e.Window != window || r.has(&e.Opening) || !admit(&e) || len(r.Entries) >= maxEntries {
			continue
		}
		if p == nil { // only now, for it costs most
			p = newPlan()
			for j := range r.Entries {
				p.add(&r.Entries[j].Opening, 1)
			}
		}
		if p.add(&e.Opening, 1); p.size > maxRecord {
			break
		}
		r.Entries = append(r.Entries[:len(r.Entries):len(r.Entries)], e)
	}
	return r, len(r.Entries) - had
}

// has reports whether the opening is in the record: that of its window and time.
// Whatever else of it a calendar has changed since, the record holds.
func (r *Record) has(o *Opening) bool {
	for i := range r.Entries {
		if e := &r.Entries[i]; e.Window == o.Window && e.Start.Equal(o.Start) {
			return true
		}
	}
	return false
}

// abort returns the record with all openings of the night, or of one window,
// ended, and whether that changes anything. What has not begun is skipped, what
// the record lacks too. What falls or is at its floor comes back from now on: End
// moves to where the way back meets the way down, so that no weight jumps.
func (r Record) abort(n *Night, a *Abort, now time.Time) (Record, bool) {
	why := clip("aborted: " + a.Reason)
	r.Entries = slices.Clone(r.Entries)
	changed := 0
	for i := range r.Entries {
		if e := &r.Entries[i]; (a.Window == "" || e.Window == a.Window) && e.abort(now) {
			e.Reason = why
			changed++
		}
	}
	r, added := r.extend(n, a.Window, func(e *Entry) bool {
		e.Stage, e.Reason = Skipped, why
		return true
	})
	return r, changed+added > 0
}

// abort ends the entry and reports whether there was something to end.
func (e *Entry) abort(now time.Time) bool {
	switch {
	case e.Stage == Planned:
		e.Stage = Skipped
		return true
	case e.Stage.over() || e.Aborted || !now.Before(e.End):
		return false
	case now.Before(e.Begin):
		now = e.Begin
	}
	// The share of the way down that has passed is that of the way back to go.
	x := min(1, now.Sub(e.Begin).Seconds()/e.Curve.Lead.Seconds())
	e.End = now.Add(-time.Duration((1 - x) * float64(e.Curve.Recovery)))
	e.Stage, e.Aborted = Rising, true
	return true
}

// clip bounds a reason.
func clip(s string) string {
	if s = strings.ToValidUTF8(s, "?"); len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason-3], "") + "..."
	}
	return s
}

// Done reports whether nothing is left to do, but for openings that it lacks.
func (r *Record) Done() bool {
	_, _, ok := r.Due()
	return !ok
}

// Due returns which entry takes the next step, and when. ok is false if the night
// is done.
func (r *Record) Due() (entry int, at time.Time, ok bool) { return r.due(time.Time{}) }

// due is Due without the entries that can only be skipped at now.
func (r *Record) due(now time.Time) (entry int, at time.Time, ok bool) {
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Stage.over() || e.Stage == Planned && now.After(e.Last()) {
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
	e.Reason = clip(d.Reason)
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
		if err := e.validate(e.Aborted); err != nil {
			return fmt.Errorf("window %q: %w", e.Window, err)
		}
		if slices.ContainsFunc(r.Entries[:i], func(o Entry) bool { return o.Window == e.Window && o.Start.Equal(e.Start) }) {
			return fmt.Errorf("window %q is there twice at %v", e.Window, e.Start)
		}
	}
	return nil
}

// maxEntries bounds the openings of a record: those of a night, and of windows
// that are added while it goes on.
const maxEntries = 2 * maxPerDay
