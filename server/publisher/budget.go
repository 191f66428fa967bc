package publisher

import (
	"container/list"
	"context"
	"sync"
)

// budget is the room of the queue, in bytes. Who waits for room gets it in turn.
type budget struct {
	mu      sync.Mutex // covers the following
	free    int64
	under   int       // takes not given back
	waiting list.List // of *claim, the oldest first
	idle    []chan struct{}
}

// claim is somebody who waits.
type claim struct {
	n     int64
	ready chan struct{}
}

// take waits for n bytes, which are less than the whole budget, or for ctx.
func (b *budget) take(ctx context.Context, n int64) error {
	b.mu.Lock()
	if b.free >= n && b.waiting.Len() == 0 {
		b.free -= n
		b.under++
		b.mu.Unlock()
		return nil
	}
	c := &claim{n: n, ready: make(chan struct{})}
	e := b.waiting.PushBack(c)
	b.mu.Unlock()
	select {
	case <-c.ready:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-c.ready: // got it just now
		b.giveLocked(n)
	default:
		b.waiting.Remove(e)
		b.serveLocked() // those behind may be smaller
	}
	return ctx.Err()
}

// give gives back what was taken.
func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.giveLocked(n)
}

func (b *budget) giveLocked(n int64) {
	b.free += n
	b.under--
	b.serveLocked()
	if b.under == 0 {
		for _, c := range b.idle {
			close(c)
		}
		b.idle = nil
	}
}

func (b *budget) serveLocked() {
	for e := b.waiting.Front(); e != nil; e = b.waiting.Front() {
		c := e.Value.(*claim)
		if b.free < c.n {
			return
		}
		b.free -= c.n
		b.under++
		b.waiting.Remove(e)
		close(c.ready)
	}
}

// quiet waits until nothing is under way, or for ctx.
func (b *budget) quiet(ctx context.Context) error {
	b.mu.Lock()
	if b.under == 0 {
		b.mu.Unlock()
		return nil
	}
	c := make(chan struct{})
	b.idle = append(b.idle, c)
	b.mu.Unlock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waits returns how many takes are not given back.
func (b *budget) waits() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.under
}
