package server

import (
	"context"
	"net/url"
	"slices"

	"roost/server/api"
	"roost/server/mesh"
)

// routeCandidates is how many nodes a route has beside the first.
const routeCandidates = 3

// routeOf says where a device is to connect, leaving out the nodes that it could not
// reach: ids, or the host:port that it was sent to. ok is false where nobody is left.
func (s *Server) routeOf(device string, failed []string) (r api.Route, ok bool) {
	id := []byte(device)
	afterFailure := len(failed) > 0
	failed = s.cluster.silence.with(s.nodesOf(failed)...)
	p, ok := s.cluster.mesh.Route(id, failed)
	if !ok {
		return r, false
	}
	r = api.Route{Node: p.Node, URL: p.URL, API: p.API, Zone: p.Zone, Ring: p.Version, Hash: p.Hash.String(), Activation: p.Activation,
		Canary: p.Canary, Mine: p.Mine, Candidates: []api.Candidate{}}
	if afterFailure {
		r.In = s.spread() // those of a node that is gone come together
	}
	var room [routeCandidates]mesh.Place
	for _, c := range s.cluster.mesh.Candidates(room[:0], id, append(failed, p.Node), routeCandidates) {
		r.Candidates = append(r.Candidates, api.Candidate{Node: c.Node, URL: c.URL, API: c.API})
	}
	return r, true
}

// nodesOf turns addresses into the ids of the nodes that have them; the result is the
// caller's to append to.
func (s *Server) nodesOf(names []string) []string {
	ids := slices.Clone(names)
	v := s.cluster.opt.Members.View()
	for i, name := range ids {
		if _, known := v.Members[name]; known {
			continue
		}
		for id := range v.Members {
			if m := v.Members[id]; hostOf(m.Addr) == name {
				ids[i] = id
			}
		}
	}
	return ids
}

// hostOf returns the host:port of a URL.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// Route implements api.Node.
func (s *Server) Route(_ context.Context, device string, failed []string) (api.Route, error) {
	if s.cluster == nil {
		return api.Route{}, api.ErrAlone
	}
	r, ok := s.routeOf(device, failed)
	if !ok {
		return r, api.ErrNoRing
	}
	return r, nil
}
