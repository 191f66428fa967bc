package bench

import "math"

// ratios divides each round's value by the floor's of the same round: what the
// machine does to both cancels out. The result has a NaN where either does not
// count.
func ratios(values, floor []float64) []float64 {
	r := make([]float64, len(values))
	for i := range r {
		r[i] = math.NaN()
		if i < len(floor) && floor[i] != 0 {
			r[i] = values[i] / floor[i]
		}
	}
	return r
}

// runOrder returns the order in which round takes n subjects: all of them, each
// round beginning with another one, so that none always comes first.
func runOrder(n, round int) []int {
	order := make([]int, n)
	for i := range order {
		// A stride of a third of the list also changes who is whose neighbour.
		order[i] = (i + round*max(n/3, 1)) % n
	}
	return order
}
