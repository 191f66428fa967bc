package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"roost/server/api"
	"roost/server/cluster"
	"roost/server/presence"
)

// Cluster implements api.Node.
func (s *Server) Cluster(context.Context) (api.Cluster, error) {
	if s.cluster == nil {
		return api.Cluster{}, api.ErrAlone
	}
	v, p := s.cluster.opt.Members.View(), &s.cluster.opt.Rings.Load().Pointer
	c := api.Cluster{Node: s.opt.Node, Incarnation: uint64(s.cluster.opt.Start), Revision: v.Revision, StaleSince: v.Stale,
		Ring:     api.HeldRing{Activation: p.Activation, Stable: p.Stable, StableHash: p.StableHash.String(), Canary: p.Canary, Share: p.Share},
		Presence: s.presenceState(), Bus: s.busState()}
	if p.Canary != 0 {
		c.Ring.CanaryHash = p.CanaryHash.String()
	}
	for _, id := range slices.Sorted(maps.Keys(v.Members)) {
		c.Members = append(c.Members, memberOf(v, p, id))
	}
	drains, err := cluster.DrainsOf(v)
	if err != nil {
		c.Problems = append(c.Problems, err.Error())
	}
	for _, id := range slices.Sorted(maps.Keys(drains)) {
		d := drains[id]
		c.Drains = append(c.Drains, api.Drain{Node: id, OverMS: d.Over.Milliseconds(), At: d.At, By: d.By, Why: d.Why})
	}
	for _, key := range slices.Sorted(maps.Keys(v.Refused)) {
		c.Problems = append(c.Problems, fmt.Sprintf("%s: %v", key, v.Refused[key]))
	}
	return c, nil
}

// memberOf describes a member of a view. p is what is in force at this node.
func memberOf(v *cluster.View, p *cluster.Pointer, id string) api.ClusterMember {
	m := v.Members[id]
	c := api.ClusterMember{ID: id, URL: m.Addr, API: m.API, Zone: m.Zone, Capacity: m.Capacity, Build: m.Build, Start: m.Start,
		HeldSince: v.Held[id], Weight: weightOf(v, id)}
	if w, ok := v.Weights[id]; ok {
		c.Inputs = w.Inputs
		c.OtherRing = agreement(&w, p) == ringOther
	}
	return c
}

// What a node says of its rings, compared with ours: values of the label of
// metrics.RingNodes.
const (
	ringSame = iota
	ringOther
	ringUnknown
)

var ringWords = [...]string{ringSame: "same", ringOther: "other", ringUnknown: "unknown"}

// agreement compares the rings that a node says it holds with ours. One that has not
// come as far, or is ahead, holds others for as long as that takes.
func agreement(w *cluster.Weight, p *cluster.Pointer) int {
	said, err := w.Said()
	switch {
	case err != nil || said.Ring == nil:
		return ringUnknown
	case said.Ring.Agrees(p):
		return ringSame
	}
	return ringOther
}

// ringNodes counts the other members by that.
func ringNodes(v *cluster.View, p *cluster.Pointer, self string) (n [len(ringWords)]int) {
	for id := range v.Members {
		if id == self {
			continue
		}
		if w, ok := v.Weights[id]; ok {
			n[agreement(&w, p)]++
		} else {
			n[ringUnknown]++
		}
	}
	return n
}

func (s *Server) presenceState() api.PresenceState {
	k := s.cluster.keeper
	st := k.Stats()
	nodes, at := k.Nodes()
	p := api.PresenceState{Up: k.Up(), AsOf: at, Devices: st.Devices, Provisional: st.Provisional, Pending: st.Pending, DownSince: st.DownSince}
	for _, n := range nodes {
		_, dead := n.Evidence.Dead()
		p.Nodes = append(p.Nodes, api.PresenceNode{Node: n.Owner.Node, Incarnation: n.Owner.Incarnation, Alive: n.Evidence.Alive(), Dead: dead, Marked: n.Marked})
	}
	slices.SortFunc(p.Nodes, func(a, b api.PresenceNode) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return p
}

func (s *Server) busState() api.BusState {
	st := s.cluster.mesh.State()
	return api.BusState{Up: st.Up, Since: st.Since, Reason: st.Reason, RoundTripMS: float64(st.RoundTrip) / float64(time.Millisecond),
		Listeners: st.Listeners, Topics: st.Topics, Waiting: st.Waiting}
}

// presenceOf describes where a device is.
func presenceOf(w *presence.Where) *api.Presence {
	r := &w.Record
	return &api.Presence{Status: w.Status.String(), Node: r.Owner.Node, Incarnation: r.Owner.Incarnation, Fence: r.Fence,
		Since: unixMilli(r.Since), LastInbound: unixMilli(r.Inbound), Reason: r.Reason.String(), AsOf: w.AsOf.UTC()}
}

// unixMilli is a time of presence; the zero time for 0.
func unixMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
