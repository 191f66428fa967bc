package preview

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"roost/ring"
)

// Known is what is known of a node besides the rings.
type Known struct {
	Devices float64 // connected now; negative or NaN is not known
	Accept  float64 // connects a second that it can take; 0 is not known
}

// Input is a change and what is known.
type Input struct {
	// Before and After are the rings; Before may be nil, as it is before the first.
	Before, After *ring.Ring
	// Known is by node id; who is missing is not known.
	Known map[string]Known
	// Devices is how many there are in all, for nodes of which it is not known how
	// many they have; 0 is none.
	Devices float64
	// Over is the time in which devices are moved; DefaultOver if 0.
	Over time.Duration
}

// DefaultOver is in how much time devices are moved if nothing else is said.
const DefaultOver = 2 * time.Minute

// Flow is devices from one node to another.
type Flow struct {
	From, To string // ids; "" is nobody
	Slots    int
	Devices  float64
}

// Node is what becomes of a node. Slots are of the table, devices as the package's
// documentation says.
type Node struct {
	ID, Zone                  string
	WeightBefore, WeightAfter float64 // 0 where it is not in the ring
	SlotsBefore, SlotsAfter   int
	Capacity                  float64 // 0 is not known
	Measured                  bool    // Before is what the node has said
	Before, Leave, Come       float64 // devices
	Rate                      float64 // connects a second while devices are moved
	Accept                    float64 // that it can take; 0 is not known
}

// After is how many devices the node will hold.
func (n *Node) After() float64 { return n.Before - n.Leave + n.Come }

// Zone is what becomes of a zone.
type Zone struct {
	Name                    string
	Nodes, NodesAfter       int // that own something
	SlotsBefore, SlotsAfter int
	Before, After           float64 // devices
	Capacity                float64 // of nodes that will own something; 0 if one of them does not say
}

// Report is what a change will do.
type Report struct {
	Diff    ring.Diff
	Devices float64 // that move
	Total   float64 // that there are, as far as it is known
	Over    time.Duration
	Nodes   []Node // of both rings, by id
	Zones   []Zone // by name
	Flows   []Flow // the largest first, then by id
	// Least is the time that moving takes at the least, if every node takes as
	// many a second as it says; 0 if nobody says.
	Least time.Duration
}

// Moved returns the part of all ids that have another owner, 0 to 1.
func (r *Report) Moved() float64 {
	if r.Diff.Slots == 0 {
		return 0
	}
	return r.Diff.Share(r.Diff.Moved)
}

// Of says what a change will do.
func Of(in Input) *Report {
	if in.Before == nil {
		in.Before = ring.NewRoutes(nil, nil, 0).Stable()
	}
	if in.Over <= 0 {
		in.Over = DefaultOver
	}
	r := &Report{Diff: in.Before.Compare(in.After), Over: in.Over}
	r.nodes(&in)
	r.flows()
	for i := range r.Nodes {
		n := &r.Nodes[i]
		n.Rate = n.Come / in.Over.Seconds()
		if n.Accept > 0 {
			r.Least = max(r.Least, time.Duration(math.Ceil(n.Come/n.Accept*1000))*time.Millisecond)
		}
	}
	r.zones()
	return r
}

// nodes lists the nodes of both rings, with the devices that they have.
func (r *Report) nodes(in *Input) {
	all := map[string]*Node{}
	at := func(id string) *Node {
		if all[id] == nil {
			all[id] = &Node{ID: id}
		}
		return all[id]
	}
	// Slots in units of the larger table, as Diff's.
	perSlot := func(g *ring.Ring) int { return r.Diff.Slots / max(g.TableSlots(), 1) }
	for i, o := range in.Before.Nodes() {
		n := at(o.ID)
		n.Zone, n.WeightBefore, n.Capacity = o.Zone, o.Weight, o.Capacity
		n.SlotsBefore = in.Before.Slots(i) * perSlot(in.Before)
	}
	for i, o := range in.After.Nodes() {
		n := at(o.ID)
		n.Zone, n.WeightAfter, n.Capacity = o.Zone, o.Weight, o.Capacity
		n.SlotsAfter = in.After.Slots(i) * perSlot(in.After)
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		n := all[id]
		k, known := in.Known[id]
		n.Accept = max(k.Accept, 0)
		if n.Measured = known && k.Devices >= 0; n.Measured {
			n.Before = k.Devices
		} else if r.Diff.Slots > 0 {
			n.Before = in.Devices * float64(n.SlotsBefore) / float64(r.Diff.Slots)
		}
		r.Total += n.Before
		r.Nodes = append(r.Nodes, *n)
	}
}

// flows says how many devices each move of the diff is.
func (r *Report) flows() {
	for _, m := range r.Diff.Moves {
		f := Flow{From: m.From, To: m.To, Slots: m.Slots}
		if from := r.node(m.From); from != nil && from.SlotsBefore > 0 {
			f.Devices = from.Before * float64(m.Slots) / float64(from.SlotsBefore)
			from.Leave += f.Devices
		}
		if to := r.node(m.To); to != nil {
			to.Come += f.Devices
		}
		r.Devices += f.Devices
		r.Flows = append(r.Flows, f)
	}
	slices.SortStableFunc(r.Flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(b.Devices, a.Devices), cmp.Compare(b.Slots, a.Slots), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
}

func (r *Report) node(id string) *Node {
	i, found := slices.BinarySearchFunc(r.Nodes, id, func(n Node, id string) int { return cmp.Compare(n.ID, id) })
	if !found {
		return nil
	}
	return &r.Nodes[i]
}

// zones sums the nodes up.
func (r *Report) zones() {
	unknown := map[string]bool{}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		j, found := slices.BinarySearchFunc(r.Zones, n.Zone, func(z Zone, name string) int { return cmp.Compare(z.Name, name) })
		if !found {
			r.Zones = slices.Insert(r.Zones, j, Zone{Name: n.Zone})
		}
		z := &r.Zones[j]
		z.SlotsBefore += n.SlotsBefore
		z.SlotsAfter += n.SlotsAfter
		z.Before += n.Before
		z.After += n.After()
		if n.SlotsBefore > 0 {
			z.Nodes++
		}
		if n.SlotsAfter > 0 {
			z.NodesAfter++
			z.Capacity += n.Capacity
			unknown[n.Zone] = unknown[n.Zone] || n.Capacity == 0
		}
	}
	for i := range r.Zones {
		if unknown[r.Zones[i].Name] {
			r.Zones[i].Capacity = 0
		}
	}
}
