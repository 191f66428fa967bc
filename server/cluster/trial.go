package cluster

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"roost/ring"
)

// Side is what became of one part of the devices.
type Side struct {
	// Attempts are connects and deliveries that were tried, Failures those of them
	// that failed for a reason of ours; Misses those whose device was not where the
	// ring says.
	Attempts uint64 `json:"attempts"`
	Failures uint64 `json:"failures"`
	Misses   uint64 `json:"misses"`
	// P99 of delivery, lately, and the median; 0 is not known. JSON has them in nanoseconds.
	P99 time.Duration `json:"p99"`
	P50 time.Duration `json:"p50,omitempty"`
}

func (s Side) rate() float64     { return part(s.Failures, s.Attempts) }
func (s Side) missRate() float64 { return part(s.Misses, s.Attempts) }

func part(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(min(n, of)) / float64(of)
}

// Counts are what was seen since a trial began: of the devices whose owner the
// canary says, and of the others. A node's are its own; they only grow.
type Counts struct {
	Trial uint64 `json:"trial"` // Pointer.Trial
	Share Side   `json:"share"`
	Rest  Side   `json:"rest"`
	// Seen is what each node saw of both parts, in a sum of several nodes' counts.
	Seen []Seen `json:"-"`
}

// Seen is both parts as one node sees them.
type Seen struct{ Share, Rest Side }

// Sum adds up the counts that nodes have published for a trial. Its P99 and P50 are the
// worst node's, and say nothing of both parts together: of a node that is slow itself both are.
// Seen has them as pairs.
func Sum(v *View, trial uint64) Counts {
	total := Counts{Trial: trial}
	for _, id := range slices.Sorted(maps.Keys(v.Weights)) {
		c := v.Weights[id].Trial
		if c == nil || c.Trial != trial {
			continue
		}
		total.Share.add(&c.Share)
		total.Rest.add(&c.Rest)
		total.Seen = append(total.Seen, Seen{c.Share, c.Rest})
	}
	return total
}

func (s *Side) add(o *Side) {
	s.Attempts += o.Attempts
	s.Failures += o.Failures
	s.Misses += o.Misses
	s.P99, s.P50 = max(s.P99, o.P99), max(s.P50, o.P50)
}

// TrialSettings say when a canary is promoted, and when it is rolled back. The
// zero value of each is its default. As JSON they have these names, and times in nanoseconds.
type TrialSettings struct {
	// Hold is how long a canary has to do well; default 5 min. Longest is how long
	// it waits for Least attempts (default 200) of its share; default 30 min.
	Hold, Longest time.Duration
	Least         uint64
	// Bound is the most that may fail, as a part of all; default 0.001.
	Bound float64
	// MissBound is the same for misses; default 0.05: devices that are on their way
	// are missed once, and found by the other ring.
	MissBound float64
	// P99 and median of the share may be Slower x the rest's, or SlowerBy above it, whichever
	// is more, as half of the nodes see it that know of both; default 1.5 and 50 ms. The median
	// is there for clusters that are so busy that a P99 says nothing.
	Slower   float64
	SlowerBy time.Duration
}

// WithDefaults returns s with zero fields replaced by their defaults.
func (s TrialSettings) WithDefaults() TrialSettings {
	def := TrialSettings{5 * time.Minute, 30 * time.Minute, 200, 0.001, 0.05, 1.5, 50 * time.Millisecond}
	if s.Hold == 0 {
		s.Hold = def.Hold
	}
	if s.Longest == 0 {
		s.Longest = max(def.Longest, s.Hold)
	}
	if s.Least == 0 {
		s.Least = def.Least
	}
	if s.Bound == 0 {
		s.Bound = def.Bound
	}
	if s.MissBound == 0 {
		s.MissBound = def.MissBound
	}
	if s.Slower == 0 {
		s.Slower = def.Slower
	}
	if s.SlowerBy == 0 {
		s.SlowerBy = def.SlowerBy
	}
	return s
}

// Validate returns what is wrong and what to do about it, or nil. Defaults are
// filled in first.
func (s TrialSettings) Validate() error {
	s = s.WithDefaults()
	switch {
	case s.Hold < 0 || s.Longest < s.Hold:
		return fmt.Errorf("%w: trial: hold %v, longest %v: 0 <= hold <= longest", ErrOptions, s.Hold, s.Longest)
	case !(s.Bound > 0 && s.Bound < 1 && s.MissBound > 0 && s.MissBound <= 1):
		return fmt.Errorf("%w: trial: bound %v, miss bound %v: parts of 1, above 0", ErrOptions, s.Bound, s.MissBound)
	case !(s.Slower >= 1) || s.SlowerBy < 0:
		return fmt.Errorf("%w: trial: slower %v by %v: from 1, and not negative", ErrOptions, s.Slower, s.SlowerBy)
	}
	return nil
}

// Action is what Judge says of a canary.
type Action uint8

// A trial goes so. On is left once, and for good.
//
//	      Hold over, Least seen, all within bounds
//	On ─────────────────────────────────────────────▶ Promote
//	│    surely above the bound, at any time
//	├───────────────────────────────────────────────▶ RollBack
//	│    Hold over, Least seen, above a bound
//	╰───────────────────────────────────────────────▶ RollBack
//
// With Longest over it is decided by what was seen, however little.
const (
	On Action = iota
	Promote
	RollBack
)

// String returns the action's name.
func (a Action) String() string { return [...]string{"on", "promote", "roll back"}[min(a, RollBack)] }

// leastFailures make a trial end early: one in twenty is no proof.
const leastFailures = 5

// Verdict is an action with its reason.
type Verdict struct {
	Action Action
	Why    string
}

// Judge says what becomes of a canary, by what was seen in age since its trial
// began. It is a function of its arguments.
//
// The share's failures are held against Bound, but where the rest of the devices
// fails half as often or more, it is not the ring's doing: then the trial goes on,
// and ends at Longest. Surely is: five failures or more, and the lower end of
// Wilson's interval, three deviations out, above Bound.
func Judge(c Counts, age time.Duration, s TrialSettings) Verdict {
	s = s.WithDefaults()
	share, rest := c.Share, c.Rest
	rate, others := share.rate(), rest.rate()
	alike := others >= rate/2 && others > s.Bound
	seen := fmt.Sprintf("%d of %d failed (%.3g %%), of the rest %d of %d (%.3g %%)",
		share.Failures, share.Attempts, 100*rate, rest.Failures, rest.Attempts, 100*others)
	over := age >= s.Longest
	switch {
	case !alike && share.Failures >= leastFailures && lowerBound(share.Failures, share.Attempts) > s.Bound:
		return Verdict{RollBack, seen + ": surely above the bound"}
	case age < s.Hold:
		return Verdict{On, fmt.Sprintf("%s; for %v of %v", seen, age.Round(time.Second), s.Hold)}
	case share.Attempts < s.Least && !over:
		return Verdict{On, fmt.Sprintf("%s: fewer than %d attempts, so it goes on, until %v", seen, s.Least, s.Longest)}
	case alike && !over:
		return Verdict{On, seen + ": all devices fail alike, so it goes on, until " + s.Longest.String()}
	case rate > s.Bound:
		return Verdict{RollBack, fmt.Sprintf("%s: above the bound of %.3g %%", seen, 100*s.Bound)}
	case share.missRate() > s.MissBound && share.missRate() > 2*rest.missRate():
		return Verdict{RollBack, fmt.Sprintf("%.3g %% missed, of the rest %.3g %%: above the bound of %.3g %%", 100*share.missRate(), 100*rest.missRate(), 100*s.MissBound)}
	}
	slow, know := s.slow(&c)
	times := fmt.Sprintf("P99 %v, median %v, of the rest %v and %v, at worst; slower as %d of %d nodes see it", share.P99, share.P50, rest.P99, rest.P50, slow, know)
	if slow > 0 && 2*slow >= know {
		return Verdict{RollBack, times}
	}
	return Verdict{Promote, seen + "; " + times}
}

// slow counts the nodes that see the share slower than it may be beside the rest, and
// those that know of both. A node is compared with itself alone: what one has to do with publishers, a
// slow machine or a far zone is in both of its numbers.
func (s *TrialSettings) slow(c *Counts) (slow, know int) {
	seen := c.Seen
	if len(seen) == 0 {
		seen = []Seen{{c.Share, c.Rest}}
	}
	above := func(share, rest time.Duration) bool {
		return rest > 0 && share > max(time.Duration(s.Slower*float64(rest)), rest+s.SlowerBy)
	}
	for i := range seen {
		share, rest := &seen[i].Share, &seen[i].Rest
		if share.P99 == 0 || rest.P99 == 0 {
			continue
		}
		know++
		if above(share.P99, rest.P99) || above(share.P50, rest.P50) {
			slow++
		}
	}
	return slow, know
}

// lowerBound is the lower end of Wilson's interval for n of so many, at three
// standard deviations.
func lowerBound(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	const z = 3.0
	total, p := float64(of), part(n, of)
	mid := p + z*z/(2*total)
	half := z * math.Sqrt(p*(1-p)/total+z*z/(4*total*total))
	return max(mid-half, 0) / (1 + z*z/total)
}

// Moving reports whether a key's owner differs between the rings of a trial, and
// whether the canary answers for it: such keys are the share that a trial is
// about, and those of equal owner are neither side's.
func Moving(rs *ring.Routes, hash uint64) (moves, onCanary bool) {
	_, _, moves = rs.Other(hash)
	return moves, rs.OnCanary(hash)
}
