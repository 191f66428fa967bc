package ledger

import (
	"fmt"
	"slices"
	"time"
)

// Account is what a ledger comes to.
type Account struct {
	Published  int `json:"published"`
	Accepted   int `json:"accepted"`
	Refused    int `json:"refused"`
	Unanswered int `json:"unanswered"` // never answered for good
	Repeats    int `json:"repeats"`    // requests that were made again, a message each
	Handled    int `json:"handled"`    // accepted, and handled once or more
	Lost       int `json:"lost"`       // accepted, and handled by nobody
	Silent     int `json:"silent"`     // of the lost: of devices that were not told of a new stream
	Extra      int `json:"extra"`      // unanswered, and handled all the same: as it may be
	Streams    int `json:"streams"`    // devices that were told of a new stream
	Wrong
	FirstTold time.Duration `json:"first_told,omitempty"` // when the first of those was, 0 for none
	Samples   []string      `json:"samples,omitempty"`    // the first faults, in words
}

// Account adds up. Lost means something once no message is on its way any more.
func (l *Ledger) Account() Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := Account{Published: len(l.messages), Wrong: l.wrong, Samples: slices.Clone(l.samples)}
	for i := range l.devices {
		if told := l.devices[i].told; told != 0 {
			if a.Streams++; a.Streams == 1 || told < a.FirstTold {
				a.FirstTold = told
			}
		}
	}
	for n := range l.messages {
		m := &l.messages[n]
		a.Repeats += int(m.tries)
		switch m.state {
		case accepted:
			a.Accepted++
			if m.handled > 0 {
				a.Handled++
				continue
			}
			a.Lost++
			if l.devices[m.device].told == 0 {
				a.Silent++
			}
			if len(a.Samples) < mostSamples {
				a.Samples = append(a.Samples, fmt.Sprintf("message %d, accepted as number %d of device %d, due at %v, was handled by nobody",
					n, m.told, m.device, time.Duration(m.due).Round(time.Millisecond)))
			}
		case refused:
			a.Refused++
		case waiting:
			a.Unanswered++
			if m.handled > 0 {
				a.Extra++
			}
		}
	}
	return a
}

// Faults says what must not be, nothing if all is well. streams allows that devices
// got new streams, whose numbers begin anew, and that what was accepted for those is
// lost: what a failover of Redis may do.
func (a *Account) Faults(streams bool) (faults []string) {
	lost, what := a.Lost, "accepted messages were handled by nobody"
	if streams {
		lost, what = a.Silent, "accepted messages were handled by nobody, and their devices were not told of a new stream"
	}
	for _, f := range []struct {
		n    int
		what string
	}{
		{lost, what},
		{a.Repeated, "messages were handled more than once"},
		{a.Stray, "messages were handled although they were refused"},
		{a.Foreign, "messages were handled by a device that they were not for"},
		{a.Damaged, "messages came damaged"},
		{a.Unanswered, "messages were never answered"},
	} {
		if f.n > 0 {
			faults = append(faults, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	if a.Renumbered > 0 && !streams {
		faults = append(faults, fmt.Sprintf("%d messages came under another number than their publisher was told", a.Renumbered))
	}
	if a.Streams > 0 && !streams {
		faults = append(faults, fmt.Sprintf("%d devices were told that their stream does not go on, the first at %v", a.Streams, a.FirstTold.Round(time.Millisecond)))
	}
	if a.Backwards > 0 && !streams {
		faults = append(faults, fmt.Sprintf("the numbers of a device went back %d times", a.Backwards))
	}
	return faults
}

// Latencies returns how long messages that were due from one instant to before
// another took from then until they were handled, in order. Those that nobody has
// handled are left out: they are Lost.
func (l *Ledger) Latencies(from, to time.Duration) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var took []time.Duration
	for n := range l.messages {
		if m := &l.messages[n]; m.state == accepted && m.done != 0 && m.due >= int64(from) && m.due < int64(to) {
			took = append(took, time.Duration(m.done-m.due))
		}
	}
	slices.Sort(took)
	return took
}

// CaughtUp returns, for devices that came back at an instant each, when each had
// handled all that was accepted for it and due before: its return, or the last of
// those messages if that was later. lacking are the devices that lack one.
func (l *Ledger) CaughtUp(back map[int]time.Duration) (at map[int]time.Duration, lacking []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at = make(map[int]time.Duration, len(back))
	for d, b := range back {
		at[d] = b
	}
	lacks := map[int]bool{}
	for n := range l.messages {
		m := &l.messages[n]
		b, is := back[int(m.device)]
		if !is || m.state != accepted || m.due >= int64(b) {
			continue
		}
		if m.done == 0 {
			lacks[int(m.device)] = true
			continue
		}
		at[int(m.device)] = max(at[int(m.device)], time.Duration(m.done))
	}
	for d := range lacks {
		delete(at, d)
		lacking = append(lacking, d)
	}
	slices.Sort(lacking)
	return at, lacking
}

// Percentile returns the value that q of 1 of an ordered list do not exceed (the
// nearest rank), 0 of an empty one.
func Percentile(ordered []time.Duration, q float64) time.Duration {
	if len(ordered) == 0 {
		return 0
	}
	rank := int(q*float64(len(ordered)) + 0.999999)
	return ordered[min(max(rank, 1), len(ordered))-1]
}
