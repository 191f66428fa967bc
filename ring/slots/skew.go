package slots

import (
	"errors"
	"fmt"
	"math"
)

// Count is the number of slots of a Redis Cluster.
const Count = 16384

// maxSlots is the most slots that nodes may hold together: their shares are then
// exact to less than a thousandth of a slot, and sums do not overflow.
const maxSlots = min(1<<40, math.MaxInt)

// noShare is the share below which a node is to have nothing. Of 2^40 slots it is
// a thousandth of one; a ratio to less would say nothing, and could be infinite.
const noShare = 1e-15

// Holding is what a node has and should have.
type Holding struct {
	Node, Zone string
	Slots      int     // held now, not negative; 2^40 together
	Weight     float64 // wanted share, relative to the others'; finite, not negative
}

// ErrHolding is what is wrong with a list of holdings; the text says where.
var ErrHolding = errors.New("slots: holding refused")

// check says what is wrong with holdings, or nil.
func check(hs []Holding) error {
	seen := make(map[string]bool, len(hs))
	weights, total := 0.0, 0
	for i, h := range hs {
		switch {
		case h.Node == "":
			return fmt.Errorf("%w: number %d has no node", ErrHolding, i+1)
		case seen[h.Node]:
			return fmt.Errorf("%w: node %q is there twice", ErrHolding, h.Node)
		case h.Slots < 0:
			return fmt.Errorf("%w: node %q has %d slots", ErrHolding, h.Node, h.Slots)
		case h.Slots > maxSlots-total:
			return fmt.Errorf("%w: up to node %q there are more than %d slots", ErrHolding, h.Node, int64(maxSlots))
		case !(h.Weight >= 0) || math.IsInf(h.Weight, 0): // NaN is not >= 0
			return fmt.Errorf("%w: node %q has weight %v: use a finite number, 0 to take all its slots away", ErrHolding, h.Node, h.Weight)
		}
		seen[h.Node] = true
		weights += h.Weight
		total += h.Slots
	}
	if len(hs) > 0 && (weights == 0 || math.IsInf(weights, 0)) {
		return fmt.Errorf("%w: the weights sum to %v: somebody must have the slots, and the sum must be finite", ErrHolding, weights)
	}
	return nil
}

// Skew says how far counts are from their targets.
type Skew struct {
	// Sigma is (max - min) / mean of count/target; the given measure. Deviation is
	// the largest distance of count/target from 1, StdDev their standard deviation.
	Sigma, Deviation, StdDev float64
	// Given is (max - min) / mean of the counts themselves, as the original report
	// had it: not 0 where targets differ.
	Given float64
	// Outside is how many counts lie on nodes that should have none: those with less
	// than 1e-15 of the targets.
	Outside float64
	// Least and Most are the places, in the order of the arguments, of the smallest
	// and the largest count/target; -1 if there is none.
	Least, Most int
}

// SkewOf measures counts against targets of the same length and unit: slots,
// devices, requests. Targets are scaled to the sum of the counts, so that any
// weights do. Where nothing is counted, nobody should have anything, or a number
// is negative, infinite or none, all is 0.
func SkewOf(counts, targets []float64) Skew {
	s := Skew{Least: -1, Most: -1}
	n := min(len(counts), len(targets))
	total, weight := 0.0, 0.0
	for i := range n {
		if !(counts[i] >= 0) || !(targets[i] >= 0) {
			return s
		}
		total += counts[i]
		weight += targets[i]
	}
	if !(total > 0) || !(weight > 0) || math.IsInf(total, 0) || math.IsInf(weight, 0) {
		return s
	}
	var sum, squares, with float64
	low, high := math.Inf(1), math.Inf(-1)
	smallest, largest := math.Inf(1), math.Inf(-1)
	for i := range n {
		smallest, largest = min(smallest, counts[i]), max(largest, counts[i])
		share := targets[i] / weight
		if share < noShare {
			s.Outside += counts[i]
			continue
		}
		r := counts[i] / total / share
		if r < low {
			low, s.Least = r, i
		}
		if r > high {
			high, s.Most = r, i
		}
		sum += r
		squares += (r - 1) * (r - 1)
		with++
	}
	s.Given = (largest - smallest) / total * float64(n)
	if sum > 0 {
		s.Sigma = (high - low) / sum * with
	}
	s.Deviation = max(high-1, 1-low)
	s.StdDev = math.Sqrt(squares / with)
	return s
}

// Nodes returns the skew of slots over nodes, or ErrHolding.
func Nodes(hs []Holding) (Skew, error) {
	if err := check(hs); err != nil {
		return Skew{}, err
	}
	counts, weights := make([]float64, len(hs)), make([]float64, len(hs))
	for i, h := range hs {
		counts[i], weights[i] = float64(h.Slots), h.Weight
	}
	return SkewOf(counts, weights), nil
}

// Zones sums holdings by zone, in the order in which zones first appear; a zone's
// Node is its name, or "(no zone)" in as many brackets as no zone's name has. Nodes of
// the result is the skew over zones, if Nodes takes the holdings.
func Zones(hs []Holding) []Holding {
	at := map[string]int{}
	var zones []Holding
	for _, h := range hs {
		i, known := at[h.Zone]
		if !known {
			i = len(zones)
			at[h.Zone] = i
			zones = append(zones, Holding{Node: h.Zone, Zone: h.Zone})
		}
		zones[i].Slots += h.Slots
		zones[i].Weight += h.Weight
	}
	if i, there := at[""]; there {
		name := "(no zone)"
		for _, taken := at[name]; taken; _, taken = at[name] {
			name = "(" + name + ")"
		}
		zones[i].Node = name
	}
	return zones
}
