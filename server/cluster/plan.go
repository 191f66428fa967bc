package cluster

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"roost/ring"
	"roost/ring/zones"
)

// PlanSettings say when a new version is made. The zero value of each is its
// default.
type PlanSettings struct {
	// Unit is how many devices a ring weight of 1 stands for; default 10,000. It is
	// one number for the cluster, and stays: weights of nodes are absolute.
	Unit float64
	// PointsPerUnit and TableBits are the first ring's (ring.Options).
	PointsPerUnit, TableBits int
	// Joins and weights wait until nothing more was wanted for Quiet (1 s), at most
	// Most (5 s): a cluster that starts is one version, not one a node.
	Quiet, Most time.Duration
	// Dead nodes are removed when nobody else has died for RemoveQuiet (200 ms), at
	// most Quiet; more than half of the ring's only after MostGone (15 s): they may be
	// about to register anew.
	RemoveQuiet, MostGone time.Duration
	// A weight is followed if it differs by Band (0.10) or more from the ring's; then all
	// are that differ by more than Inner (0.02). A full step of decay's live weight is as much.
	Band, Inner float64
	// WeightsEvery is the least time between two versions that only weights ask for;
	// default 5 min.
	WeightsEvery time.Duration
	// AfterRollback is how long joins and weights are left alone after a rollback;
	// default 10 min.
	AfterRollback time.Duration
	// Zones say when zones are evened out; an Every below 0 is never.
	Zones zones.Settings
	// Share of ring.ShareUnit with which a canary begins; default 500, 5 %.
	// ring.ShareUnit is no canary: all versions are in force at once.
	Share int
}

// WithDefaults returns s with zero fields replaced by their defaults.
func (s PlanSettings) WithDefaults() PlanSettings {
	for _, f := range []struct {
		v   *float64
		def float64
	}{{&s.Unit, 10_000}, {&s.Band, 0.10}, {&s.Inner, 0.02}} {
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	for _, f := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&s.Quiet, time.Second}, {&s.Most, 5 * time.Second}, {&s.RemoveQuiet, 200 * time.Millisecond},
		{&s.MostGone, 15 * time.Second}, {&s.WeightsEvery, 5 * time.Minute}, {&s.AfterRollback, 10 * time.Minute},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	if s.Share == 0 {
		s.Share = 500
	}
	return s
}

// Validate returns what is wrong and what to do about it, or nil. Defaults are
// filled in first.
func (s PlanSettings) Validate() error {
	s = s.WithDefaults()
	switch {
	case !(s.Unit > 0) || math.IsInf(s.Unit, 0):
		return fmt.Errorf("%w: plan: %v devices to a weight of 1: above 0", ErrOptions, s.Unit)
	case !(s.Inner >= 0 && s.Inner <= s.Band && s.Band < 1):
		return fmt.Errorf("%w: plan: inner %v, band %v: 0 <= inner <= band < 1, 0.10 is 10 %%", ErrOptions, s.Inner, s.Band)
	case s.Share < 1 || s.Share > ring.ShareUnit:
		return fmt.Errorf("%w: plan: a share of %d: 1 to %d", ErrOptions, s.Share, ring.ShareUnit)
	case s.Quiet < 0 || s.Most < s.Quiet || s.RemoveQuiet < 0 || s.MostGone < 0 || s.WeightsEvery < 0 || s.AfterRollback < 0:
		return fmt.Errorf("%w: plan: a time that is negative, or most %v below quiet %v", ErrOptions, s.Most, s.Quiet)
	}
	if _, err := s.Zones.Slots.Validate(); err != nil {
		return fmt.Errorf("%w: plan: zones: %w", ErrOptions, err)
	}
	_, err := ring.Build(1, nil, ring.Options{PointsPerUnit: s.PointsPerUnit, TableBits: s.TableBits})
	return err
}

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
	w := wanted(v, in.Stable, &set)
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
func first(w wants, in PlanInput, mem PlanMemory, set *PlanSettings) (Decision, PlanMemory) {
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
func urgent(w wants, in PlanInput, mem *PlanMemory, set *PlanSettings) (d Decision, done bool) {
	d = Decision{Kind: Urgent, Stable: w.urgent}
	if in.Canary != nil {
		d.Canary = wanted(in.View, in.Canary, set).urgent
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
func slow(w wants, in PlanInput, mem PlanMemory, rest time.Duration, set *PlanSettings) (Decision, PlanMemory) {
	if rest > 0 {
		mem.joins, mem.weights = want{}, want{}
		return Decision{Wait: rest, Why: fmt.Sprintf("version %d was rolled back: nothing is tried for another %v", in.View.Pointer.RolledBack, rest.Round(time.Second))}, mem
	}
	var d Decision
	if len(w.joins) > 0 {
		mem.joins = mem.joins.next(fingerprint(w.joins), in.Now)
		if d.Wait = mem.joins.wait(in.Now, set.Quiet, set.Most); d.Wait > 0 {
			return Decision{Wait: d.Wait, Why: "nodes are coming: " + names(w.joins)}, mem
		}
		return Decision{Kind: Join, Stable: ring.Change{Set: w.joins}, Why: "join: " + names(w.joins)}, mem
	}
	mem.joins = want{}
	sinceMoved := in.Now.Sub(mem.moved)
	even := Decision{Why: "the ring is as it should be"}
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

// wants is what a ring lacks of what the view asks for. Nodes are by id.
type wants struct {
	urgent   ring.Change
	owners   int         // nodes with weight, once urgent is done
	joins    []ring.Node // new, or with weight again
	weights  []ring.Node // weight off by more than Inner
	overBand bool        // one of them by more than Band
}

// wanted compares a ring with a view.
func wanted(v *View, r *ring.Ring, set *PlanSettings) (w wants) {
	if r == nil {
		r = emptyRing
	}
	for _, n := range r.Nodes() {
		if _, there := v.Members[n.ID]; !there {
			w.urgent.Remove = append(w.urgent.Remove, n.ID)
		}
	}
	pins, _ := PinsOf(v) // what cannot be read pins nothing, and status says so
	for _, id := range slices.Sorted(maps.Keys(v.Members)) {
		m := v.Members[id]
		old := r.Node(r.Find(id))
		weight := weightOf(&m, v, pins, old, set)
		published, is := v.Weights[id]
		drains := is && published.Value == 0
		n := ring.Node{ID: id, Addr: m.Addr, Zone: m.Zone, Weight: weight, Capacity: m.Capacity}
		switch {
		case old == nil || old.Weight == 0:
			if weight > 0 {
				w.joins = append(w.joins, n)
			}
		case drains:
			w.urgent.Set = append(w.urgent.Set, n)
		default:
			if weight > 0 {
				w.owners++
			}
			w.compare(old, n, set)
		}
	}
	return w
}

// Follows reports whether a version is made of a weight that a node shall have in place of the
// one that it has in the ring, which is above 0. What is missing to Band by rounding does not count.
func (s PlanSettings) Follows(weight, held float64) bool {
	return math.Abs(weight/held-1) >= s.Band-1e-9
}

// compare looks at a node that has weight and shall have some.
func (w *wants) compare(old *ring.Node, n ring.Node, set *PlanSettings) {
	off := math.Abs(n.Weight/old.Weight - 1)
	if off > set.Inner {
		w.weights = append(w.weights, n)
		w.overBand = w.overBand || set.Follows(n.Weight, old.Weight)
	}
	if n.Weight = old.Weight; n != *old {
		w.urgent.Set = append(w.urgent.Set, n) // moves nobody
	}
}

// weightOf returns the ring weight of a member: as an operator has pinned it, unless
// the node drains; as published; without that the one it has, and before that its
// capacity.
func weightOf(m *Member, v *View, pins map[string]Pin, old *ring.Node, set *PlanSettings) float64 {
	devices := m.Capacity
	if devices == 0 {
		devices = set.Unit
	}
	published, ok := v.Weights[m.ID]
	pin, pinned := pins[m.ID]
	switch {
	case ok && published.Value == 0 || pinned && pin.Weight == 0:
		return 0
	case pinned:
		devices = pin.Weight * set.Unit
	case ok:
		devices = published.Value
	case old != nil:
		return old.Weight
	}
	devices *= v.Zones.of(m.Zone)
	perUnit := set.PointsPerUnit
	if perUnit == 0 {
		perUnit = 160
	}
	// At least a point, at most what a ring takes from a node, and nothing that
	// differs by less than a thousandth of a unit.
	most := float64(ring.MaxNodePoints / perUnit)
	return min(max(math.Round(devices/set.Unit*1e4)/1e4, 1/float64(perUnit)), most)
}

var emptyRing = ring.NewRoutes(nil, nil, 0).Stable()
