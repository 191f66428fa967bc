package cluster

import (
	"fmt"
	"slices"
	"time"

	"roost/ring"
	"roost/ring/zones"
)

// Kind is what a Decision is for.
type Kind uint8

// The kinds.
const (
	Nothing  Kind = iota
	First         // the first ring of all: in force at once
	Restored      // etcd has lost the pointer, or what it names: the ring that is in force gets one again
	Urgent        // dead nodes out, draining ones emptied, addresses: in force at once, a trial goes on
	Join          // nodes that are new, or do not drain any more: canary
	Weights       // weights that have changed enough: canary
	Zones         // zones whose shares are off their targets: factors, and a canary
)

// String returns the kind's name.
func (k Kind) String() string {
	return [...]string{"nothing", "first", "restored", "urgent", "join", "weights", "zones"}[min(k, Zones)]
}

// Decision is what Decide found to do.
type Decision struct {
	Kind Kind
	// Stable is the change of the stable ring; for a Join, Weights or Zones the canary is
	// the stable ring with it. First has all nodes in Set.
	Stable ring.Change
	// Canary is the change of the ring on trial, for Urgent. DropCanary ends the
	// trial instead.
	Canary     ring.Change
	DropCanary bool
	// Factors are those of zones afterwards, for Zones.
	Factors map[string]float64
	// Wait is when to ask again if nothing changes, from now; 0 is not.
	Wait time.Duration
	// Why says it in words.
	Why string
}

// PlanInput is what Decide looks at.
type PlanInput struct {
	View   *View
	Stable *ring.Ring // in force; nil is none
	Canary *ring.Ring // on trial; nil is none
	// Lost says why what the pointer names cannot be had, though etcd answers: Stable
	// is what was in force before, and still is. Nil is that it is in force.
	Lost error
	Now  time.Time
}

// PlanMemory is what Decide has to remember until it is asked again: since when
// something is wanted. The zero value is of a planner that begins.
type PlanMemory struct {
	urgent, joins, weights want
	activation             int64
	moved                  time.Time // when the pointer was first seen as it is
	zones                  zones.Memory
	rest                   resting
}

// Decide says what is to be done to the ring. It does nothing itself, reads no
// clock, and gives the same for the same input.
func Decide(in PlanInput, mem PlanMemory, set PlanSettings) (Decision, PlanMemory) {
	set = set.WithDefaults()
	v := in.View
	if v.Revision == 0 || !v.Stale.IsZero() {
		return Decision{Why: "etcd is not heard: the last ring stays"}, mem
	}
	if mem.moved.IsZero() || mem.activation != v.Pointer.Activation {
		mem.activation, mem.moved = v.Pointer.Activation, in.Now
	}
	var rest time.Duration
	mem.rest, rest = mem.rest.left(&v.Pointer, in.Now, set.AfterRollback)
	if in.Lost != nil {
		return restore(in, mem, &set)
	}
	w := shortfallOf(v, in.Stable, &set)
	if in.Stable == nil || in.Stable.Len() == 0 {
		return first(w, in, mem, &set)
	}
	if v.Pointer.Activation == 0 {
		mem.joins = mem.joins.next("restore", in.Now)
		if wait := mem.joins.wait(in.Now, set.Quiet, set.Most); wait > 0 {
			return Decision{Wait: wait, Why: "there is no ring pointer: waiting for one"}, mem
		}
		return Decision{Kind: Restored, Why: fmt.Sprintf("there is no ring pointer: version %d is in force here", in.Stable.Version())}, mem
	}
	if d, done := urgent(w, in, &mem, &set); done {
		return d, mem
	}
	if in.Canary != nil {
		mem.joins, mem.weights = want{}, want{}
		return Decision{Why: fmt.Sprintf("version %d is on trial", v.Pointer.Canary)}, mem
	}
	return slow(w, in, mem, rest, &set)
}

// restore gives the ring that is in force a pointer again, in the place of one that names
// what is not there: an old one that somebody has put back, after its versions were
// collected. Nobody follows such a pointer, so without this dead nodes would stay in the ring.
func restore(in PlanInput, mem PlanMemory, set *PlanSettings) (Decision, PlanMemory) {
	if in.Stable == nil || in.Stable.Len() == 0 {
		return Decision{Why: fmt.Sprintf("no ring is in force here, and none to be had: %v", in.Lost)}, mem
	}
	mem.urgent = mem.urgent.next(fmt.Sprint("lost at ", in.View.Pointer.Activation), in.Now)
	if wait := mem.urgent.wait(in.Now, set.MostGone, set.MostGone); wait > 0 {
		return Decision{Wait: wait, Why: fmt.Sprintf("waiting for what the ring pointer names: %v", in.Lost)}, mem
	}
	return Decision{Kind: Restored, Why: fmt.Sprintf("%v: version %d is in force here", in.Lost, in.Stable.Version())}, mem
}

// first makes the first ring.
func first(w shortfall, in PlanInput, mem PlanMemory, set *PlanSettings) (Decision, PlanMemory) {
	if len(w.joins) == 0 {
		mem.joins = want{}
		return Decision{Why: "nobody is there who could own anything"}, mem
	}
	mem.joins = mem.joins.next(fingerprint(w.joins), in.Now)
	if wait := mem.joins.wait(in.Now, set.Quiet, set.Most); wait > 0 {
		return Decision{Wait: wait, Why: "nodes are coming"}, mem
	}
	return Decision{Kind: First, Stable: ring.Change{Set: w.joins}, Why: fmt.Sprintf("first ring, of %s", names(w.joins))}, mem
}

// urgent says what cannot wait for a trial. done is false if there is nothing.
func urgent(w shortfall, in PlanInput, mem *PlanMemory, set *PlanSettings) (d Decision, done bool) {
	d = Decision{Kind: Urgent, Stable: w.urgent}
	if in.Canary != nil {
		d.Canary = shortfallOf(in.View, in.Canary, set).urgent
	}
	dead := max(len(d.Stable.Remove), len(d.Canary.Remove))
	if len(d.Stable.Set)+len(d.Canary.Set)+dead == 0 {
		mem.urgent = want{}
		return d, false
	}
	if w.owners == 0 {
		// The ring would be empty: whoever comes is let in at once.
		d.Stable.Set = append(slices.Clone(d.Stable.Set), w.joins...)
		d.Canary, d.DropCanary = ring.Change{}, true
		if len(w.joins) == 0 {
			return Decision{Why: "nobody would be left: the last ring stays"}, true
		}
	}
	quiet, most := set.RemoveQuiet, max(set.Quiet, set.RemoveQuiet)
	if 2*dead > in.Stable.Len() {
		quiet, most = set.MostGone, set.MostGone
	}
	mem.urgent = mem.urgent.next(fmt.Sprint(d.Stable.Remove, d.Canary.Remove)+fingerprint(d.Stable.Set)+fingerprint(d.Canary.Set), in.Now)
	if wait := mem.urgent.wait(in.Now, quiet, most); wait > 0 {
		return Decision{Wait: wait, Why: fmt.Sprintf("%d of %d nodes are gone: looking whether more go or some come back", dead, in.Stable.Len())}, true
	}
	d.Why = fmt.Sprintf("gone: %s; emptied, or moved: %s", orNobody(d.Stable.Remove), names(d.Stable.Set))
	return d, true
}

// slow says what goes through a trial.
func slow(w shortfall, in PlanInput, mem PlanMemory, rest time.Duration, set *PlanSettings) (Decision, PlanMemory) {
	if rest > 0 {
		mem.joins, mem.weights = want{}, want{}
		return Decision{Wait: rest, Why: fmt.Sprintf("version %d was rolled back: nothing is tried for another %v", in.View.Pointer.RolledBack, rest.Round(time.Second))}, mem
	}
	var d Decision
	joins, cut := takesIn(in.View, in.Stable, w.joins)
	if len(joins) > 0 {
		mem.joins = mem.joins.next(fingerprint(joins), in.Now)
		if d.Wait = mem.joins.wait(in.Now, set.Quiet, set.Most); d.Wait > 0 {
			return Decision{Wait: d.Wait, Why: "nodes are coming: " + names(joins)}, mem
		}
		return Decision{Kind: Join, Stable: ring.Change{Set: joins}, Why: "join: " + names(joins)}, mem
	}
	mem.joins = want{}
	sinceMoved := in.Now.Sub(mem.moved)
	even := Decision{Why: "the ring is as it should be"}
	if len(cut) > 0 {
		even.Why = fmt.Sprintf("not taken in, as they do not reach Redis, which others do: %s", orNobody(cut))
	}
	if sinceMoved >= set.WeightsEvery {
		if even = evenOut(in, &mem, set, even); even.Kind != Nothing {
			return even, mem
		}
	}
	if !w.overBand || w.owners == 0 { // all pinned to nothing: the last ring stays
		mem.weights = want{}
		return even, mem
	}
	mem.weights = mem.weights.next(fingerprint(w.weights), in.Now)
	d.Wait = max(mem.weights.wait(in.Now, set.Quiet, set.Most), set.WeightsEvery-sinceMoved)
	if d.Wait > 0 {
		return Decision{Wait: d.Wait, Why: "weights have changed: " + names(w.weights)}, mem
	}
	return Decision{Kind: Weights, Stable: ring.Change{Set: w.weights}, Why: "weights: " + names(w.weights)}, mem
}
