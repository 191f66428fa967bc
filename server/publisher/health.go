package publisher

import (
	"sync"
	"time"

	"roost/decay"
)

const (
	firstRest = 250 * time.Millisecond
	longRest  = 10 * time.Second
	// longBusy bounds what a node's Retry-After can ask for.
	longBusy = 30 * time.Second
	// rttTau is over how long a round-trip time decays towards a smaller one; a
	// larger one is believed at once.
	rttTau = 10 * time.Second
)

// health is what is known of nodes by what they did. The package's documentation
// draws the states.
type health struct {
	began time.Time // where rtt counts from

	mu    sync.Mutex        // covers the following
	nodes map[string]*state // bounded by keep
}

// state is one node's. Owned by health.mu.
type state struct {
	fails      int
	down, busy time.Time // until when; zero is not
	rtt        decay.PeakEWMA
	at         time.Time // of the last rtt
}

func newHealth(now time.Time) *health { return &health{began: now, nodes: map[string]*state{}} }

// of returns a node's state, made if it is not there.
func (h *health) of(id string) *state {
	s := h.nodes[id]
	if s == nil {
		s = &state{}
		s.rtt, _ = decay.NewPeakEWMA(rttTau)
		h.nodes[id] = s
	}
	return s
}

// well reports whether a node may be chosen: nothing is held against it, or it has
// rested and may try.
func (h *health) well(id string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.nodes[id]
	return s == nil || !now.Before(s.down) && !now.Before(s.busy)
}

// asked reports whether a node has asked to be left alone.
func (h *health) asked(id string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.nodes[id]
	return s != nil && now.Before(s.busy)
}

// answered: the node took a request.
func (h *health) answered(id string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.of(id)
	s.fails, s.down, s.busy = 0, time.Time{}, time.Time{}
}

// measured: the node gave a sign of life. That it is busy stays.
func (h *health) measured(id string, rtt time.Duration, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.of(id)
	s.fails, s.down = 0, time.Time{}
	s.rtt.Add(now.Sub(h.began), float64(rtt))
	s.at = now
}

// failed: no answer, or one of an error.
func (h *health) failed(id string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.of(id)
	if now.Before(s.down) {
		return // several requests met the same failure
	}
	s.down = now.Add(min(firstRest<<min(s.fails, 16), longRest))
	s.fails++
}

// busy: 503. The node asks to be left alone for so long.
func (h *health) busy(id string, after time.Duration, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.of(id)
	s.busy = now.Add(min(max(after, firstRest), longBusy))
}

// rtt returns a node's round-trip time, 0 if it is not known.
func (h *health) rtt(id string, now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.nodes[id]; s != nil && s.rtt.Begun() {
		return time.Duration(s.rtt.At(now.Sub(h.began)))
	}
	return 0
}

// stale returns which of nodes have no rtt younger than age and are not resting.
func (h *health) stale(nodes []Node, age time.Duration, now time.Time) (list []Node) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range nodes {
		s := h.nodes[n.ID]
		if s == nil || now.Sub(s.at) >= age && !now.Before(s.down) {
			list = append(list, n)
		}
	}
	return list
}

// keep forgets all nodes that are not in t.
func (h *health) keep(t *table) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.nodes {
		if t.find(id) == nil {
			delete(h.nodes, id)
		}
	}
}
