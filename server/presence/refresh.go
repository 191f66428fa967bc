package presence

import (
	"context"
	"math"
	"time"
)

// sprintEvery is the time between two comparisons of everything: a store that comes
// and goes must not cost a comparison of all devices each time.
const sprintEvery = 10 * time.Second

// refresh compares sessions with the store, each once in RefreshEvery, and all of
// them soon after the store was away.
func (k *Keeper) refresh(ctx context.Context) error {
	now := k.o.Clock()
	if !k.last.IsZero() {
		k.credit += float64(k.devices()) * now.Sub(k.last).Seconds() / k.o.RefreshEvery.Seconds()
	}
	k.last = now
	k.credit = min(k.credit, float64(rounds*k.o.Batch))
	k.hurry(now)
	for range rounds {
		want, hurry := min(int(math.Floor(k.credit)), k.o.Batch), k.hurrying()
		if hurry {
			want = k.o.Batch
		}
		if want == 0 {
			return nil
		}
		batch, all := k.takeRefreshes(want)
		k.credit = max(k.credit-float64(len(batch)), 0)
		if len(batch) > 0 {
			if err := k.refreshed(ctx, batch, hurry); err != nil {
				return err
			}
		}
		if all && !hurry {
			return nil
		}
	}
	return nil
}

func (k *Keeper) devices() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.t.len()
}

// hurry begins to compare everything, if the store was away.
func (k *Keeper) hurry(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.away && now.Sub(k.sprinted) >= sprintEvery {
		k.away, k.sprinted, k.sprint = false, now, int(k.t.end())
	}
}

// hurrying reports whether the store was away and not everything is compared since.
func (k *Keeper) hurrying() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sprint > 0
}

// takeRefreshes walks on through the table. It reports whether it came to its end.
func (k *Keeper) takeRefreshes(want int) (batch []Refresh, all bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// Numbers that nobody has cost a step, too.
	for steps := 0; len(batch) < want && steps < 16*MaxBatch; steps++ {
		if k.cursor >= k.t.end() {
			k.cursor, k.sprint = 0, min(k.sprint, int(k.t.end()))
			return batch, true
		}
		device, e := k.t.at(k.cursor)
		k.cursor++
		k.sprint = max(k.sprint-1, 0)
		if e != nil && e.bits == 0 {
			batch = append(batch, Refresh{Device: device, Fence: e.fence, Inbound: e.inbound})
		}
	}
	return batch, false
}

// refreshed sends refreshes and deals with the results. With index the devices are
// put into the index before: a store that was away may have lost that.
func (k *Keeper) refreshed(ctx context.Context, batch []Refresh, index bool) error {
	if index {
		devices := make([]string, len(batch))
		for i := range batch {
			devices[i] = batch[i].Device
		}
		if err := k.call(ctx, func(ctx context.Context) error { return k.o.Store.Index(ctx, k.o.Self, devices) }); err != nil {
			return err
		}
	}
	var got []Refreshed
	err := k.call(ctx, func(ctx context.Context) (err error) {
		got, err = k.o.Store.Refresh(ctx, k.o.Self, batch)
		return err
	})
	var zombies []Zombie
	var lost []string
	k.mu.Lock()
	for i := range batch {
		n, e := k.t.find(batch[i].Device)
		if i >= len(got) || e == nil || e.fence != batch[i].Fence || e.bits != 0 {
			continue // it has gone, which comes to the index by its release, or come again
		}
		switch got[i].Outcome {
		case Applied:
			k.stats.Refreshed++
		case Absent:
			e.bits |= asserting
			k.assert[n] = struct{}{}
		case Refused:
			zombies = append(zombies, k.zombie(n, batch[i].Device, e, got[i].Current))
			lost = append(lost, batch[i].Device)
		}
	}
	k.mu.Unlock()
	k.tell(zombies)
	return first(k.unindex(ctx, lost), err)
}
