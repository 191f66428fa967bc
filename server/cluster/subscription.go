package cluster

import "sync"

// Subscription tells that there is something newer. It holds one signal: whoever
// is slow misses steps in between, never the newest, and blocks nobody.
type Subscription struct {
	// C gets a value when there is something new since the last one taken. It is
	// never closed.
	C <-chan struct{}

	c  chan struct{}
	of *subscriptions
}

// Close ends the subscription. C stays silent from then on.
func (s *Subscription) Close() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	delete(s.of.all, s)
}

// subscriptions are those who want to know.
type subscriptions struct {
	mu  sync.Mutex // guards all
	all map[*Subscription]struct{}
}

// add returns a subscription, with a first signal in it.
func (s *subscriptions) add() *Subscription {
	c := make(chan struct{}, 1)
	c <- struct{}{}
	sub := &Subscription{C: c, c: c, of: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*Subscription]struct{}{}
	}
	s.all[sub] = struct{}{}
	return sub
}

// wake signals all. A send to a channel with room, or none at all, does not wait.
func (s *subscriptions) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.all {
		select {
		case sub.c <- struct{}{}:
		default:
		}
	}
}
