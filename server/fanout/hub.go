package fanout

import (
	"slices"
	"sync"
	"time"
)

// Hub joins Memory buses in one process, and breaks what joins them where a test wants
// that. The zero Hub works.
type Hub struct {
	mu     sync.Mutex // covers the following; a bus's is taken while it is held
	buses  []*Memory
	fault  func(Flight) Fault
	groups map[string]int // of nodes that hear each other; others are in group 0
	down   bool
	cut    map[string]bool
}

// Flight is one message on its way to one node.
type Flight struct {
	From, To string // ids of nodes
	Channel  Channel
	Kind     Kind
}

// Fault is what happens to a flight. The zero Fault delivers it once, at once.
type Fault struct {
	Drop   bool
	Copies int           // delivered so often more
	Delay  time.Duration // delivered after that; later messages may overtake it
}

// SetFault has f asked for every flight; nil ends that. f is called with the hub locked.
func (h *Hub) SetFault(f func(Flight) Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = f
}

// Partition splits the nodes into groups that do not hear each other, though each stays
// connected: who sends learns that nobody listens. Nodes that are not named are a group.
// Without groups everybody hears everybody.
func (h *Hub) Partition(groups ...[]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.groups = map[string]int{}
	for i, g := range groups {
		for _, node := range g {
			h.groups[node] = i + 1
		}
	}
}

// SetDown takes the hub away from everybody, as when Redis is down, or gives it back.
func (h *Hub) SetDown(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
	h.changed()
}

// SetCut takes the hub away from one node, or gives it back.
func (h *Hub) SetCut(node string, cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cut == nil {
		h.cut = map[string]bool{}
	}
	h.cut[node] = cut
	h.changed()
}

// changed tells the buses how they are now. The hub must be locked.
func (h *Hub) changed() {
	for _, m := range h.buses {
		m.setUp(!h.down && !h.cut[m.o.Node], "the hub was taken away")
	}
}

// attach adds a bus and tells twins of each other.
func (h *Hub) attach(m *Memory) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range h.buses {
		if other.o.Node == m.o.Node {
			other.tellTwin(m.in.instance)
			m.tellTwin(other.in.instance)
		}
	}
	h.buses = append(h.buses, m)
	m.setUp(!h.down && !h.cut[m.o.Node], "the hub was taken away")
}

func (h *Hub) detach(m *Memory) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buses = slices.DeleteFunc(h.buses, func(other *Memory) bool { return other == m })
}

// send delivers an encoded envelope to all who listen and counts them. A message that is
// dropped or late counts: its sender cannot know.
func (h *Hub) send(from *Memory, to Channel, kind Kind, encoded string) (receivers int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down || h.cut[from.o.Node] {
		return 0, ErrDown
	}
	for _, m := range h.buses {
		node := m.o.Node
		if h.cut[node] || h.groups[node] != h.groups[from.o.Node] || !m.listens(to) {
			continue
		}
		receivers++
		if m == from && to.kind != toNode {
			continue
		}
		var f Fault
		if h.fault != nil {
			f = h.fault(Flight{From: from.o.Node, To: node, Channel: to, Kind: kind})
		}
		if f.Drop {
			continue
		}
		for range 1 + f.Copies {
			if f.Delay > 0 {
				time.AfterFunc(f.Delay, func() { m.in.arrive(to.kind, encoded) })
				continue
			}
			m.in.arrive(to.kind, encoded)
		}
	}
	return receivers, nil
}

// inject delivers bytes to a node as they are, for tests of what is not an envelope.
func (h *Hub) inject(node string, encoded string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.buses {
		if m.o.Node == node {
			m.in.arrive(toNode, encoded)
		}
	}
}
