package presence

import (
	"context"
	"time"
)

// The death of a node:
//
//	lease or beat gone       its devices are suspect, by the rule on reading
//	both gone, or Dead       one node's mark is the first: NodeSuspect, with how many
//	                         devices it may have had
//	both gone for the grace  one node sweeps, in pages: who has not come back is Lost
//	index empty              NodeLost, with the tally
//	it beats again before    NodeBack; what it still has it asserts

// sweepTTL is how long a node sweeps alone without saying so again.
const sweepTTL = 10 * time.Second

// Dead says that a node's registration has ended: its devices are suspect from now
// on for all nodes. It is one write, whatever the node held. Nobody needs to call it
// where Leases is nil. The error is ErrOwner, or ErrDown: then try again.
func (k *Keeper) Dead(ctx context.Context, o Owner) error {
	if err := o.Check(); err != nil {
		return err
	}
	return k.mark(ctx, o, k.o.Clock())
}

// mark marks a node as dead. Who is first tells.
func (k *Keeper) mark(ctx context.Context, o Owner, at time.Time) error {
	var first bool
	err := k.call(ctx, func(ctx context.Context) (err error) {
		first, err = k.o.Store.Dead(ctx, o, at.UnixMilli())
		return err
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.view = k.view.with(o, at) // here at once, elsewhere with the next look
	k.mu.Unlock()
	if !first {
		return nil
	}
	n := 0 // stays so if the store is away again: the tally has them
	_ = k.call(ctx, func(ctx context.Context) (err error) {
		n, err = k.o.Store.Size(ctx, o)
		return err
	})
	k.feed.send(Change{Kind: NodeSuspect, Node: o, At: at.UnixMilli(), Devices: n})
	return nil
}

// revive removes the mark of a node that is registered and beats.
func (k *Keeper) revive(ctx context.Context, o Owner, now time.Time) {
	var was bool
	err := k.call(ctx, func(ctx context.Context) (err error) {
		was, err = k.o.Store.Revive(ctx, o)
		return err
	})
	if err == nil && was {
		k.feed.send(Change{Kind: NodeBack, Node: o, At: now.UnixMilli()})
	}
}

// look decides about the nodes of a view: who is to be marked, revived, swept.
func (k *Keeper) look(ctx context.Context, v *view) {
	now := k.o.Clock()
	sweeping := map[Owner]bool{}
	for _, o := range v.owners() {
		e := k.evidence(v, o, 0, now)
		_, marked := v.nodes.Deaths[o]
		since, dead := e.Dead()
		switch {
		case !marked && o != k.o.Self && (dead || e.Lease == LeaseGone):
			// What fails is seen again in a second.
			_ = k.mark(ctx, o, now)
		case marked && e.Beat == BeatHeard && e.Lease == LeaseHeld:
			k.revive(ctx, o, now)
		case marked && o != k.o.Self && dead && !now.Before(since.Add(k.o.Grace)):
			sweeping[o] = true
		}
	}
	k.mu.Lock()
	k.sweeping = sweeping
	k.mu.Unlock()
}

// sweep goes on with the nodes that are dead for longer than the grace.
func (k *Keeper) sweep(ctx context.Context) error {
	k.mu.Lock()
	var dead []Owner
	for o := range k.sweeping {
		dead = append(dead, o)
	}
	for o := range k.singles {
		if !k.sweeping[o] {
			delete(k.singles, o) // somebody else has ended it, or it lives
		}
	}
	k.mu.Unlock()
	for _, o := range dead {
		if err := k.sweepOne(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// sweepOne sweeps some pages of one node.
func (k *Keeper) sweepOne(ctx context.Context, o Owner) error {
	var mine bool
	err := k.call(ctx, func(ctx context.Context) (err error) {
		mine, err = k.o.Store.SweepTake(ctx, o, k.o.Self.String(), sweepTTL)
		return err
	})
	if err != nil || !mine {
		return first(err)
	}
	for range rounds {
		now := k.o.Clock().UnixMilli()
		var found []SweptDevice
		err := k.call(ctx, func(ctx context.Context) (err error) {
			found, err = k.o.Store.Sweep(ctx, o, now, k.o.Batch)
			return err
		})
		k.swept(o, found, now)
		if err := first(err); err != nil {
			return err
		}
		if len(found) == 0 {
			return k.sweepEnd(ctx, o)
		}
	}
	return nil
}

// swept tells of the first devices that a dead node has lost.
func (k *Keeper) swept(o Owner, found []SweptDevice, now int64) {
	var changes []Change
	for _, d := range found {
		if d.Found == SweepLost && k.singles[o] < k.o.SweepSingles {
			k.singles[o]++
			changes = append(changes, Change{Kind: DeviceOffline, Device: d.Device, Node: o, Fence: d.Fence, At: now, Reason: NodeLost})
		}
	}
	k.feed.send(changes...)
}

// sweepEnd ends a sweep; who has done so first tells.
func (k *Keeper) sweepEnd(ctx context.Context, o Owner) error {
	var tally Tally
	var mine bool
	err := k.call(ctx, func(ctx context.Context) (err error) {
		tally, mine, err = k.o.Store.SweepEnd(ctx, o)
		return err
	})
	if mine {
		k.feed.send(Change{Kind: NodeGone, Node: o, At: k.o.Clock().UnixMilli(), Devices: tally.Back + tally.Lost,
			Back: tally.Back, Lost: tally.Lost, Singles: k.singles[o]})
	}
	if err == nil {
		delete(k.singles, o)
		k.mu.Lock()
		delete(k.sweeping, o)
		k.mu.Unlock()
	}
	return first(err)
}
