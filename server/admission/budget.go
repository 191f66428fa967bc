package admission

import "time"

// Budget of a node unless measured otherwise, and its bounds, in connects a second. 2,000 is
// a tenth of what two cores were measured to hand-shake.
const (
	UsualBudget = 2000.0
	LeastBudget = 100.0
	MostBudget  = 20_000.0
)

const (
	// leastSeen is how many connects a second must have for what they cost to show
	// beside what the process does anyway.
	leastSeen = 50
	// calm is how many it may have to count as what the process does anyway.
	calm = 5
)

// Budget estimates how many connects a second a node can take: by what one was seen
// to cost in processor time, half of the cores, or what is idle of them if that is less.
// The zero value is ready.
type Budget struct {
	base  float64 // cores used in seconds without connects, averaged
	cost  float64 // seconds of processor time a connect, averaged; 0 is not measured
	begun bool
}

// Observe takes what happened in dt: processor time used and connects taken.
func (b *Budget) Observe(dt, cpu time.Duration, connects uint64) {
	if dt <= 0 || cpu < 0 {
		return // a clock that was set; the next one counts
	}
	used, rate := cpu.Seconds()/dt.Seconds(), float64(connects)/dt.Seconds()
	switch {
	case rate <= calm:
		if !b.begun {
			b.base, b.begun = used, true
		}
		b.base += 0.1 * (used - b.base)
	case rate >= leastSeen:
		// Until a calm second was seen the whole of the time is the connects': too
		// dear, so the budget is too low and not too high.
		cost := max(used-b.base, 0) / rate
		if cost == 0 {
			return // less than the noise of the rest
		}
		if b.cost == 0 {
			b.cost = cost
		}
		// Weighed by how many there were: of a thousand half, of fifty little.
		b.cost += min(rate/2000, 0.5) * (cost - b.cost)
	}
}

// PerSecond returns the budget for so many cores, within LeastBudget to MostBudget.
func (b *Budget) PerSecond(cores int) float64 {
	if b.cost == 0 {
		return UsualBudget
	}
	idle := float64(cores) - b.base
	return min(max(min(float64(cores)/2, idle)/b.cost, LeastBudget), MostBudget)
}
