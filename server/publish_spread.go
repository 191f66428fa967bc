package server

import (
	"context"
	"time"

	"roost/server/api"
	"roost/server/inbox"
)

// spreadPoll is how often a publisher that waits for a spread looks whether all
// have acknowledged.
const spreadPoll = 20 * time.Millisecond

// spreadRecount is at how many of those looks the other nodes' acknowledgements are counted, by a
// question to Redis.
const spreadRecount = 5

// recount returns how many receivers have acknowledged at other nodes.
func (k *stored) recount(body inbox.Body) int {
	if k.s.cluster == nil {
		return 0
	}
	return k.s.cluster.store.Recount(body)
}

// spread says what became of a kept message to many.
func (k *stored) spread(ctx context.Context, op *inbox.Spread, w *spread, p *api.Publication) api.Result {
	r := api.Result{Topic: p.Topic, All: p.All, Status: api.StatusQueued, Receivers: op.Receivers}
	switch op.Verdict {
	case inbox.Duplicate:
		r.Duplicate = true
		return r
	case inbox.Full:
		return refused(p, api.ReasonInboxFull)
	case inbox.Limited:
		return refused(p, api.ReasonLimit)
	}
	switch {
	case op.Receivers == 0 && op.Refused > 0:
		r.Status, r.Reason = api.StatusRefused, api.ReasonInboxFull
	case op.Receivers == 0:
		r.Status = api.StatusOffline
	}
	if op.Refused > 0 {
		r.Counts = &api.Counts{Refused: op.Refused}
	}
	if p.Wait <= 0 || op.Receivers == 0 {
		return r
	}
	began := time.Now()
	k.awaitSpread(ctx, w, p.Wait)
	written, queued := int(w.written.Load()), int(w.queued.Load())
	written += k.recount(op.Body)
	r.Counts = &api.Counts{Written: written, Queued: queued, Offline: max(op.Receivers-written-queued, 0), Refused: op.Refused}
	if k.s.cluster != nil {
		// What other nodes have sent is known once it is acknowledged; else it will be.
		r.Counts.Queued, r.Counts.Offline = queued+r.Counts.Offline, 0
	}
	if time.Since(began) >= time.Duration(op.Message.TTL)*time.Second {
		return r // some may have expired instead
	}
	left := k.s.store.Remaining(op.Body)
	r.Counts.Acknowledged = op.Receivers - left
	if left == 0 {
		r.Status = api.StatusAcknowledged
	}
	return r
}

// awaitSpread waits until all have acknowledged, at most so long.
func (k *stored) awaitSpread(ctx context.Context, w *spread, atMost time.Duration) {
	end := time.NewTimer(atMost)
	defer end.Stop()
	poll := time.NewTicker(spreadPoll)
	defer poll.Stop()
	for n := 1; ; n++ {
		select {
		case <-poll.C:
			if n%spreadRecount == 0 {
				k.recount(w.op.Body)
			}
			select {
			case <-w.done:
				if k.s.store.Remaining(w.op.Body) == 0 {
					return
				}
			default:
			}
		case <-end.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
