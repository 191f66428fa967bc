package server

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"roost/ring"
	"roost/ring/snapshot"
	"roost/server/api"
	"roost/server/cluster"
)

// Ring implements api.Node.
func (s *Server) Ring(context.Context) (api.Ring, error) {
	if s.cluster == nil {
		return api.Ring{}, api.ErrAlone
	}
	a, v := s.cluster.opt.Rings.Load(), s.cluster.opt.Members.View()
	p := &a.Pointer
	if p.Activation == 0 {
		return api.Ring{}, api.ErrNoRing
	}
	r := api.Ring{Node: s.opt.Node, Activation: p.Activation, From: a.From.String(), Stable: p.Stable, StableHash: p.StableHash.String(),
		Canary: p.Canary, Share: p.Share, Trial: p.Trial, By: p.By, Why: p.Why, At: p.At}
	if p.Canary != 0 {
		r.CanaryHash = p.CanaryHash.String()
	}
	if v.Pointer.Activation == p.Activation {
		r.History = v.History // else the view may be of another etcd than the rings
	}
	for _, id := range slices.Sorted(maps.Keys(v.Members)) {
		m := v.Members[id]
		n := api.RingNode{ID: id, URL: m.Addr, API: m.API, Zone: m.Zone, Draining: drains(v, id)}
		n.Weight = weightOf(v, id)
		r.Nodes = append(r.Nodes, n)
	}
	return r, nil
}

// weightOf is a node's published weight, nil for none.
func weightOf(v *cluster.View, id string) *float64 {
	if w, ok := v.Weights[id]; ok {
		return &w.Value
	}
	return nil
}

// drains reports whether a node is meant to be empty.
func drains(v *cluster.View, id string) bool {
	_, asked, _ := cluster.DrainOf(v, id)
	w, ok := v.Weights[id]
	return asked || ok && w.Value == 0
}

// RingSnapshot implements api.Node. A ring has one spelling, so it is written from what
// is in force.
func (s *Server) RingSnapshot(_ context.Context, version uint64, binary bool) (api.Snapshot, error) {
	if s.cluster == nil {
		return api.Snapshot{}, api.ErrAlone
	}
	a := s.cluster.opt.Rings.Load()
	var r *ring.Ring
	switch canary, _ := a.Routes.Canary(); {
	case a.Pointer.Activation != 0 && version == a.Pointer.Stable:
		r = a.Routes.Stable()
	case canary != nil && version == a.Pointer.Canary:
		r = canary
	}
	if r == nil {
		return api.Snapshot{}, api.ErrUnknownRing
	}
	written := snapshot.Of(r)
	body, err := written.Encode()
	if err != nil {
		return api.Snapshot{}, err
	}
	hash := cluster.Hash(snapshot.ContentHash(body)) // of what is held, whatever the pointer says
	if !binary {
		body, err = written.EncodeJSON()
	}
	return api.Snapshot{Body: body, Hash: hash.String()}, err
}

// ringMarks keeps what publishers are told of the rings for as long as those are in
// force.
type ringMarks struct{ last atomic.Pointer[markOf] }

type markOf struct {
	a *cluster.Active
	m *api.RingMark
}

// RingMark implements api.Node.
func (s *Server) RingMark() *api.RingMark {
	if s.cluster == nil {
		return nil
	}
	a := s.cluster.opt.Rings.Load()
	if last := s.marks.last.Load(); last != nil && last.a == a {
		return last.m
	}
	var m *api.RingMark
	if p := &a.Pointer; p.Activation != 0 {
		hashes := []string{p.StableHash.String()}
		if p.Canary != 0 {
			hashes = append(hashes, p.CanaryHash.String())
		}
		m = &api.RingMark{Activation: []string{strconv.FormatInt(p.Activation, 10)}, Hashes: []string{strings.Join(hashes, ",")}}
	}
	s.marks.last.Store(&markOf{a, m})
	return m
}
