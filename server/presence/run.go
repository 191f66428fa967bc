package presence

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Run says that the node lives and brings to the store what it has to hear, until
// ctx is over. Two goroutines: a call that hangs in one does not hold up the beat in
// the other. Call it once.
func (k *Keeper) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { k.pulse(ctx) })
	both.Go(func() { k.work(ctx) })
	both.Wait()
}

// Flush brings the releases that wait to the store, for an orderly end: until none
// is left or ctx is over. Call it when Run has returned.
func (k *Keeper) Flush(ctx context.Context) error {
	for ctx.Err() == nil {
		err := k.flush(ctx)
		if k.Stats().Pending == 0 {
			return nil
		}
		if err != nil {
			pause(ctx, k.o.FlushEvery)
		}
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// pulse beats and looks.
func (k *Keeper) pulse(ctx context.Context) {
	t := time.NewTicker(k.o.BeatEvery)
	defer t.Stop()
	for {
		k.beatOnce(ctx)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// beatOnce is one turn of pulse.
func (k *Keeper) beatOnce(ctx context.Context) {
	now := k.o.Clock() // before the call: the beat counts from then at the latest
	var back bool
	if k.call(ctx, func(ctx context.Context) (err error) {
		back, err = k.o.Store.Beat(ctx, k.o.Self, k.o.BeatTTL, k.o.Leases == nil)
		return err
	}) != nil {
		return
	}
	if back {
		k.feed.send(Change{Kind: NodeBack, Node: k.o.Self, At: now.UnixMilli()})
	}
	var n Nodes
	if k.call(ctx, func(ctx context.Context) (err error) {
		n, err = k.o.Store.Nodes(ctx)
		return err
	}) != nil {
		return
	}
	k.answered(now)
	k.mu.Lock()
	v := nextView(k.view, n, now, &k.o)
	if k.view != nil && v.blindUntil != k.view.blindUntil {
		k.away = true // or we were: others may have taken us for dead
	}
	k.view = v
	k.mu.Unlock()
	k.look(ctx, v)
}

// work makes a turn each FlushEvery. While the store does not answer, turns come
// later and later, up to 2 s, at random: nodes that all lost it must not all come
// back at once.
func (k *Keeper) work(ctx context.Context) {
	wait := k.o.FlushEvery
	for {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		if k.turn(ctx) == nil {
			wait = k.o.FlushEvery
			continue
		}
		most := max(2*time.Second, k.o.FlushEvery)
		wait = min(2*wait, most)
		wait = wait/2 + rand.N(wait/2+1)
	}
}

// turn is one turn of work, once the store has heard of this node. Of a cluster a part
// may not answer: so what comes behind a failure is tried all the same.
func (k *Keeper) turn(ctx context.Context) (err error) {
	k.mu.Lock()
	ready := !k.beaten.IsZero() && k.o.Clock().Sub(k.beaten) < k.o.BeatTTL
	k.mu.Unlock()
	if !ready {
		return nil
	}
	for _, f := range []func(context.Context) error{k.flush, k.reconcile, k.refresh, k.compare, k.sweep} {
		if e := f(ctx); e != nil && err == nil {
			err = e
		}
	}
	return err
}
