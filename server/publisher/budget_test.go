package publisher

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestBudget: who waits for room gets it in turn; who stops waiting lets those behind
// pass; all that was taken comes back.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget{free: 10}
		ctx := context.Background()
		if err := b.take(ctx, 8); err != nil {
			t.Fatal(err)
		}
		var order []int
		var mu sync.Mutex
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		wait := func(ctx context.Context, name int, n int64) {
			go func() {
				err := b.take(ctx, n)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					name = -name
				}
				order = append(order, name)
			}()
			synctest.Wait()
		}
		wait(short, 1, 9)
		wait(ctx, 2, 1) // there is room, and it is not its turn
		wait(ctx, 3, 9)
		mu.Lock()
		if len(order) != 0 {
			t.Errorf("%v did not wait", order)
		}
		mu.Unlock()
		time.Sleep(2 * time.Second) // 1 gives up: 2 has its turn, 3 has no room
		synctest.Wait()
		if len(order) != 2 || order[0]+order[1] != 1 {
			t.Errorf("%v, want 1 gone and 2 served", order)
		}
		if err := b.quiet(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("quiet with two under way: %v", err)
		}
		b.give(8)
		synctest.Wait()
		b.give(1)
		b.give(9)
		if err := b.quiet(ctx); err != nil || b.free != 10 || b.waits() != 0 || order[2] != 3 {
			t.Errorf("%v, free %d, order %v", err, b.free, order)
		}
	})
}
