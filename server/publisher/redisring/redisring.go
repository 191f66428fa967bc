// Package redisring is the source of a publisher (server/publisher) that reads rings from
// their mirror in Redis (server/ringmirror) instead of asking nodes: it learns of a new
// ring also while no node answers, and asks none of them for it.
package redisring

import (
	"context"
	"fmt"

	"roost/server/publisher"
	"roost/server/ringmirror"
)

// Source reads a mirror. It is publisher.Options.Source.
type Source struct{ store *ringmirror.Store }

// New returns the source of a mirror, which its caller closes after the publisher.
func New(store *ringmirror.Store) *Source { return &Source{store: store} }

// Active returns what the mirror says is in force, or publisher.ErrUnchanged if that is
// what tag names. Errors are those of ringmirror.Store.Pointer.
func (s *Source) Active(ctx context.Context, tag string) (*publisher.Answer, error) {
	p, err := s.store.Pointer(ctx)
	if err != nil {
		return nil, err
	}
	a := &publisher.Answer{
		Pointer: publisher.Pointer{
			Activation: p.Activation, History: p.History, At: p.At,
			Stable: p.Stable, StableHash: publisher.Hash(p.StableHash), Canary: p.Canary, CanaryHash: publisher.Hash(p.CanaryHash), Share: p.Share,
		},
		// Members change without the pointer: a tag of both.
		Tag: fmt.Sprintf("%s %d %v", p.History, p.Activation, p.Nodes),
	}
	if a.Tag == tag {
		return nil, publisher.ErrUnchanged
	}
	for _, n := range p.Nodes {
		a.Nodes = append(a.Nodes, publisher.Node{ID: n.ID, API: n.API, Zone: n.Zone})
	}
	return a, nil
}

// Snapshot returns the bytes of a version.
func (s *Source) Snapshot(ctx context.Context, version uint64) ([]byte, error) {
	return s.store.Snapshot(ctx, version)
}
