package slots

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Targets returns how many of total slots each node should have: its share by
// weight in whole slots, together total. The slots that are left after rounding
// down go first to nodes that hold more than the whole part already, then by
// the largest remainder, then by name.
func Targets(hs []Holding, total int) ([]int, error) {
	if err := check(hs); err != nil {
		return nil, err
	}
	if total < 0 || total > 1<<40 {
		return nil, fmt.Errorf("%w: %d slots in all: must be 0 to 2^40", ErrHolding, total)
	}
	weights := 0.0
	for _, h := range hs {
		weights += h.Weight
	}
	targets := make([]int, len(hs))
	type rest struct {
		at        int
		remainder float64
		holds     bool
	}
	var rests []rest
	left := total
	for i, h := range hs {
		exact := h.Weight / weights * float64(total)
		whole := math.Floor(exact)
		// 0.35 x 16384 and the like must not lose a slot to the last bit of a float.
		if near := math.Round(exact); math.Abs(exact-near) < 1e-6 {
			whole, exact = near, near
		}
		targets[i] = int(whole)
		left -= targets[i]
		if h.Weight > 0 {
			rests = append(rests, rest{i, exact - whole, h.Slots > targets[i] && exact > whole})
		}
	}
	slices.SortFunc(rests, func(a, b rest) int {
		if a.holds != b.holds {
			if a.holds {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.remainder, a.remainder), cmp.Compare(hs[a.at].Node, hs[b.at].Node))
	})
	for i := 0; left > 0 && len(rests) > 0; i++ {
		targets[rests[i%len(rests)].at]++
		left--
	}
	for i := len(rests) - 1; left < 0; i-- { // floats that rounded up together
		if i < 0 {
			i = len(rests) - 1
		}
		if targets[rests[i].at] > 0 {
			targets[rests[i].at]--
			left++
		}
	}
	return targets, nil
}

// Capacity is what a zone has to carry slots with, in any unit that all zones
// share.
type Capacity struct {
	Zone        string
	Memory, CPU float64
}

// ZoneShares returns which share of the slots each zone should have, together 1:
// that of its scarcer resource. A zone with half of the memory and a quarter of
// the CPU can do a quarter of the work.
func ZoneShares(zones []Capacity) ([]float64, error) {
	memory, cpu := 0.0, 0.0
	for _, z := range zones {
		if !(z.Memory >= 0) || !(z.CPU >= 0) {
			return nil, fmt.Errorf("%w: zone %q has memory %v and CPU %v: use numbers that are not negative", ErrHolding, z.Zone, z.Memory, z.CPU)
		}
		memory += z.Memory
		cpu += z.CPU
	}
	if !(memory > 0) || !(cpu > 0) || math.IsInf(memory, 0) || math.IsInf(cpu, 0) {
		return nil, fmt.Errorf("%w: the zones have memory %v and CPU %v in all: both must be finite and above 0", ErrHolding, memory, cpu)
	}
	shares, sum := make([]float64, len(zones)), 0.0
	for i, z := range zones {
		shares[i] = min(z.Memory/memory, z.CPU/cpu)
		sum += shares[i]
	}
	if sum == 0 {
		return nil, fmt.Errorf("%w: no zone has both memory and CPU", ErrHolding)
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares, nil
}
