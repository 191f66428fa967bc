package fleet

import (
	"slices"
	"time"
)

// MostWithin returns the largest number of instants that lie within any stretch of
// time of so much, its end excluded.
func MostWithin(at []time.Duration, stretch time.Duration) (most int) {
	at = slices.Sorted(slices.Values(at)) // who dials at once is noted in any order
	first := 0
	for last := range at {
		for at[last]-at[first] >= stretch {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}
