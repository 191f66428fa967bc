package presence

import (
	"context"
	"testing"
	"testing/synctest"
)

// between is a store that does something in the middle of calls.
type between struct {
	Store
	afterRelease func() // a release is stored, its answer is on the way
	inUnindex    func() // a removal is on its way to the store
}

func (b *between) Release(ctx context.Context, o Owner, batch []Release) ([]Released, error) {
	got, err := b.Store.Release(ctx, o, batch)
	if b.afterRelease != nil {
		b.afterRelease()
	}
	return got, err
}

func (b *between) Unindex(ctx context.Context, o Owner, devices []string) error {
	if b.inUnindex != nil {
		b.inUnindex()
	}
	return b.Store.Unindex(ctx, o, devices)
}

// TestClaimDuringRemoval: a device that comes back while its release is being stored,
// or while it is being taken out of the index, is in the index afterwards.
func TestClaimDuringRemoval(t *testing.T) {
	t.Run("after its release", func(t *testing.T) {
		m := NewMemory(0, nil)
		b := &between{Store: m}
		k, err := New(Options{Self: n1, Store: b})
		must(t, err)
		k.beatOnce(t.Context())
		first := mustClaim(t, k, "d", 1).Fence
		k.Release("d", first, Hangup)
		b.afterRelease = func() { mustClaim(t, k, "d", 1) }
		must(t, k.turn(t.Context()))
		if !all(t, m, n1)["d"] || record(t, m, "d").Fence != first+1 {
			t.Errorf("d is not in the index; stored is %+v", record(t, m, "d"))
		}
	})
	t.Run("during its removal", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory(0, nil)
			b := &between{Store: m}
			k, err := New(Options{Self: n1, Store: b})
			must(t, err)
			k.beatOnce(t.Context())
			k.Release("d", mustClaim(t, k, "d", 1).Fence, Hangup)
			done := make(chan Claimed, 1)
			b.inUnindex = func() {
				go func() {
					c, _ := k.Claim(context.Background(), "d", 1)
					done <- c
				}()
				synctest.Wait() // it has got as far as it gets
				if len(done) > 0 {
					t.Error("a claim did not wait for the removal")
				}
			}
			must(t, k.turn(t.Context()))
			if c := <-done; c.Provisional || c.Fence != 2 {
				t.Errorf("the claim is %+v", c)
			}
			if !all(t, m, n1)["d"] {
				t.Error("d is not in the index")
			}
		})
	})
	t.Run("while the index is compared", func(t *testing.T) {
		m := NewMemory(0, nil)
		b := &between{Store: m}
		k, err := New(Options{Self: n1, Store: b})
		must(t, err)
		k.beatOnce(t.Context())
		must(t, m.Index(t.Context(), n1, []string{"d"})) // left over
		k.trim = true
		g := &getThen{Store: b, f: func() { mustClaim(t, k, "d", 1) }}
		k.o.Store = g
		must(t, k.turn(t.Context()))
		if r := record(t, m, "d"); r.Hold != Held || !all(t, m, n1)["d"] {
			t.Errorf("d, which came meanwhile, is %+v", r)
		}
	})
}

// getThen is a store that does something before it answers Get: what it answers is
// of a session that has begun since the keeper looked who is here.
type getThen struct {
	Store
	f func()
}

func (g *getThen) Get(ctx context.Context, devices []string) ([]Answer, error) {
	g.f()
	return g.Store.Get(ctx, devices)
}
