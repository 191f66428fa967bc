package publisher

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Pauses after all nodes have failed.
const (
	firstPause = 50 * time.Millisecond
	longPause  = time.Second
)

// deliver posts items, first to node, until each has a result. It ends by the last
// deadline, and an Attempt after it at the latest.
func (p *Publisher) deliver(items []*item, node string) {
	pause := firstPause
	for round := 0; len(items) > 0; round++ {
		now := time.Now()
		if items = p.timely(items, now); len(items) == 0 {
			return
		}
		var seen map[string]bool
		if round > 0 && p.o.Choose == AfterFailure {
			seen = p.look(items)
		}
		groups, none := p.group(items, node, seen, now)
		node = ""
		if len(groups) == 0 {
			p.pause(items, pause)
			pause = min(2*pause, longPause)
			continue
		}
		again := p.postAll(groups)
		p.stats.repeats.Add(uint64(len(again)))
		items = append(again, none...)
	}
}

// timely gives those their results who get none any more, and returns the others.
func (p *Publisher) timely(items []*item, now time.Time) []*item {
	rest := items[:0]
	for _, it := range items {
		switch {
		case p.ctx.Err() != nil, !now.Before(it.deadline):
			p.fail(it, p.ended(it))
		case it.call.gone():
			p.settle(it, nil)
		default:
			rest = append(rest, it)
		}
	}
	return rest
}

// ended is why an item is given up.
func (p *Publisher) ended(it *item) error {
	err := ErrLate
	if p.ctx.Err() != nil {
		err = ErrClosed
	}
	if it.last != nil {
		return fmt.Errorf("%w: %w", err, it.last)
	}
	return err
}

// fail gives an item an error for a result.
func (p *Publisher) fail(it *item, err error) {
	p.stats.failed.Add(1)
	p.settle(it, []Result{{Err: err, Tried: it.tried}})
}

// settle gives an item its results, nil if nobody waits, and its room back.
func (p *Publisher) settle(it *item, rs []Result) {
	if rs != nil {
		it.call.finish(it, rs)
	}
	p.room.give(it.cost)
}

// group is what one request carries.
type group struct {
	node  *Node
	items []*item
}

// group divides items by the node that gets them: the one named, if it is well, else
// what the chooser says. none are those for which no node is left.
func (p *Publisher) group(items []*item, node string, seen map[string]bool, now time.Time) (groups []group, none []*item) {
	t := p.table.Load()
	first := t.find(node)
	if first != nil && !p.health.well(node, now) {
		first = nil
	}
	for _, it := range items {
		n := first
		if n == nil {
			n = p.choose.next(t, it.hash, it.failed, seen, now)
		}
		if n == nil {
			none = append(none, it)
			continue
		}
		at := -1
		for i := range groups {
			if groups[i].node.ID == n.ID {
				at = i
			}
		}
		if at < 0 {
			at = len(groups)
			groups = append(groups, group{node: n})
		}
		groups[at].items = append(groups[at].items, it)
	}
	return groups, none
}

// postAll posts groups, side by side, and returns the items that have no result.
func (p *Publisher) postAll(groups []group) (again []*item) {
	if len(groups) == 1 {
		return p.post(groups[0].node, groups[0].items)
	}
	left := make([][]*item, len(groups))
	var all sync.WaitGroup
	for i, g := range groups {
		all.Go(func() { left[i] = p.post(g.node, g.items) })
	}
	all.Wait()
	for _, items := range left {
		again = append(again, items...)
	}
	return again
}

// pause waits after all nodes have failed, half to all of d, but not beyond the first
// deadline, and forgets which have failed.
func (p *Publisher) pause(items []*item, d time.Duration) {
	d = d/2 + rand.N(d/2+1)
	for _, it := range items {
		it.failed = it.failed[:0]
		d = min(d, time.Until(it.deadline))
	}
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}
