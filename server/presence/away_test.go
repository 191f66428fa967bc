package presence

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// TestStoreAway: while the store is away devices come, go and move, and more go than
// the queue holds. Afterwards it is all as it is.
func TestStoreAway(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		f := &faulty{Store: d.m}
		var zombies []Zombie
		var fences int
		o := Options{Store: f, Pending: 20, OnZombie: func(z Zombie) { zombies = append(zombies, z) },
			OnFence: func(_ string, given, fence uint32) {
				if fence > given {
					fences++
				}
			}}
		o.Self = n1
		a := d.start(o)
		o.Self = n2
		b := d.start(o)
		given := map[string]uint32{}
		for i := range 100 {
			device := fmt.Sprint("d", i)
			given[device] = mustClaim(t, a, device, uint64(i+1)).Fence
		}
		time.Sleep(10 * time.Second)
		f.set(true, false)
		time.Sleep(10 * time.Second)
		if a.Up() || b.Up() {
			t.Error("the store is away, and they do not know")
		}
		for i := range 50 { // these go; 30 of them do not fit
			device := fmt.Sprint("d", i)
			if !a.Release(device, given[device], Hangup) {
				t.Fatalf("the release of %s is a late one", device)
			}
		}
		for i := 50; i < 60; i++ { // these move, and their old node does not notice
			if c := mustClaim(t, b, fmt.Sprint("d", i), uint64(i+1)); !c.Provisional || c.Fence == 0 {
				t.Errorf("a claim without a store is %+v", c)
			}
		}
		for i := 200; i < 210; i++ { // these are new
			mustClaim(t, b, fmt.Sprint("d", i), 7)
		}
		if _, err := b.Get(t.Context(), "d1"); !errors.Is(err, ErrDown) {
			t.Errorf("Get is %v, want ErrDown", err)
		}
		if s := status(t, b, "d200"); s != Online {
			t.Errorf("a device that is here is %v, want online", s)
		}
		time.Sleep(time.Minute)
		if s := a.Stats(); s.Pending != 20 || s.Dropped != 30 {
			t.Errorf("%d releases wait and %d were dropped, want 20 and 30", s.Pending, s.Dropped)
		}
		f.set(false, false)
		time.Sleep(20 * time.Second)
		for i := range 210 {
			want := Offline
			if i >= 50 && i < 100 || i >= 200 {
				want = Online
			}
			if s := status(t, a, fmt.Sprint("d", i)); s != want {
				t.Errorf("afterwards d%d is %v, want %v", i, s, want)
			}
		}
		time.Sleep(o.Bounds(0).Zombie)
		if len(zombies) != 10 || !zombies[0].SameSession || zombies[0].Current.Owner != n2 || zombies[0].Fence != given[zombies[0].Device] {
			t.Errorf("%d zombies, want the 10 that moved: %+v", len(zombies), zombies)
		}
		if len(all(t, d.m, n1)) != 40 || len(all(t, d.m, n2)) != 20 || a.Stats().Devices != 40 {
			t.Errorf("indexes have %d and %d devices, want 40 and 20", len(all(t, d.m, n1)), len(all(t, d.m, n2)))
		}
	})
}

// TestLostStore: a store that comes back empty is filled again from what is connected.
func TestLostStore(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		a := d.start(Options{Self: n1, RefreshEvery: 30 * time.Second})
		for i := range 200 {
			mustClaim(t, a, fmt.Sprint("d", i), 1)
		}
		d.m.mu.Lock()
		d.m.records, d.m.nodes = map[string]*kept{}, map[Owner]*memoryNode{}
		d.m.mu.Unlock()
		time.Sleep(35 * time.Second)
		for i := range 200 {
			if r := record(t, d.m, fmt.Sprint("d", i)); r.Hold != Held || r.Owner != n1 || r.Fence != 1 {
				t.Fatalf("d%d is %+v", i, r)
			}
		}
		if got := len(all(t, d.m, n1)); got != 200 {
			t.Errorf("%d devices in the index, want 200", got)
		}
	})
}

// hung is a store that does not answer while on.
type hung struct {
	Store
	on atomic.Bool
}

func (h *hung) hang(ctx context.Context) error {
	if !h.on.Load() {
		return nil
	}
	<-ctx.Done()
	return fmt.Errorf("%w: %w", ErrDown, ctx.Err())
}

func (h *hung) Beat(ctx context.Context, o Owner, ttl time.Duration, revive bool) (bool, error) {
	if err := h.hang(ctx); err != nil {
		return false, err
	}
	return h.Store.Beat(ctx, o, ttl, revive)
}

func (h *hung) Release(ctx context.Context, o Owner, b []Release) ([]Released, error) {
	if err := h.hang(ctx); err != nil {
		return make([]Released, len(b)), err
	}
	return h.Store.Release(ctx, o, b)
}

func (h *hung) Prepare(ctx context.Context, o Owner, device string) error {
	if err := h.hang(ctx); err != nil {
		return err
	}
	return h.Store.Prepare(ctx, o, device)
}

// TestNothingWaits: with a store that hangs, connections are opened and closed all the
// same, and no time passes.
func TestNothingWaits(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		h := &hung{Store: d.m}
		k := d.start(Options{Self: n1, Store: h})
		mustClaim(t, k, "d0", 1)
		h.on.Store(true)
		time.Sleep(10 * time.Second)
		before := time.Now()
		for i := range 100 {
			device := fmt.Sprint("d", i)
			c := mustClaim(t, k, device, 1)
			k.Touch(device, c.Fence, time.Now())
			if !c.Provisional || !k.Release(device, c.Fence, Hangup) {
				t.Fatalf("a claim is %+v", c)
			}
		}
		if took := time.Since(before); took != 0 {
			t.Errorf("opening and closing took %v of waiting", took)
		}
	})
}

// TestHungClaim: a store that begins to hang holds up one claim for ClaimWithin.
func TestHungClaim(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		h := &hung{Store: d.m}
		k := d.start(Options{Self: n1, Store: h})
		h.on.Store(true)
		before := time.Now()
		if c := mustClaim(t, k, "d", 1); !c.Provisional {
			t.Errorf("the claim is %+v", c)
		}
		if took := time.Since(before); took != time.Second {
			t.Errorf("it took %v, want 1 s", took)
		}
		if c := mustClaim(t, k, "e", 1); !c.Provisional || time.Since(before) != time.Second {
			t.Errorf("the next one waits, too: %+v", c)
		}
	})
}
