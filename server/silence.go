package server

import (
	"sync"

	"roost/server/inbox"
)

// silence is the nodes that do not listen on the bus, as far as this node has noticed: nobody is sent there. A node that was
// killed is a member for as long as its lease lasts, 10 s; that nobody listens on its channel is known as soon as the first of its
// devices has come here. It is asked again each second, and forgotten when it listens, or is no member any more.
type silence struct {
	mu    sync.Mutex // covers the following
	nodes map[string]bool
}

// is reports whether a node does not listen.
func (s *silence) is(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[node]
}

// with appends the nodes that do not listen.
func (s *silence) with(nodes ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.nodes {
		nodes = append(nodes, n)
	}
	return nodes
}

// heard takes note of whether a node listens.
func (s *silence) heard(node string, listens bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if listens {
		delete(s.nodes, node)
		return
	}
	if s.nodes == nil {
		s.nodes = map[string]bool{}
	}
	s.nodes[node] = true
}

// tell tells the node that had a device that it is here now, and notices whether it listens.
func (k *clustered) tell(node string, n *inbox.Notice) {
	k.mesh.Moved(node, n, func(listens bool) { k.silence.heard(node, listens) })
}

// askSilent asks the silent nodes again.
func (k *clustered) askSilent() {
	members := k.opt.Members.View().Members
	for _, node := range k.silence.with() {
		if _, is := members[node]; !is {
			k.silence.heard(node, true)
			continue
		}
		k.tell(node, &inbox.Notice{})
	}
}
