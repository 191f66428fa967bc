package preview

import "math"

// Measured is a node before and after a change, as planned and as it was.
type Measured struct {
	ID            string
	Before, After float64 // devices connected
	Planned       float64 // devices that it was to gain, lost if negative
	Gained        float64 // After - Before
	Known         bool    // both times; the rest says nothing without
}

// Outcome is what a change has done, beside what was planned.
type Outcome struct {
	Nodes []Measured // as the report's
	// Planned and Moved are the sums of what nodes were to gain, and have gained:
	// what went from a node to another and back is in neither.
	Planned, Moved float64
	// Off is the sum of |gained - planned| over all nodes of which both are known.
	Off float64
}

// Outcome compares the plan with the devices that nodes have said they have,
// before and after. share is the part of the moving ids that have been moved, of
// ring.ShareUnit: a canary's, or all.
func (r *Report) Outcome(share, unit int, before, after map[string]float64) Outcome {
	var o Outcome
	for i := range r.Nodes {
		n := &r.Nodes[i]
		m := Measured{ID: n.ID, Planned: (n.Come - n.Leave) * float64(share) / float64(unit)}
		was, knownBefore := before[n.ID]
		is, knownAfter := after[n.ID]
		if m.Known = knownBefore && knownAfter; m.Known {
			m.Before, m.After, m.Gained = was, is, is-was
			o.Moved += max(m.Gained, 0)
			o.Off += math.Abs(m.Gained - m.Planned)
		}
		o.Planned += max(m.Planned, 0)
		o.Nodes = append(o.Nodes, m)
	}
	return o
}
