package mesh

import (
	"slices"
	"sync"
	"time"

	"roost/server/fanout"
)

// debts are the nodes that have to look at everything, because something that they should have been told
// was not sent. They are told until the bus says that they have it, or they are no members any more: who begins
// looks at everything anyway.
type debts struct {
	// Static after init.
	m *Mesh

	mu     sync.Mutex      // covers the following
	nodes  map[string]bool // "" is all; true while a message is under way. Bounded by members
	timer  *time.Timer
	wait   time.Duration
	closed bool
}

const (
	// Debts are paid after debtFirst, and then after twice as long each time, up to debtLast.
	debtFirst = 100 * time.Millisecond
	debtLast  = 5 * time.Second
	// maxDebts bounds the nodes: above it all are told.
	maxDebts = 1024
)

func (d *debts) init(m *Mesh) { d.m, d.nodes = m, map[string]bool{} }

// owe notes a node; "" is all.
func (d *debts) owe(node string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	if len(d.nodes) >= maxDebts {
		node = ""
	}
	_, known := d.nodes[node]
	// Also of one that is known: what is under way may be read before what made this
	// debt is stored.
	d.nodes[node] = false
	if known {
		return
	}
	if d.timer != nil {
		d.timer.Stop() // one that fires already pays early
	}
	d.wait = debtFirst
	d.timer = time.AfterFunc(d.wait, d.pay)
}

// pay tells all that are owed.
func (d *debts) pay() {
	for _, node := range d.due() {
		to := fanout.ToNode(node)
		if node == "" {
			to = fanout.ToAll()
		}
		l := write(fanout.KindNotice)
		d.m.post(to, &l.e, func(n int, err error) {
			d.m.taken(n, err)
			d.paid(node, err == nil && (n > 0 || node == ""))
		})
		l.done()
	}
}

// due takes those that are to be told now, and forgets nodes that are no members.
func (d *debts) due() (owed []string) {
	d.mu.Lock()
	for node, away := range d.nodes {
		if !away {
			owed = append(owed, node)
		}
	}
	d.mu.Unlock()
	gone := map[string]bool{}
	for _, node := range owed {
		gone[node] = node != "" && !d.m.member(node)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, node := range owed {
		if gone[node] {
			delete(d.nodes, node)
		} else {
			d.nodes[node] = true
		}
	}
	d.timer = nil
	d.again()
	return slices.DeleteFunc(owed, func(node string) bool { return gone[node] })
}

// paid strikes a debt out, unless there is a new one since.
func (d *debts) paid(node string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if away, known := d.nodes[node]; known && away {
		if ok {
			delete(d.nodes, node)
		} else {
			d.nodes[node] = false
		}
	}
	d.again()
}

// again sets the timer if something is owed. d.mu is held.
func (d *debts) again() {
	if len(d.nodes) == 0 || d.closed || d.timer != nil {
		return
	}
	d.wait = min(2*d.wait, debtLast)
	d.timer = time.AfterFunc(d.wait, d.pay)
}

func (d *debts) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.nodes)
}

func (d *debts) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.timer != nil {
		d.timer.Stop()
	}
}
