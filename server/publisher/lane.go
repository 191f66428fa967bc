package publisher

import (
	"slices"
	"sync"
	"time"
)

// Bounds of one request: the nodes take 1,000 lines, 10,000 devices and 16 MiB.
const (
	maxBatch        = 1000
	maxBatchDevices = 10_000
	maxBatchBytes   = 8 << 20
)

// lanes are the queues of all nodes.
type lanes struct {
	p *Publisher

	mu     sync.Mutex         // covers the following
	nodes  map[string][]*lane // Lanes each, made when first used
	closed bool
	work   sync.WaitGroup // their goroutines
}

// lane is a queue with one goroutine and at most one request.
type lane struct {
	node string
	wake chan struct{} // room for one: there is something to look at

	// Owned by lanes.mu.
	items  []*item
	since  time.Time // the first of items came
	closed bool      // ends when it is empty
}

// put queues an item for a node. It is false once the lanes are closed.
func (l *lanes) put(node string, it *item, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	all := l.nodes[node]
	if all == nil {
		for range l.p.o.Lanes {
			one := &lane{node: node, wake: make(chan struct{}, 1)}
			all = append(all, one)
			l.work.Go(func() { l.run(one) })
		}
		l.nodes[node] = all
	}
	one := all[it.hash%uint64(len(all))]
	if len(one.items) == 0 {
		one.since = now
	}
	one.items = append(one.items, it)
	one.poke()
	return true
}

func (one *lane) poke() {
	select {
	case one.wake <- struct{}{}:
	default:
	}
}

// spawn runs f beside the lanes. It is false once they are closed.
func (l *lanes) spawn(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.work.Go(f)
	return true
}

// keep ends the lanes of nodes that are not in t, once they are empty.
func (l *lanes) keep(t *table) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for node, all := range l.nodes {
		if t.find(node) == nil {
			l.endLocked(node, all)
		}
	}
}

// close ends all lanes, once they are empty.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for node, all := range l.nodes {
		l.endLocked(node, all)
	}
}

func (l *lanes) endLocked(node string, all []*lane) {
	delete(l.nodes, node)
	for _, one := range all {
		one.closed = true
		one.poke()
	}
}

// run delivers what comes, until the lane is closed and empty.
func (l *lanes) run(one *lane) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		batch, wait, end := l.take(one, time.Now())
		switch {
		case len(batch) > 0:
			l.p.deliver(batch, one.node)
		case end:
			return
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-one.wake:
			case <-timer.C:
			}
		default:
			<-one.wake
		}
	}
}

// take takes the next request's items. Without any it says how long to wait for them
// (0 is until woken), or that the lane has ended.
func (l *lanes) take(one *lane, now time.Time) (batch []*item, wait time.Duration, end bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(one.items) == 0 {
		return nil, 0, one.closed
	}
	o := &l.p.o
	if left := o.Linger - now.Sub(one.since); left > 0 && len(one.items) < o.Batch && !one.closed {
		return nil, left, false
	}
	n, bytes, devices := 0, 0, 0
	for _, it := range one.items {
		bytes += len(it.line)
		devices += it.count
		if n == o.Batch || n > 0 && (bytes > maxBatchBytes || devices > maxBatchDevices) {
			break
		}
		n++
	}
	batch = slices.Clone(one.items[:n])
	one.items = slices.Delete(one.items, 0, n)
	one.since = now
	return batch, 0, false
}
