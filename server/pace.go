package server

import (
	"sync"
	"time"
)

// pacer gives out slots: times at which devices may connect to a node, one behind the
// other, so that a node gets no more connects a second from here than its rate. The zero pacer
// works.
type pacer struct {
	mu   sync.Mutex           // covers the following
	next map[string]time.Time // first free slot, by node
}

// pacedNodes bounds the nodes that a pacer remembers; those whose slots have passed are
// forgotten then.
const pacedNodes = 4096

// slot takes the next free slot at a node, at earliest or later, and returns it. rate is how many
// slots there are a second, above 0.
func (p *pacer) slot(node string, earliest time.Time, rate float64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = map[string]time.Time{}
	}
	if len(p.next) >= pacedNodes {
		for n, at := range p.next {
			if at.Before(earliest) {
				delete(p.next, n)
			}
		}
	}
	at := p.next[node]
	if at.Before(earliest) {
		at = earliest
	}
	p.next[node] = at.Add(time.Duration(float64(time.Second) / rate))
	return at
}

// ahead reports whether slots at a node were given out that lie behind at.
func (p *pacer) ahead(node string, at time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next[node].After(at)
}

// forget frees the slots that were given out and will not be used: of a round that was
// called off.
func (p *pacer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.next)
}
