package publisher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// follow asks the source for rings, until the publisher is closed.
func (p *Publisher) follow() {
	for p.ctx.Err() == nil {
		begin := time.Now()
		err := p.ask()
		p.asked(err)
		every := time.Duration(float64(p.o.Poll) * (0.9 + 0.2*rand.Float64()))
		if err == nil && p.o.Choose == BeforePush {
			p.probeAll(begin)
		}
		timer := time.NewTimer(every - min(time.Since(begin), every))
		select {
		case <-timer.C:
		case <-p.wake:
			// A node has a newer ring. At most one question each 100 ms.
			timer.Reset(max(0, 100*time.Millisecond-time.Since(begin)))
			select {
			case <-timer.C:
			case <-p.ctx.Done():
			}
		case <-p.ctx.Done():
		}
		timer.Stop()
	}
}

// poke has the source asked soon.
func (p *Publisher) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// asked notes how a question ended, and says so where that is new.
func (p *Publisher) asked(err error) {
	p.stats.polls.Add(1)
	last := p.state.Load()
	if err != nil {
		p.stats.pollErrors.Add(1)
	}
	if p.ctx.Err() != nil {
		return
	}
	if err != nil && (last.Err == nil || last.Err.Error() != err.Error()) {
		p.o.Log.Warn("no news about the ring: what is known stays", "err", err)
	}
	p.state.Store(&State{Err: err, FileErr: last.FileErr, Heard: heard(last.Heard, err)})
}

func heard(last time.Time, err error) time.Time {
	if err != nil {
		return last
	}
	return time.Now()
}

// ask asks the source once, and takes what is newer.
func (p *Publisher) ask() error {
	ctx, cancel := context.WithTimeout(p.ctx, p.o.Attempt)
	defer cancel()
	a, err := p.source.Active(ctx, p.tag)
	if errors.Is(err, ErrUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.take(ctx, a); err != nil {
		return err
	}
	p.tag = a.Tag
	return nil
}

// take brings an answer into force, as far as it is newer.
func (p *Publisher) take(ctx context.Context, a *Answer) error {
	if err := a.check(); err != nil {
		p.stats.damaged.Add(1)
		return err
	}
	t := p.table.Load()
	members := a.Nodes
	if members == nil {
		members = t.nodes
	}
	switch a.compare(&t.pointer) {
	case older:
		p.stats.older.Add(1)
		return fmt.Errorf("%w: %s says activation %d of history %.8q, %d of %.8q is held: older ones are not taken", ErrRing,
			a.who(), a.Activation, a.History, t.pointer.Activation, t.pointer.History)
	case conflict:
		p.stats.disagree.Add(1)
		return fmt.Errorf("%w: %s says activation %d with the hash %s, %s is held", ErrRing, a.who(), a.Activation, a.hashes(), t.pointer.hashes())
	case same:
		p.use(newTable(t.pointer, t.stable, t.canary, members, p.o.Nodes))
		return nil
	}
	stable, err := p.load(ctx, t, a.Stable, a.StableHash)
	if err != nil {
		return err
	}
	var canary *held
	if a.Canary != 0 {
		if canary, err = p.load(ctx, t, a.Canary, a.CanaryHash); err != nil {
			return err
		}
	}
	next := newTable(a.Pointer, stable, canary, members, p.o.Nodes)
	p.use(next)
	p.stats.swaps.Add(1)
	p.o.Log.Info("ring in force", "activation", a.Activation, "stable", a.Stable, "canary", a.Canary, "hash", a.hashes(), "from", a.who())
	p.save(next)
	return nil
}

func (a *Answer) who() string {
	if a.Node == "" {
		return "the source"
	}
	return a.Node
}

// use makes t the table in force. Only the follower calls it.
func (p *Publisher) use(t *table) {
	p.table.Store(t)
	p.health.keep(t)
	p.lanes.keep(t)
	p.readyOnce.Do(func() { close(p.ready) })
}

// load returns a version as it is held, or from the source.
func (p *Publisher) load(ctx context.Context, t *table, version uint64, hash Hash) (*held, error) {
	for _, h := range []*held{t.stable, t.canary} {
		if h != nil && h.version == version && h.hash == hash {
			return h, nil
		}
	}
	b, err := p.source.Snapshot(ctx, version)
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", version, err)
	}
	h, err := open(version, hash, b)
	if err != nil {
		p.stats.damaged.Add(1)
	}
	return h, err
}

// save writes the table to the file.
func (p *Publisher) save(t *table) {
	if p.o.File == "" {
		return
	}
	err := writeFile(p.o.File, t)
	if err != nil {
		p.o.Log.Warn("the last ring's file is not written", "err", err)
	}
	s := *p.state.Load()
	s.FileErr = err
	p.state.Store(&s)
}
