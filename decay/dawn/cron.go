package dawn

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Form says how a cron spec was written. A sixth field moves every other one by
// a place, so the form is never guessed in silence: String and Describe name it.
type Form uint8

const (
	// FiveFields is minute, hour, day of month, month, day of week; it fires at
	// second 0.
	FiveFields Form = 5
	// SixFields begins with the second.
	SixFields Form = 6
	// Macro is @yearly, @annually, @monthly, @weekly, @daily, @midnight or
	// @hourly.
	Macro Form = 1
)

// String returns the form in words, with the order of its fields.
func (f Form) String() string {
	switch f {
	case FiveFields:
		return "5 fields (minute, hour, day of month, month, day of week)"
	case SixFields:
		return "6 fields (second, minute, hour, day of month, month, day of week)"
	case Macro:
		return "a macro"
	}
	return "no spec"
}

// Spec is a parsed cron spec in a time zone. It is immutable and may be copied;
// its zero value never fires.
type Spec struct {
	text string
	form Form
	loc  *time.Location

	// A bit for each value at which the field matches.
	second, minute, hour, day, month, weekday uint64

	// both is set if a day must match the day of month and the day of week, as
	// when one of the two fields begins with *. Otherwise either is enough.
	both bool
}

// String returns the spec as it was written.
func (s Spec) String() string { return s.text }

// Form returns how the spec was written.
func (s Spec) Form() Form { return s.form }

// Zone returns the time zone in which the spec is read.
func (s Spec) Zone() *time.Location { return s.loc }

// Next returns the first firing after t, in the zone of the spec. The rule is in
// the package doc: a wall-clock time that the zone skips fires at the first
// valid instant, one that it repeats fires the first time only. It returns the
// zero time if t lies outside the years 1 to 9999, or the spec is the zero one;
// Parse refuses specs that never fire.
func (s Spec) Next(t time.Time) time.Time {
	if s.loc == nil || !inRange(t) {
		return time.Time{}
	}
	w, ok := s.nextWall(unseen(t, s.loc))
	if !ok {
		return time.Time{}
	}
	return first(w, s.loc)
}

// NextN returns the next n firings after t, fewer if the years end. Operators
// are shown three.
func (s Spec) NextN(t time.Time, n int) []time.Time {
	var all []time.Time
	for range n {
		if t = s.Next(t); t.IsZero() {
			break
		}
		all = append(all, t)
	}
	return all
}

// Describe returns the spec for operators: its form, its zone and the next three
// firings after now.
func (s Spec) Describe(now time.Time) string {
	if s.loc == nil {
		return "no spec: it never fires"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q is %v in %v", s.text, s.form, s.loc)
	for i, t := range s.NextN(now, 3) {
		b.WriteString([]string{"; next: ", ", ", ", "}[i])
		b.WriteString(t.Format("Mon 2006-01-02 15:04:05 -07:00"))
	}
	return b.String()
}

// searchYears bounds the search for a day: the calendar repeats after 400 years,
// and every date falls on every day of the week within them. The longest real
// wait is 40 years, for a February 29 on a given day of the week.
const searchYears = 400

// nextWall returns the first wall-clock time from w on that matches.
func (s *Spec) nextWall(w wall) (wall, bool) {
	t := w.utc()
	year, month, day := t.Date()
	if s.matchesDay(t) {
		if h, m, sec, ok := s.nextClock(t.Clock()); ok {
			return wallAt(year, month, day, h, m, sec), true
		}
	}
	h, m, sec, _ := s.nextClock(0, 0, 0)
	for last := year + searchYears; year <= last; {
		if s.month>>month&1 == 0 {
			year, month, day = nextMonth(year, month)
			continue
		}
		day++
		t = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		if t.Month() != month {
			year, month, day = nextMonth(year, month)
			continue
		}
		if s.matchesDay(t) {
			return wallAt(year, month, day, h, m, sec), true
		}
	}
	return 0, false
}

// nextMonth returns the day before the first one of the next month.
func nextMonth(year int, month time.Month) (int, time.Month, int) {
	if month == time.December {
		return year + 1, time.January, 0
	}
	return year, month + 1, 0
}

// matchesDay reports whether the day of t matches month, day of month and day of
// week.
func (s *Spec) matchesDay(t time.Time) bool {
	_, month, day := t.Date()
	if s.month>>month&1 == 0 {
		return false
	}
	inMonth, inWeek := s.day>>day&1 != 0, s.weekday>>t.Weekday()&1 != 0
	if s.both {
		return inMonth && inWeek
	}
	return inMonth || inWeek
}

// nextClock returns the first matching time of a day from h:m:sec on.
func (s *Spec) nextClock(h, m, sec int) (int, int, int, bool) {
	if nextBit(s.hour, h) == h {
		if nextBit(s.minute, m) == m {
			if n := nextBit(s.second, sec); n < 64 {
				return h, m, n, true
			}
		}
		if n := nextBit(s.minute, m+1); n < 64 {
			return h, n, nextBit(s.second, 0), true
		}
	}
	if n := nextBit(s.hour, h+1); n < 64 {
		return n, nextBit(s.minute, 0), nextBit(s.second, 0), true
	}
	return 0, 0, 0, false
}

// nextBit returns the first set bit of mask from n on, 64 or more if there is none.
func nextBit(mask uint64, n int) int {
	return n + bits.TrailingZeros64(mask>>n)
}

// perDay returns how often the spec fires on a day that matches.
func (s *Spec) perDay() int {
	return bits.OnesCount64(s.hour) * bits.OnesCount64(s.minute) * bits.OnesCount64(s.second)
}
