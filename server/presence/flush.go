package presence

import (
	"context"
	"errors"
)

// rounds bounds what one turn does of each kind: so that the others get their turn.
const rounds = 8

// call gives f a deadline and notes a failure. An answer that makes no sense is no
// failure of the store.
func (k *Keeper) call(ctx context.Context, f func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, k.o.Deadline)
	defer cancel()
	err := f(within)
	if err != nil && ctx.Err() == nil && errors.Is(err, ErrDown) {
		k.failed()
	}
	return err
}

// flush sends releases.
func (k *Keeper) flush(ctx context.Context) error {
	for range rounds {
		batch := k.takePending()
		if len(batch) == 0 {
			return nil
		}
		var got []Released
		err := k.call(ctx, func(ctx context.Context) (err error) {
			got, err = k.o.Store.Release(ctx, k.o.Self, batch)
			return err
		})
		k.released(batch, got, err)
		var gone []string
		for i := range got {
			if got[i].Outcome != Failed {
				gone = append(gone, batch[i].Device)
			}
		}
		if err := first(k.unindex(ctx, gone), err); err != nil {
			return err
		}
	}
	return nil
}

// first returns the first error that is one of the store's, not of what is in it.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, ErrDecode) {
			return err
		}
	}
	return nil
}

// takePending takes a batch of releases out of the queue.
func (k *Keeper) takePending() []Release {
	k.mu.Lock()
	defer k.mu.Unlock()
	var batch []Release
	for device, x := range k.pending {
		if len(batch) == k.o.Batch {
			break
		}
		batch = append(batch, x)
		delete(k.pending, device)
	}
	return batch
}

// released deals with the results of releases: what failed waits again, unless
// something newer of the device has come up since.
func (k *Keeper) released(batch []Release, got []Released, err error) {
	var changes []Change
	k.mu.Lock()
	for i := range batch {
		x := &batch[i]
		switch {
		case i < len(got) && got[i].Outcome == Applied:
			k.stats.Released++
			if got[i].WasHeld {
				changes = append(changes, Change{Kind: DeviceOffline, Device: x.Device, Node: k.o.Self, Fence: x.Fence, At: x.At, Reason: x.Reason})
			}
		case i < len(got) && got[i].Outcome == Refused:
			k.stats.Released++
		case errors.Is(err, ErrDecode):
			k.stats.Dropped++ // the key holds something else: trying again is no help
		default:
			_, e := k.t.find(x.Device)
			if _, newer := k.pending[x.Device]; e == nil && !newer {
				k.pending[x.Device] = *x
			}
		}
	}
	k.mu.Unlock()
	k.feed.send(changes...)
}

// unindex takes devices out of this node's index, but for those that are here or on
// their way: a claim that comes meanwhile waits until this is done (Begin). So none
// is ever here and not in the index.
func (k *Keeper) unindex(ctx context.Context, devices []string) error {
	done := make(chan struct{})
	k.mu.Lock()
	var out []string
	for _, device := range devices {
		if _, e := k.t.find(device); e == nil && k.arriving[device] == 0 && k.leaving[device] == nil {
			k.leaving[device] = done
			out = append(out, device)
		}
	}
	k.mu.Unlock()
	if len(out) == 0 {
		return nil
	}
	err := k.call(ctx, func(ctx context.Context) error { return k.o.Store.Unindex(ctx, k.o.Self, out) })
	k.mu.Lock()
	for _, device := range out {
		delete(k.leaving, device)
	}
	if err != nil {
		k.trim = true // they are still in it, perhaps
	}
	k.mu.Unlock()
	close(done)
	return err
}

// reconcile asserts what the store does not know: provisional sessions, and those
// that it has lost.
func (k *Keeper) reconcile(ctx context.Context) error {
	back := false
	defer func() {
		if back && k.o.OnBack != nil {
			k.o.OnBack()
		}
	}()
	for range rounds {
		batch := k.takeAssertions()
		if len(batch) == 0 {
			return nil
		}
		devices := make([]string, len(batch))
		for i := range batch {
			devices[i] = batch[i].Device
		}
		if err := k.call(ctx, func(ctx context.Context) error { return k.o.Store.Index(ctx, k.o.Self, devices) }); err != nil {
			return err
		}
		var got []Asserted
		err := k.call(ctx, func(ctx context.Context) (err error) {
			got, err = k.o.Store.Assert(ctx, k.o.Self, batch)
			return err
		})
		lost, again := k.asserted(batch, got, err)
		back = back || again
		if err := first(k.unindex(ctx, lost), err); err != nil {
			return err
		}
	}
	return nil
}

// takeAssertions copies a batch of what is to be asserted; it stays marked until
// there is an answer.
func (k *Keeper) takeAssertions() []Assertion {
	k.mu.Lock()
	defer k.mu.Unlock()
	var batch []Assertion
	for n := range k.assert {
		if len(batch) == k.o.Batch {
			break
		}
		device, e := k.t.at(n)
		if e == nil {
			delete(k.assert, n)
			continue
		}
		batch = append(batch, Assertion{Device: device, SID: e.sid, Connected: e.connected, Inbound: e.inbound,
			Fence: e.fence, Provisional: e.bits&provisional != 0})
	}
	return batch
}

// fenced is a session whose fence has changed.
type fenced struct {
	device       string
	given, fence uint32
}

// asserted deals with the results of assertions and returns the devices that are
// not ours, and whether any is that the store had as nobody's.
func (k *Keeper) asserted(batch []Assertion, got []Asserted, err error) (lost []string, back bool) {
	var changes []Change
	var zombies []Zombie
	var fences []fenced
	k.mu.Lock()
	for i := range batch {
		a := &batch[i]
		n, e := k.t.find(a.Device)
		if e == nil || e.fence != a.Fence || (e.bits&provisional != 0) != a.Provisional {
			continue // it has gone, or come again
		}
		switch {
		case i < len(got) && got[i].Outcome == Applied:
			x := &got[i]
			delete(k.assert, n)
			k.stats.Reasserted++
			back = back || !a.Provisional
			e.bits = 0
			if e.fence != x.Fence {
				e.fence = x.Fence
				fences = append(fences, fenced{a.Device, e.given, x.Fence})
			}
			if x.Fence <= MaxFence {
				k.high = max(k.high, x.Fence)
			}
			// A claim whose answer was lost has told nobody.
			own := a.Provisional && x.Previous.Owner == k.o.Self && x.Previous.Connected == a.Connected
			if x.Previous.Hold != Held || own {
				changes = append(changes, Change{Kind: DeviceOnline, Device: a.Device, Node: k.o.Self, Fence: x.Fence, SID: a.SID, At: a.Connected})
			}
		case i < len(got) && got[i].Outcome == Refused:
			zombies = append(zombies, k.zombie(n, a.Device, e, got[i].Previous))
			lost = append(lost, a.Device)
		case errors.Is(err, ErrDecode):
			delete(k.assert, n)
			e.bits = 0
			k.stats.Dropped++
		}
	}
	k.mu.Unlock()
	k.feed.send(changes...)
	for _, f := range fences {
		if k.o.OnFence != nil {
			k.o.OnFence(f.device, f.given, f.fence)
		}
	}
	k.tell(zombies)
	return lost, back
}

// zombie gives up a session that somebody else has taken over. The mutex is held.
func (k *Keeper) zombie(n uint32, device string, e *entry, current Record) Zombie {
	z := Zombie{Device: device, Fence: e.given, SameSession: e.sid != 0 && e.sid == current.SID, Current: current}
	delete(k.assert, n)
	k.t.remove(n)
	k.stats.Zombies++
	return z
}

func (k *Keeper) tell(zombies []Zombie) {
	for _, z := range zombies {
		if k.o.OnZombie != nil {
			k.o.OnZombie(z)
		}
	}
}
