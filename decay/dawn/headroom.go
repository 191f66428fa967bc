package dawn

import (
	"fmt"
	"math"
	"time"
)

// Load is what a node carries and can carry, in one unit for all nodes:
// connections, or cores.
type Load struct {
	Node     Node
	Used     float64 // not negative; NaN if it is not known
	Capacity float64 // not negative; NaN if it is not known
}

// Limits say when a fall may begin.
type Limits struct {
	MaxUse    float64       // share of its capacity that a node may be asked to carry, in (0, 1]
	Spare     int           // nodes of the rest that may fail on top, the largest ones: n - Spare; a cluster of two nodes needs 0
	Retry     time.Duration // by how much a fall is postponed, from its Begin or from now if that is later; 2 x Notice to 24 h
	Postpones int           // how often at most, 0 to 100; then the opening is skipped
}

// DefaultLimits keep one node in hand and a fifth of the others, and try for an
// hour. They need three nodes: of two, one is in the group and the other is the
// one in hand, so nothing ever goes. Two nodes want Spare 0.
var DefaultLimits = Limits{MaxUse: 0.8, Spare: 1, Retry: 10 * time.Minute, Postpones: 6}

// Validate reports what is wrong with the limits.
func (l *Limits) Validate() error {
	switch {
	case !(l.MaxUse > 0 && l.MaxUse <= 1):
		return fmt.Errorf("use of at most %v is not in (0, 1]", l.MaxUse)
	case l.Spare < 0 || l.Spare > maxSpare:
		return fmt.Errorf("%d spare nodes are not in 0 to %d", l.Spare, maxSpare)
	case l.Retry < 2*Notice || l.Retry > maxRamp:
		return fmt.Errorf("postponing by %v is not in %v to %v", l.Retry, 2*Notice, maxRamp)
	case l.Postpones < 0 || l.Postpones > 100:
		return fmt.Errorf("postponing %d times is not in 0 to 100", l.Postpones)
	}
	return nil
}

// maxSpare bounds the work of Headroom, which is loads x Spare.
const maxSpare = 1000

// Verdict is what becomes of a fall that is due.
type Verdict uint8

// The verdicts.
const (
	Go Verdict = iota
	Postpone
	Skip
)

// String returns the verdict in a word.
func (v Verdict) String() string {
	return [...]string{"go", "postpone", "skip"}[min(v, Skip)]
}

// Decision is a verdict with what it was made of.
type Decision struct {
	Verdict Verdict
	Until   time.Time // Postpone: when the fall is to begin instead
	Reason  string    // in words, for operators
	Late    bool      // Skip: because of the time

	Need float64 // load of the whole cluster, which the rest will have to carry
	Have float64 // what the rest may carry with its Spare largest nodes gone
	Rest int     // nodes that are neither in the group nor falling for another opening
}

// Headroom decides about the fall of o, which has been postponed that many times
// before. The rest of the cluster must hold everything, with its largest nodes
// (Limits.Spare of them) gone and no node above MaxUse:
//
//	MaxUse · (sum of capacity over the rest - the Spare largest)  >=  sum of load over all
//
// Even spread over the rest is assumed, as the ring gives it. The load of the
// group counts in full although the floor leaves some of it there: the
// maintenance may take it too. Nodes in the group of an opening of others, which
// are those that have begun to fall, are not part of the rest while the two plans
// overlap. A load that is not known counts as a full node, a capacity that is
// not known as none; a node of which neither is known postpones. The first entry
// of an id counts.
func Headroom(o *Opening, others []Opening, postponed int, loads []Load, now time.Time, lim Limits) Decision {
	var d Decision
	group, unknown := 0, ""
	spare := make([]float64, 0, max(0, min(lim.Spare, len(loads))))
	seen := make(map[string]bool, len(loads))
	for i := range loads {
		l := &loads[i]
		if seen[l.Node.ID] {
			continue
		}
		seen[l.Node.ID] = true
		used, capacity := l.Used, l.Capacity
		if !valid(capacity) {
			capacity = 0
		}
		if !valid(used) {
			if used = capacity; !valid(l.Capacity) {
				unknown = l.Node.ID
			}
		}
		d.Need += used
		switch {
		case o.Nodes.Matches(&l.Node):
			group++
		case !falling(o, others, &l.Node):
			d.Rest++
			d.Have += overflow(&spare, lim.Spare, capacity)
		}
	}
	d.Have *= lim.MaxUse
	d.decide(o, group, postponed, unknown, now, lim)
	return d
}

// decide turns the figures into the verdict.
func (d *Decision) decide(o *Opening, group, postponed int, unknown string, now time.Time, lim Limits) {
	short := ""
	switch {
	case now.After(o.Last()):
		d.Verdict, d.Late = Skip, true
		d.Reason = fmt.Sprintf("too late: the floor would be reached after the maintenance ends at %s", clock(o.End))
		return
	case group+d.Rest == 0:
		short = "the load of the cluster is not known"
	case group == 0:
		d.Verdict, d.Reason = Skip, "no node matches the group"
		return
	case d.Rest == 0:
		d.Verdict, d.Reason = Skip, "no node is left to take the load"
		return
	case unknown != "":
		short = fmt.Sprintf("neither load nor capacity of node %.64q is known", unknown)
	case d.Need <= d.Have && !math.IsInf(d.Have, 0):
		d.Verdict = Go
		d.Reason = fmt.Sprintf("the rest (%d nodes) may carry %.6g with %d of them gone, %.6g is there", d.Rest, d.Have, lim.Spare, d.Need)
		return
	default:
		short = fmt.Sprintf("the rest (%d nodes) may carry %.6g with %d of them gone, but %.6g is there", d.Rest, d.Have, lim.Spare, d.Need)
	}
	again := o.Begin // a fall is decided Notice ahead of it
	if now.After(again) {
		again = now
	}
	again = again.Add(lim.Retry)
	switch {
	case postponed >= lim.Postpones:
		d.Verdict, d.Reason = Skip, fmt.Sprintf("postponed %d times, and still: %s", postponed, short)
	case again.After(o.Last()):
		d.Verdict, d.Late = Skip, true
		d.Reason = fmt.Sprintf("at %s it would be too late: %s", clock(again), short)
	default:
		d.Verdict, d.Until = Postpone, again
		d.Reason = fmt.Sprintf("until %s (%d of %d): %s", clock(again), postponed+1, lim.Postpones, short)
	}
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 MST") }

// falling reports whether the node has begun to fall for another opening whose
// plan overlaps that of o.
func falling(o *Opening, others []Opening, n *Node) bool {
	for i := range others {
		x := &others[i]
		if x.Begin.Before(o.Clear()) && o.Begin.Before(x.Clear()) && x.Nodes.Matches(n) {
			return true
		}
	}
	return false
}

func valid(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }

// overflow puts v among the n largest values, which kept holds, and returns the
// one that has no place there, 0 while there is room.
func overflow(kept *[]float64, n int, v float64) float64 {
	if len(*kept) < n {
		*kept = append(*kept, v)
		return 0
	}
	for i, k := range *kept {
		if k < v {
			(*kept)[i], v = v, k
		}
	}
	return v
}
