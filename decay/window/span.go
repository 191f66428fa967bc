package window

import (
	"fmt"
	"time"
)

// Epoch numbers the slices of time of a Span. Any value is valid.
type Epoch int64

// The window unless set: 20 epochs of 50 ms, one second.
const (
	DefaultSlots = 20
	DefaultWidth = 50 * time.Millisecond
)

// MaxSlots is the longest window in epochs. The ring's 32 words leave one epoch
// for the part of the oldest that Rate counts, and one of slack for clocks that
// are read at different instants.
const MaxSlots = Ring - 2

// Span is the shape of a window: how long an epoch is, how many make the window.
// It is a value: copy it freely. The zero value is 20 epochs of 50 ms.
type Span struct {
	slots int
	width time.Duration
}

// orDefault fills in the zero value.
func (s Span) orDefault() Span {
	if s.slots == 0 {
		return Span{DefaultSlots, DefaultWidth}
	}
	return s
}

// NewSpan returns a window of slots epochs (1 to 30) of width each (at least one
// nanosecond). Anything else is an error.
func NewSpan(slots int, width time.Duration) (Span, error) {
	if slots < 1 || slots > MaxSlots {
		return Span{}, fmt.Errorf("window: %d slots: want 1 to %d", slots, MaxSlots)
	}
	if width < 1 {
		return Span{}, fmt.Errorf("window: slots of %v: want more than none", width)
	}
	return Span{slots, width}, nil
}

// Slots returns the number of epochs of the window.
func (s Span) Slots() int { return s.orDefault().slots }

// Width returns the length of an epoch.
func (s Span) Width() time.Duration { return s.orDefault().width }

// Epoch returns the epoch of time t since the origin. Times before it are
// negative epochs: -1 ns lies in epoch -1.
func (s Span) Epoch(t time.Duration) Epoch {
	e, _ := s.split(t)
	return e
}

// split returns the epoch of t and how far into it t lies, 0 to 1 without 1.
func (s Span) split(t time.Duration) (Epoch, float64) {
	s = s.orDefault()
	e, in := t/s.width, t%s.width
	if in < 0 {
		e, in = e-1, in+s.width
	}
	return Epoch(e), float64(in) / float64(s.width)
}

// Source is what a Span reads: counts, or sums, by epoch. [Counter], [Counters]
// and the views of a [Meter] are sources.
type Source interface {
	// At returns the value of epoch e, 0 if it is no longer held.
	At(e Epoch) uint64
	// Sum returns the value of slots epochs, the last of which is e.
	Sum(e Epoch, slots int) uint64
}

// Sum returns what was recorded in the window at time t: the present epoch so
// far and the slots-1 before it.
func (s Span) Sum(src Source, t time.Duration) uint64 {
	return src.Sum(s.Epoch(t), s.Slots())
}

// Rate returns what was recorded per second over the window that ends at t, of
// exactly slots x width (the formula is in the package comment). Within an epoch
// it is continuous in t. A window that has not run for its whole length reads low
// by the missing part.
func (s Span) Rate(src Source, t time.Duration) float64 {
	s = s.orDefault()
	e, p := s.split(t)
	n := Epoch(s.slots)
	sum := float64(src.Sum(e, s.slots)) + (1-p)*float64(src.At(e-n))
	return sum / (float64(n) * s.width.Seconds())
}

// Clock is a Span that reads the monotonic clock. One reading costs 26 to 42
// ns: read once a turn of an event loop, not once a record.
type Clock struct {
	Span
	origin time.Time
}

// NewClock returns a clock for s whose origin is now.
func NewClock(s Span) Clock { return Clock{s, time.Now()} }

// Now returns the time since the origin. It never steps back.
func (c Clock) Now() time.Duration { return time.Since(c.origin) }

// NowEpoch returns the present epoch.
func (c Clock) NowEpoch() Epoch { return c.Epoch(c.Now()) }
