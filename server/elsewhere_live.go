package server

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"roost/server/api"
	"roost/server/mesh"
	"roost/server/wire"
)

// liveAway are the live messages of a publish to devices that are not connected here.
type liveAway struct {
	s    *Server
	list []liveItem
}

// liveItem is one of them.
type liveItem struct {
	device string
	m      *wire.Message
	res    *api.Result
	worker uint64
}

const (
	// liveWorkers is how many devices of one publish are asked about at once. The API has
	// apiConnections publishers at most.
	liveWorkers = 32
	// liveWithin bounds all of them together: what has not been found by then is not
	// live any more.
	liveWithin = 4 * time.Second
)

// liveSeed spreads devices over workers.
var liveSeed = maphash.MakeSeed()

// add takes a message to a device that is not connected here; it reports false where
// there is no elsewhere.
func (a *liveAway) add(device string, m *wire.Message, res *api.Result) bool {
	if a.s.cluster == nil {
		return false
	}
	a.list = append(a.list, liveItem{device, m, res, maphash.String(liveSeed, device)})
	return true
}

// send sends them, those to one device in their order.
func (a *liveAway) send(ctx context.Context) {
	if len(a.list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, liveWithin)
	defer cancel()
	workers := uint64(min(len(a.list), liveWorkers))
	if workers == 1 {
		a.s.liveElsewhere(ctx, &a.list[0])
		return
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range a.list {
				if it := &a.list[i]; it.worker%workers == w {
					a.s.liveElsewhere(ctx, it)
				}
			}
		})
	}
	all.Wait()
}

// liveElsewhere sends one of them and says what became of it.
func (s *Server) liveElsewhere(ctx context.Context, it *liveItem) {
	s.away.lives.Add(1)
	msg := messageAway(it.m, classLive, 0)
	st, err := s.cluster.mesh.Live(ctx, it.device, &msg)
	switch {
	case st == mesh.StatusWritten:
		it.res.Status = api.StatusWritten
		s.live.written.Add(1)
	case st == mesh.StatusQueued:
		it.res.Status = api.StatusQueued
		s.live.queued.Add(1)
	case st == mesh.StatusRefused:
		it.res.Status, it.res.Reason = api.StatusRefused, api.ReasonTooBig
		s.live.refused.Add(1)
	default:
		if err != nil {
			s.away.livesFailed.Add(1)
		}
		s.live.offline.Add(1)
	}
}
