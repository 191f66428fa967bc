package mesh

import "roost/server/inbox"

// Moved tells the node that had a device that it is connected here: n is of its session
// here. Without a device it asks the node to sweep, which shows whether it is there. It is not about where devices belong,
// and not counted for a trial. listens is told, once, from any goroutine and perhaps before Moved
// returns, whether a node took it, and true where the bus cannot say; it must not block.
func (m *Mesh) Moved(node string, n *inbox.Notice, listens func(bool)) {
	m.notify(node, n, nil, 0, func(s Status) { listens(s != StatusOffline) })
}
