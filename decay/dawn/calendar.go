package dawn

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Window is a maintenance that comes back (Cron) or happens once (Start).
type Window struct {
	ID    string    // unique in the calendar, 1 to 64 bytes
	Cron  Spec      // opens at each firing; its zone may differ from the calendar's
	Start time.Time // opens once, if Cron is the zero value
	Nodes Group     // which nodes are concerned
	Curve Curve     // the zero value is the calendar's

	// How long it lasts is one of the two. They differ on days of 23 and 25 hours:
	// in the night of 25 hours 02:00 with 2 h in Berlin ends at 03:00, for two hours
	// are two hours, and 02:00 until 04:00 takes three.
	Duration time.Duration // elapsed time, 1 s to 72 h
	Until    Clock         // the next time that the clocks show it: in the zone of Cron, or the calendar's
}

// Bounds of a calendar.
const (
	minDuration = time.Second
	maxDuration = 72 * time.Hour
	maxID       = 64
	maxUntil    = 50 * time.Hour // until the clocks show a time: a day, and one that is repeated
	maxPerDay   = 256
	maxNight    = maxRecord / 2 // bytes of a record with all openings of a night; windows that are added meanwhile need room too
	maxRange    = 400 * 24 * time.Hour
)

// Calendar is all windows of a cluster. It is not changed after Validate, and
// may be used from any goroutine.
type Calendar struct {
	// Environment is the name of the cluster's environment, such as production. A
	// night refuses a cluster of another name.
	Environment string

	// Zone is where nights get their dates, so that nodes in several zones name
	// them alike. time.Local is refused: it depends on the machine.
	Zone *time.Location

	// Curve is for windows that have none.
	Curve Curve

	Windows []Window
}

// Validate reports everything that is wrong, one line each.
func (c *Calendar) Validate() error {
	var errs []error
	if c.Environment == "" || len(c.Environment) > maxID || !utf8.ValidString(c.Environment) {
		errs = append(errs, fmt.Errorf("the calendar names no environment of 1 to %d bytes of UTF-8; write the one whose nodes it is for", maxID))
	}
	if c.Zone == nil || c.Zone == time.Local {
		errs = append(errs, errors.New(`the calendar names no time zone; write one such as "Europe/Berlin" or "UTC"`))
	}
	if err := c.Curve.Validate(); err != nil {
		errs = append(errs, err)
	}
	seen := make(map[string]bool, len(c.Windows))
	perDay, night := 0, newPlan()
	for i := range c.Windows {
		w := &c.Windows[i]
		if err := c.validate(w); err != nil {
			errs = append(errs, fmt.Errorf("window %q: %w", w.ID, err))
		}
		if seen[w.ID] {
			errs = append(errs, fmt.Errorf("window %q: there are two of this id", w.ID))
		}
		seen[w.ID] = true
		perDay += w.perDay()
		o := c.opening(w, longestTime)
		night.add(&o, w.perDay())
	}
	if night.size > maxNight {
		errs = append(errs, fmt.Errorf("the record of a night in which all windows open has %d bytes, more than %d; write globs instead of node ids", night.size, maxNight))
	}
	if perDay > maxPerDay {
		errs = append(errs, fmt.Errorf("the windows can open %d times a day, more than %d", perDay, maxPerDay))
	}
	return errors.Join(errs...)
}

func (c *Calendar) validate(w *Window) error {
	cron := w.Cron.loc != nil
	switch {
	case w.ID == "" || len(w.ID) > maxID || !utf8.ValidString(w.ID):
		return fmt.Errorf("an id has 1 to %d bytes of UTF-8", maxID)
	case cron && !w.Start.IsZero():
		return errors.New("it has a cron spec and a start; write one of the two")
	case cron && w.Cron.loc == time.Local:
		return errors.New("its zone is that of the machine; write one by name")
	case !cron && w.Start.IsZero():
		return errors.New("it never opens; write a cron spec or a start")
	case !cron && !inRange(w.Start):
		return errors.New("it starts outside the years 1 to 9999")
	case w.Until != 0 && w.Duration != 0:
		return errors.New("it has a duration and an end; write one of the two")
	case w.Until < 0 || w.Until > lastClock:
		return errors.New("its end is not in 00:00:00 to 23:59:59")
	case w.Until == 0 && (w.Duration < minDuration || w.Duration > maxDuration):
		return fmt.Errorf("duration %v is not in %v to %v", w.Duration, minDuration, maxDuration)
	}
	if err := w.Nodes.Validate(); err != nil {
		return err
	}
	curve := c.curve(w)
	return curve.Validate()
}

func (c *Calendar) curve(w *Window) Curve {
	if w.Curve == (Curve{}) {
		return c.Curve
	}
	return w.Curve
}

// opening is the window's opening at start.
func (c *Calendar) opening(w *Window, start time.Time) Opening {
	curve := c.curve(w)
	return Opening{
		Window: w.ID, Nodes: w.Nodes, Curve: curve,
		Start: start, End: w.end(start, c.Zone), Begin: start.Add(-curve.Lead),
	}
}

// end is when the opening at start ends. An end that the zone skips is at the
// change, one that it repeats is the last of them: nobody's weight comes back
// before the clocks have passed it for good. Where the zone skips all of an
// opening, a second is left of it.
func (w *Window) end(start time.Time, loc *time.Location) time.Time {
	if w.Until == 0 {
		return start.Add(w.Duration)
	}
	var from wall
	if w.Cron.loc != nil {
		loc = w.Cron.loc
		from, _ = w.Cron.nextWall(unseen(start.Add(-1), loc)) // as it is in the spec, also if skipped
	} else {
		_, offset := start.In(loc).Zone()
		from = wall(start.Unix() + int64(offset))
	}
	end := last(w.Until.after(from), loc)
	if end.Before(start.Add(minDuration)) {
		return start.Add(minDuration)
	}
	if most := start.Add(maxUntil); end.After(most) {
		return most
	}
	return end
}

// longest is a bound on how long an opening lasts.
func (w *Window) longest() time.Duration {
	if w.Until != 0 {
		return maxUntil
	}
	return w.Duration
}

// perDay is a bound on how often it opens on a day, but for a change of the zone.
func (w *Window) perDay() int { return max(1, w.Cron.perDay()) }

// next returns the first time that the window opens at or after t, the zero time
// if it does not.
func (w *Window) next(t time.Time) time.Time {
	if w.Cron.loc != nil {
		return w.Cron.Next(t.Add(-1))
	}
	if w.Start.Before(t) {
		return time.Time{}
	}
	return w.Start
}

// Openings returns the openings whose maintenance has a part in [from, to), by
// start, then id. They are not merged: where they overlap, the lowest weight wins.
// The range is at most 400 days.
func (c *Calendar) Openings(from, to time.Time) ([]Opening, error) {
	if !inRange(from) || !inRange(to) || to.Before(from) || to.Sub(from) > maxRange {
		return nil, fmt.Errorf("openings from %v to %v: a range of at most %v within the years 1 to 9999 is needed", from, to, maxRange)
	}
	var all []Opening
	for i := range c.Windows {
		w := &c.Windows[i]
		for t := w.next(from.Add(1 - w.longest())); !t.IsZero() && t.Before(to); t = w.next(t.Add(1)) {
			if o := c.opening(w, t); o.End.After(from) {
				all = append(all, o)
			}
		}
	}
	sortOpenings(all)
	return all, nil
}

func sortOpenings(all []Opening) {
	slices.SortFunc(all, func(a, b Opening) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Window, b.Window))
	})
}

// Factor returns the weight factor of a node at t if every window goes as
// planned: the lowest of its openings, 1 if there is none. What really holds is
// Record.Factor, for a night may be postponed or skipped.
func (c *Calendar) Factor(t time.Time, n *Node) float64 {
	f := 1.0
	if !inRange(t) {
		return f
	}
	for i := range c.Windows {
		w := &c.Windows[i]
		if !w.Nodes.Matches(n) {
			continue
		}
		curve := c.curve(w)
		// All that have begun to fall and are not back yet.
		for s := w.next(t.Add(-w.longest() - curve.Recovery)); !s.IsZero() && !s.After(t.Add(curve.Lead)); s = w.next(s.Add(1)) {
			o := c.opening(w, s)
			f = min(f, o.Factor(t))
		}
	}
	return f
}

// Night is all openings whose maintenance starts on one date in the zone of the
// calendar. One plan carries it out, once.
type Night struct {
	Date        Date
	Environment string
	Openings    []Opening // by start; never changed
}

// Notice is how long before its Begin a fall is decided, so that every node knows
// of it when it begins and no weight jumps.
const Notice = time.Minute

// Fire returns when the plan of the night begins: Notice before the first fall,
// which may be on the day before.
func (n *Night) Fire() time.Time {
	var t time.Time
	for i := range n.Openings {
		if b := n.Openings[i].Begin.Add(-Notice); i == 0 || b.Before(t) {
			t = b
		}
	}
	return t
}

// Clear returns when all weights are back.
func (n *Night) Clear() time.Time {
	var t time.Time
	for i := range n.Openings {
		if c := n.Openings[i].Clear(); i == 0 || c.After(t) {
			t = c
		}
	}
	return t
}

// Night returns the night of a date. It is the same on every node, whatever its
// clock says. ok is false if no window opens then.
func (c *Calendar) Night(d Date) (n Night, ok bool) {
	n = Night{Date: d, Environment: c.Environment}
	if !d.Valid() || c.Zone == nil {
		return n, false
	}
	from, to := d.bounds(c.Zone)
	for i := range c.Windows {
		w := &c.Windows[i]
		for t := w.next(from); !t.IsZero() && t.Before(to); t = w.next(t.Add(1)) {
			n.Openings = append(n.Openings, c.opening(w, t))
		}
	}
	sortOpenings(n.Openings)
	return n, len(n.Openings) > 0
}

// Grace is how long after its end a night is still finished by a node that comes
// late. Nothing but the record depends on it: the weights are back by then.
const Grace = 24 * time.Hour

// Due returns the nights whose plan has begun at now and is not over for longer
// than Grace, the oldest first: what a node looks after when it starts, and when
// its timer fires.
func (c *Calendar) Due(now time.Time) []Night {
	var due []Night
	if !inRange(now) || c.Zone == nil {
		return nil
	}
	last := DateOf(now.Add(maxRamp+Notice), c.Zone)
	for t := now.Add(-maxDuration - maxRamp - Grace); inRange(t); t = t.Add(12 * time.Hour) {
		d := DateOf(t, c.Zone)
		if d > last {
			break
		}
		if len(due) > 0 && due[len(due)-1].Date == d {
			continue
		}
		n, ok := c.Night(d)
		if ok && !now.Before(n.Fire()) && now.Before(n.Clear().Add(Grace)) {
			due = append(due, n)
		}
	}
	return due
}

// Next returns the night that fires first after now, for the timer. ok is false
// if none does.
func (c *Calendar) Next(now time.Time) (next Night, ok bool) {
	if !inRange(now) || c.Zone == nil {
		return Night{}, false
	}
	for i := range c.Windows {
		w := &c.Windows[i]
		lead := c.curve(w).Lead
		// A night that has fired may have this opening still to come: then the
		// one after it counts.
		for s := w.next(now.Add(lead + Notice + 1)); !s.IsZero(); s = w.next(s.Add(1)) {
			n, found := c.Night(DateOf(s, c.Zone))
			if !found {
				break
			}
			if n.Fire().After(now) {
				if !ok || n.Fire().Before(next.Fire()) {
					next, ok = n, true
				}
				break
			}
		}
	}
	return next, ok
}
