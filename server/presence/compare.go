package presence

import (
	"context"
	"time"
)

// compareEvery is how often the index is compared with what is connected here, if
// there is no reason to do it earlier. 100,000 devices are 200 pages.
const compareEvery = 10 * time.Minute

// compare goes through this node's index, a page a turn, and ends what is in there
// and not connected here: sessions whose release was dropped, claims that
// came to the store after they were given up, and entries whose removal failed.
func (k *Keeper) compare(ctx context.Context) error {
	now := k.o.Clock()
	k.mu.Lock()
	if !k.doubted.IsZero() && now.Sub(k.doubted) >= k.o.Deadline+k.o.ClaimWithin && k.down.IsZero() && !k.paging {
		// What was on its way to the store then has come, or is lost.
		k.doubted, k.trim = time.Time{}, true
	}
	if !k.paging && k.down.IsZero() && (k.trim || now.Sub(k.paged) >= compareEvery) {
		k.trim, k.paging, k.page = false, !k.paged.IsZero() || k.trim, 0
		if k.paged.IsZero() {
			k.paged = now
		}
	}
	k.mu.Unlock()
	if !k.paging {
		return nil
	}
	var devices []string
	var next uint64
	err := k.call(ctx, func(ctx context.Context) (err error) {
		devices, next, err = k.o.Store.Page(ctx, k.o.Self, k.page, k.o.Batch)
		return err
	})
	if err != nil {
		return first(err)
	}
	for len(devices) > 0 {
		n := min(len(devices), MaxBatch)
		if err := k.end(ctx, k.strangers(devices[:n])); err != nil {
			return err // the same page again
		}
		devices = devices[n:]
	}
	if k.page = next; next == 0 {
		k.paging, k.paged = false, now
	}
	return nil
}

// strangers are those of the devices that are not here, nor on their way here or
// away.
func (k *Keeper) strangers(devices []string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, device := range devices {
		_, e := k.t.find(device)
		if _, waits := k.pending[device]; e == nil && !waits && k.arriving[device] == 0 && k.leaving[device] == nil {
			out = append(out, device)
		}
	}
	return out
}

// end releases what is stored as this node's, of devices that are not here, and
// takes them out of the index. A claim that comes in between has a higher fence,
// and stays.
func (k *Keeper) end(ctx context.Context, devices []string) error {
	if len(devices) == 0 {
		return nil
	}
	var got []Answer
	err := k.call(ctx, func(ctx context.Context) (err error) {
		got, err = k.o.Store.Get(ctx, devices)
		return err
	})
	if err := first(err); err != nil {
		return err
	}
	now := k.o.Clock().UnixMilli()
	var batch []Release
	var gone []string
	// Who has come since is looked for again: what was read may be of its session.
	still := map[string]bool{}
	for _, device := range k.strangers(devices) {
		still[device] = true
	}
	for i, a := range got {
		if !a.OK || !still[devices[i]] {
			continue
		}
		gone = append(gone, devices[i])
		if r := &a.Record; r.Owner == k.o.Self && r.Hold == Held {
			batch = append(batch, Release{Device: devices[i], Fence: r.Fence, Connected: r.Connected, At: now, Reason: Hangup})
		}
	}
	if len(batch) > 0 {
		var got []Released
		err := k.call(ctx, func(ctx context.Context) (err error) {
			got, err = k.o.Store.Release(ctx, k.o.Self, batch)
			return err
		})
		k.released(batch, got, err)
		if err := first(err); err != nil {
			return err
		}
	}
	k.mu.Lock()
	k.stats.Trimmed += uint64(len(gone))
	k.mu.Unlock()
	return k.unindex(ctx, gone)
}
