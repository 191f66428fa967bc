package slots

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// nearWhole is how near a share must be to a whole number of slots to be one: 0.35
// x 16384 and the like must not lose a slot to the last bit of a float.
const nearWhole = 1e-6

// Targets returns how many of total slots each node should have: its share by
// weight in whole slots, together total, which is 0 to 2^40. The slots that are
// left after rounding down go first to nodes whose share is whole but for a float's last
// bits, then to those that hold more than the whole part already, then by the largest remainder, then
// by name. The order of hs does not matter. Errors are ErrHolding.
func Targets(hs []Holding, total int) ([]int, error) {
	if err := check(hs); err != nil {
		return nil, err
	}
	if total < 0 || total > maxSlots {
		return nil, fmt.Errorf("%w: %d slots in all: must be 0 to %d", ErrHolding, total, int64(maxSlots))
	}
	weights := sumWeights(hs)
	targets := make([]int, len(hs))
	rests := make([]rest, len(hs))
	left := total
	for i, h := range hs {
		exact := h.Weight / weights * float64(total)
		whole := math.Floor(exact)
		targets[i] = int(whole)
		left -= targets[i]
		rests[i] = restOf(i, exact-whole, h.Slots > targets[i])
	}
	slices.SortFunc(rests, func(a, b rest) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.remainder, a.remainder), cmp.Compare(hs[a.at].Node, hs[b.at].Node))
	})
	// Remainders are below 1 and sum to left, but for a thousandth of a slot that the
	// weights' sum may be off: so nobody gets two, and nobody without a remainder one.
	for _, r := range rests[:left] {
		targets[r.at]++
	}
	return targets, nil
}

// rest is what rounding down has taken from a node.
type rest struct {
	at        int
	remainder float64 // 0 to 1
	rank      int     // 0 for what is all but whole, 1 for nodes that hold the odd slot
}

func restOf(at int, remainder float64, holds bool) rest {
	switch {
	case remainder > 1-nearWhole:
		return rest{at, remainder, 0}
	case holds && remainder > nearWhole:
		return rest{at, remainder, 1}
	}
	return rest{at, remainder, 2}
}

// sumWeights returns the sum of the weights to within 1e-15 of it, the same for
// any order of hs: in ascending order, with what each addition loses added at the
// end (Neumaier's sum).
func sumWeights(hs []Holding) float64 {
	weights := make([]float64, len(hs))
	for i, h := range hs {
		weights[i] = h.Weight
	}
	slices.Sort(weights)
	sum, lost := 0.0, 0.0
	for _, w := range weights {
		next := sum + w
		if sum >= w {
			lost += sum - next + w
		} else {
			lost += w - next + sum
		}
		sum = next
	}
	return sum + lost
}

// Capacity is what a zone has to carry slots with, in any unit that all zones
// share.
type Capacity struct {
	Zone        string
	Memory, CPU float64
}

// ZoneShares returns which share of the slots each zone should have, together 1:
// that of its scarcer resource. A zone with half of the memory and a quarter of
// the CPU can do a quarter of the work. Errors are ErrHolding.
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
