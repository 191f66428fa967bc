package subject

import "roost/ring"

// Kind says what a lane is.
type Kind string

// Kinds of lanes.
const (
	KindFloor Kind = "floor"
	KindRoost Kind = "roost"
	KindPeer  Kind = "peer"
)

// Lane is one way to look keys up, to be timed beside the others.
type Lane struct {
	Name   string
	Kind   Kind
	Points int // a node; 0 where there are none
	Looker
}

// Names of lanes that results are compared by.
const (
	FloorFold  = "floor: 2-multiply hash + load"
	FloorXXH   = "floor: XXH3 + load"
	LaneLookup = "Ring.Lookup"
	LaneHeld   = "Holder.Load().Lookup"
	Lane16     = "Ring.Owner(Hash16)"
	LaneHeld16 = "Holder.Load().Owner(Hash16)"
)

const (
	laneName   = "Ring.Lookup, then Node().ID"
	laneCanary = LaneHeld + ", 5 % canary"
)

// CanaryShare is the share of keys, of 10,000, that the canary lane gives to a
// second ring: 5 %.
const CanaryShare = 500

// Lanes returns the lanes for so many nodes: the floors with tables of the size
// that roost's ring has, the ways to ask roost's, and the peers for which with is
// true.
func Lanes(nodes []Node, with func(Subject) bool) ([]Lane, error) {
	var usual, fine, next *ring.Ring
	for _, want := range []struct {
		to     **ring.Ring
		points int
	}{{&usual, PointsPerUnit}, {&fine, 640}} {
		t, err := Roost("", want.points, false).New(nodes)
		if err != nil {
			return nil, err
		}
		*want.to = t.(RoostRing).Ring
	}
	next, err := usual.Apply(2, ring.Change{Set: []ring.Node{{ID: nodes[0].Name, Weight: 1.1}}})
	if err != nil {
		return nil, err
	}
	f := newFloor(usual.TableBits())
	lanes := []Lane{
		{FloorFold, KindFloor, 0, foldFloor{f}},
		{FloorXXH, KindFloor, 0, xxhFloor{f}},
		{LaneLookup, KindRoost, PointsPerUnit, RoostRing{usual}},
		{"Ring.LookupBytes", KindRoost, PointsPerUnit, byBytes{usual}},
		{"Ring.Owner(hash), no hashing", KindRoost, PointsPerUnit, byHash{usual}},
		{laneName, KindRoost, PointsPerUnit, toName{usual}},
		{LaneHeld, KindRoost, PointsPerUnit, hold(usual, nil, 0)},
		{laneCanary, KindRoost, PointsPerUnit, hold(usual, next, CanaryShare)},
		{Lane16, KindRoost, PointsPerUnit, by16{usual}},
		{LaneHeld16, KindRoost, PointsPerUnit, held16{hold(usual, nil, 0)}},
		{LaneLookup, KindRoost, 640, RoostRing{fine}},
		{LaneHeld, KindRoost, 640, hold(fine, nil, 0)},
	}
	for _, s := range All() {
		if s.Roost || !with(s) {
			continue
		}
		t, err := s.New(nodes)
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, Lane{s.Name, KindPeer, s.Points, t})
	}
	return lanes, nil
}
