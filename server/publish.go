package server

import (
	"context"
	"time"

	"roost/server/api"
	"roost/server/delivery"
	"roost/server/inbox"
)

// Publish implements api.Node. What has to be stored is one commit; live
// messages go out meanwhile.
func (s *Server) Publish(ctx context.Context, ps []*api.Publication) ([]api.Result, error) {
	ctx, stages := s.beginStages(ctx)
	defer stages.end()
	results := make([]api.Result, len(ps))
	k := s.collect(ps)
	stages.collected(ctx, k)
	if k != nil {
		s.hub.PublishTo(&k.commit, k.others(), k.dispatch, k.end)
	}
	if err := s.publishLives(ctx, ps, results); err != nil {
		return nil, err // what is stored is delivered all the same
	}
	if k == nil {
		return results, nil
	}
	if err := stages.await(ctx, k); err != nil {
		return nil, err
	}
	if k.commit.Err != nil {
		for i, p := range ps {
			if p.Class != api.ClassLive {
				results[i] = refused(p, api.ReasonStore)
			}
		}
		return results, storeError(k.commit.Err)
	}
	k.report(ctx, results)
	return results, nil
}

// publishLives sends the live ones: first to who is connected here, then to all others
// at once.
func (s *Server) publishLives(ctx context.Context, ps []*api.Publication, results []api.Result) error {
	away := liveAway{s: s}
	for i, p := range ps {
		if p.Class != api.ClassLive {
			continue
		}
		switch err := s.publishLive(ctx, p, &results[i], &away); {
		case err == nil:
		case len(ps) == 1 || ctx.Err() != nil:
			return err
		default:
			results[i] = refused(p, api.ReasonRate)
		}
	}
	away.send(ctx)
	return nil
}

// refused is the answer for a whole publication that was not stored.
func refused(p *api.Publication, reason string) api.Result {
	r := api.Result{Topic: p.Topic, All: p.All, Status: api.StatusRefused, Reason: reason}
	if len(p.Devices) == 1 {
		r.Device = p.Devices[0]
		return r
	}
	for _, d := range p.Devices {
		r.Devices = append(r.Devices, api.Result{Device: d, Status: api.StatusRefused, Reason: reason})
	}
	return r
}

// stored is the part of a publish that has to be stored.
type stored struct {
	s      *Server
	ps     []*api.Publication
	commit inbox.Commit
	done   chan struct{}
	times  stageTimes

	puts     []inbox.Put     // in order of publications and their devices
	waits    []time.Duration // of puts; nil if nobody waits
	messages []inbox.Message
	casts    []*latestCast // of latest values, in order
	spreads  []*spread     // made by dispatch, in order; nil where nothing was stored
	paces    map[int]int   // of spreads, by their index in commit.Ops
	away     putsAway      // those whose devices are at other nodes
}

// end is called when all that was stored is with lanes and other nodes.
func (k *stored) end() {
	if k.commit.Err != nil {
		k.failed()
	}
	k.times.routed = time.Now()
	close(k.done)
}

// dispatch starts what follows the commit, in the order of the commits and whether
// or not the publisher still waits. It must not take long: all commits wait.
func (k *stored) dispatch() {
	k.times.stored()
	cast := 0
	for i, op := range k.commit.Ops {
		switch op := op.(type) {
		case *inbox.Latest:
			if op.Err == nil {
				k.casts[cast].start()
			}
			cast++
		case *inbox.Spread:
			var w *spread
			if op.Verdict == inbox.Stored {
				w = k.s.startSpread(op, k.s.paceOfNode(k.paces[i]))
				k.s.spreadAway(op.Topic)
			}
			k.spreads = append(k.spreads, w)
		}
	}
	k.s.castsAway(k.casts)
}

// collect makes the commit of all publications that are not live, nil if there
// are none.
func (s *Server) collect(ps []*api.Publication) *stored {
	n, puts := 0, 0
	for _, p := range ps {
		if p.Class != api.ClassLive {
			n++
			if p.Class == api.ClassKept {
				puts += len(p.Devices)
			}
		}
	}
	if n == 0 {
		return nil
	}
	k := &stored{s: s, ps: ps, done: make(chan struct{}), puts: make([]inbox.Put, 0, puts), messages: make([]inbox.Message, 0, n)}
	k.commit.Ops = make([]inbox.Op, 0, n-1+max(puts, 1))
	for _, p := range ps {
		if p.Class == api.ClassLive {
			continue
		}
		k.messages = append(k.messages, inbox.Message{TTL: ttlOf(p), Raw: p.Raw, ID: []byte(p.ID), Channel: []byte(p.Topic), Payload: p.Payload})
		m := &k.messages[len(k.messages)-1]
		switch {
		case p.Class == api.ClassLatest:
			op := &inbox.Latest{Topic: p.Topic, Message: m}
			k.commit.Ops = append(k.commit.Ops, op)
			k.casts = append(k.casts, s.newLatestCast(p, op))
		case len(p.Devices) == 0:
			k.commit.Ops = append(k.commit.Ops, &inbox.Spread{Topic: p.Topic, Message: m, Counted: s.cluster != nil && p.Wait > 0})
			if k.paces == nil {
				k.paces = map[int]int{}
			}
			k.paces[len(k.commit.Ops)-1] = p.Pace
		}
		for _, d := range p.Devices {
			k.puts = append(k.puts, inbox.Put{Device: d, Message: m})
			k.commit.Ops = append(k.commit.Ops, &k.puts[len(k.puts)-1])
			if p.Wait > 0 && k.waits == nil {
				k.waits = make([]time.Duration, puts)
			}
			if k.waits != nil {
				k.waits[len(k.puts)-1] = p.Wait
			}
		}
	}
	return k
}

// ttlOf returns a publication's ttl in seconds.
func ttlOf(p *api.Publication) uint32 {
	if p.TTL == 0 {
		return uint32(inbox.MaxTTL / time.Second)
	}
	return uint32(p.TTL / time.Second)
}

// report fills in the results of what was committed, and waits for what its
// publisher wants to wait for.
func (k *stored) report(ctx context.Context, results []api.Result) {
	op, cast, spread := 0, 0, 0
	for i, p := range k.ps {
		switch {
		case p.Class == api.ClassLive:
			continue
		case p.Class == api.ClassLatest:
			results[i] = k.latest(ctx, k.casts[cast], p)
			op, cast = op+1, cast+1
		case len(p.Devices) == 0:
			results[i] = k.spread(ctx, k.commit.Ops[op].(*inbox.Spread), k.spreads[spread], p)
			op, spread = op+1, spread+1
		case len(p.Devices) == 1:
			results[i] = k.device(k.commit.Ops[op].(*inbox.Put))
			op++
		default:
			results[i].Devices = make([]api.Result, 0, len(p.Devices))
			for range p.Devices {
				results[i].Devices = append(results[i].Devices, k.device(k.commit.Ops[op].(*inbox.Put)))
				op++
			}
		}
	}
	k.await(ctx, results)
}

// statuses words what became of a kept message.
var statuses = [...]api.Status{
	delivery.StatusNone:         api.StatusQueued,
	delivery.StatusWritten:      api.StatusWritten,
	delivery.StatusQueued:       api.StatusQueued,
	delivery.StatusOffline:      api.StatusOffline,
	delivery.StatusAcknowledged: api.StatusAcknowledged,
}

// device words what became of a message to one device.
func (k *stored) device(put *inbox.Put) api.Result {
	r := api.Result{Device: put.Device, Seq: put.Seq}
	switch put.Verdict {
	case inbox.Stored, inbox.Duplicate:
		r.Status = statuses[put.Outcome]
		r.Duplicate = put.Verdict == inbox.Duplicate
		if put.Outcome == uint8(delivery.StatusNone) {
			// A repeat after a restart: what became of the first is seen by
			// what is known now.
			if k.s.store.Acked(put) {
				r.Status = api.StatusAcknowledged
			} else if _, online := k.s.registry.Lookup(uint32(put.Ref)); !online && put.Owner == "" {
				r.Status = api.StatusOffline
			}
		}
	case inbox.Unknown:
		r.Status = api.StatusUnknown
	case inbox.Full:
		r.Status, r.Reason = api.StatusRefused, api.ReasonInboxFull
	default:
		r.Status, r.Reason = api.StatusRefused, api.ReasonLimit
	}
	return r
}

// await waits for the acknowledgements of those devices whose publication asks
// for it. All wait at the same time.
func (k *stored) await(ctx context.Context, results []api.Result) {
	if k.waits == nil {
		return
	}
	var waits []putWait
	put := 0
	for i, p := range k.ps {
		if p.Class != api.ClassKept {
			continue
		}
		for j := range p.Devices {
			q := &k.puts[put]
			put++
			if p.Wait <= 0 || q.Verdict != inbox.Stored && q.Verdict != inbox.Duplicate {
				continue
			}
			r := &results[i]
			if len(p.Devices) > 1 {
				r = &results[i].Devices[j]
			}
			w := putWait{put: q, result: r, until: p.Wait}
			if w.away = k.waitAway(q, p.Wait); w.away == nil {
				w.here = k.s.hub.Wait(q)
			}
			waits = append(waits, w)
		}
	}
	began := time.Now()
	for i := range waits {
		waits[i].await(ctx, k, began)
	}
}

// putWait is a publisher that waits for one device.
type putWait struct {
	put    *inbox.Put
	here   *delivery.Waiter     // nil: another node says it
	away   chan delivery.Status // nil: it is connected here, or nowhere
	result *api.Result
	until  time.Duration
}

// await waits for the acknowledgement, at most until the wait is over that has begun at
// a time.
func (w *putWait) await(ctx context.Context, k *stored, began time.Time) {
	var here <-chan struct{}
	if w.here != nil {
		here = w.here.Done()
		defer k.s.hub.Forget(w.here)
	}
	// One that has answered while others were waited for counts, however late it is.
	left := max(w.until-time.Since(began), time.Millisecond)
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-here:
		if w.here.Acked() {
			w.result.Status = api.StatusAcknowledged
		}
	case st := <-w.away:
		w.result.Status = statuses[st]
	case <-timer.C:
	case <-ctx.Done():
	}
	if w.result.Status != api.StatusAcknowledged && ctx.Err() == nil && k.ackedSince(w.put) {
		w.result.Status = api.StatusAcknowledged
	}
}

// latest says what became of a topic's new latest value.
func (k *stored) latest(ctx context.Context, c *latestCast, p *api.Publication) api.Result {
	r := api.Result{Topic: p.Topic, Status: api.StatusQueued}
	if c.op.Err != nil {
		r.Status, r.Reason = api.StatusRefused, api.ReasonLimit
		return r
	}
	began := time.Now()
	others := c.awaitAway(ctx)
	c.here.await(ctx, p.Wait-time.Since(began), p.Wait, others, &r)
	return r
}
