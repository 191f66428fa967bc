package dawn

import (
	"fmt"
	"time"
)

// wall is what the clocks of some zone show, in seconds, counted as if the zone
// were UTC. Wall-clock arithmetic knows no daylight saving; the zone comes in
// only in unseen and first.
type wall int64

func wallAt(year int, month time.Month, day, h, m, s int) wall {
	return wall(time.Date(year, month, day, h, m, s, 0, time.UTC).Unix())
}

// utc returns the wall-clock time as a time in UTC that shows it.
func (w wall) utc() time.Time { return time.Unix(int64(w), 0).UTC() }

// zoneReach is how far from an instant a change of the zone can matter. Offsets
// differ by at most a day and a few hours (a day when Manila and Samoa changed
// sides).
const zoneReach = 50 * time.Hour

// inRange says whether t can be dealt with: clocks that are off by centuries do
// not overflow anything.
func inRange(t time.Time) bool {
	return !t.Before(firstYear) && t.Before(lastYear)
}

var (
	firstYear = time.Date(1, time.January, 3, 0, 0, 0, 0, time.UTC)
	lastYear  = time.Date(9999, time.December, 30, 0, 0, 0, 0, time.UTC)
)

// unseen returns the first wall-clock time, in whole seconds, that the clocks of
// the zone have not shown up to t. In an hour that is repeated that is the end
// of the hour, for all of it has been shown before.
func unseen(t time.Time, loc *time.Location) wall {
	lt := t.In(loc)
	_, offset := lt.Zone()
	w := wall(t.Unix()) + wall(offset) + 1
	for {
		start, _ := lt.ZoneBounds()
		if start.IsZero() || t.Sub(start) > zoneReach {
			return w
		}
		lt = start.Add(-1).In(loc)
		_, offset = lt.Zone()
		// Up to start, but not at it, the clocks ran to this.
		w = max(w, wall(start.Unix())+wall(offset))
	}
}

// first returns the first instant at which the clocks of the zone show w or
// more. It never goes down when w goes up. A skipped w gives the instant of the
// change, a repeated one the first of its two instants.
func first(w wall, loc *time.Location) time.Time {
	from := w.utc().Add(-zoneReach).In(loc)
	start := time.Time{} // of the period looked at; the first one is long past it
	for {
		_, end := from.ZoneBounds()
		_, offset := from.Zone()
		t := time.Unix(int64(w)-int64(offset), 0).In(loc)
		if !start.IsZero() && t.Before(start) {
			return start
		}
		if end.IsZero() || t.Before(end) {
			return t
		}
		start, from = end, end
	}
}

// Date names a night: year x 10,000 + month x 100 + day, as in 20260314. Zero is
// none.
type Date uint32

// DateOf returns the date of t in the zone, 0 outside the years 1 to 9999. Where
// clocks go back over midnight, the new date has begun and does not end again.
func DateOf(t time.Time, loc *time.Location) Date {
	if loc == nil || !inRange(t) {
		return 0
	}
	y, m, d := (unseen(t, loc) - 1).utc().Date()
	return Date(y*10000 + int(m)*100 + d)
}

// Valid reports whether the date exists.
func (d Date) Valid() bool {
	y, m, day := int(d/10000), time.Month(d/100%100), int(d%100)
	t := time.Date(y, m, day, 12, 0, 0, 0, time.UTC)
	return inRange(t) && t.Month() == m && t.Day() == day
}

// String returns the date as YYYYMMDD.
func (d Date) String() string {
	var b [8]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + d%10)
		d /= 10
	}
	return string(b[:])
}

// ParseDate reads a date as String writes it, 0 if it is none.
func ParseDate(s string) Date {
	if len(s) != 8 {
		return 0
	}
	var d Date
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0
		}
		d = d*10 + Date(c-'0')
	}
	if !d.Valid() {
		return 0
	}
	return d
}

// bounds returns the instants at which the day begins and ends in the zone. A
// day that the zone skips is empty.
func (d Date) bounds(loc *time.Location) (from, to time.Time) {
	y, m, day := int(d/10000), time.Month(d/100%100), int(d%100)
	return first(wallAt(y, m, day, 0, 0, 0), loc), first(wallAt(y, m, day+1, 0, 0, 0), loc)
}

// last returns the last instant at which the clocks of the zone show w, the
// instant of the change if they skip it.
func last(w wall, loc *time.Location) time.Time {
	t := first(w, loc)
	for {
		_, end := t.ZoneBounds()
		if end.IsZero() || end.Sub(t) > zoneReach {
			return t
		}
		_, offset := end.In(loc).Zone()
		again := time.Unix(int64(w)-int64(offset), 0).In(loc)
		if again.Before(end) {
			return t
		}
		t = again
	}
}

// Clock is a time of the day: the seconds since midnight, and one. The zero value
// is none.
type Clock int32

const (
	day       = 24 * 60 * 60
	lastClock = Clock(day)
)

// ParseClock reads a time of the day as hh:mm or hh:mm:ss.
func ParseClock(s string) (Clock, error) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil && len(s) == len(layout) {
			return Clock(t.Hour()*3600+t.Minute()*60+t.Second()) + 1, nil
		}
	}
	return 0, fmt.Errorf("time of day %.32q; write hh:mm such as 04:00, or hh:mm:ss", s)
}

// String returns the time as hh:mm:ss, "none" for the zero value.
func (c Clock) String() string {
	if c <= 0 || c > lastClock {
		return "none"
	}
	return wall(c - 1).utc().Format("15:04:05")
}

// after returns the first wall-clock time after w that has this time of the day.
func (c Clock) after(w wall) wall {
	t := w - (w%day+day)%day + wall(c-1)
	if t <= w {
		t += day
	}
	return t
}
