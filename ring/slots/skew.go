package slots

import (
	"errors"
	"fmt"
	"math"
)

// Count is the number of slots of a Redis Cluster.
const Count = 16384

// Holding is what a node has and should have.
type Holding struct {
	Node, Zone string
	Slots      int     // held now, not negative
	Weight     float64 // wanted share, relative to the others'; finite, not negative
}

// ErrHolding is what is wrong with a list of holdings; the text says where.
var ErrHolding = errors.New("slots: holding refused")

// check says what is wrong with holdings, or nil.
func check(hs []Holding) error {
	seen := make(map[string]bool, len(hs))
	weights := 0.0
	for i, h := range hs {
		switch {
		case h.Node == "":
			return fmt.Errorf("%w: number %d has no node", ErrHolding, i+1)
		case seen[h.Node]:
			return fmt.Errorf("%w: node %q is there twice", ErrHolding, h.Node)
		case h.Slots < 0:
			return fmt.Errorf("%w: node %q has %d slots", ErrHolding, h.Node, h.Slots)
		case !(h.Weight >= 0) || math.IsInf(h.Weight, 0): // NaN is not >= 0
			return fmt.Errorf("%w: node %q has weight %v: use a finite number, 0 to take all its slots away", ErrHolding, h.Node, h.Weight)
		}
		seen[h.Node] = true
		weights += h.Weight
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
	// Outside is how many counts lie on nodes that should have none.
	Outside float64
	// Least and Most are the places, in the order of the arguments, of the smallest
	// and the largest count/target; -1 if there is none.
	Least, Most int
}

// SkewOf measures counts against targets of the same length and unit: slots,
// devices, requests. Targets are scaled to the sum of the counts, so that any
// weights do. Where nothing is counted, or nobody should have anything, all is 0.
func SkewOf(counts, targets []float64) Skew {
	s := Skew{Least: -1, Most: -1}
	n := min(len(counts), len(targets))
	total, weight := 0.0, 0.0
	for i := range n {
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
		if targets[i] <= 0 {
			s.Outside += counts[i]
			continue
		}
		r := counts[i] / (targets[i] / weight * total)
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
	s.Given = (largest - smallest) / (total / float64(n))
	if mean := sum / with; mean > 0 {
		s.Sigma = (high - low) / mean
	}
	s.Deviation = max(high-1, 1-low)
	s.StdDev = math.Sqrt(squares / with)
	return s
}

// Nodes returns the skew of slots over nodes.
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
// Node is its name. Nodes of the result is the skew over zones.
func Zones(hs []Holding) []Holding {
	at := map[string]int{}
	var zones []Holding
	for _, h := range hs {
		i, known := at[h.Zone]
		if !known {
			i = len(zones)
			at[h.Zone] = i
			name := h.Zone
			if name == "" {
				name = "(no zone)"
			}
			zones = append(zones, Holding{Node: name, Zone: h.Zone})
		}
		zones[i].Slots += h.Slots
		zones[i].Weight += h.Weight
	}
	return zones
}
