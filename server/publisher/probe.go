package publisher

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// maxProbes is how many nodes are asked for a sign of life at once.
const maxProbes = 32

// probeAll measures the round-trip times that are older than Freshness allows, and
// waits for them until the next poll is due.
func (p *Publisher) probeAll(now time.Time) {
	ctx, cancel := context.WithTimeout(p.ctx, min(p.o.Connect, p.o.Poll))
	defer cancel()
	stale := p.health.stale(p.table.Load().nodes, p.o.Freshness*9/10, now)
	answers := p.probe(ctx, stale)
	for range stale {
		<-answers
	}
}

// look measures round-trip times after a failure, of the nodes that items have not
// failed at, and returns who answered: until all have, or twice as long as the first
// took (and 1 ms), so that a node that hangs holds nothing up.
func (p *Publisher) look(items []*item) (seen map[string]bool) {
	var ask []Node
	for _, n := range p.table.Load().nodes {
		if slices.ContainsFunc(items, func(it *item) bool { return !slices.Contains(it.failed, n.ID) }) {
			ask = append(ask, n)
		}
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.o.Connect)
	defer cancel()
	begin := time.Now()
	answers := p.probe(ctx, ask)
	seen = map[string]bool{}
	var enough <-chan time.Time
	for range ask {
		select {
		case id := <-answers:
			if id == "" {
				continue
			}
			seen[id] = true
			if enough == nil {
				timer := time.NewTimer(time.Since(begin) + time.Millisecond)
				defer timer.Stop()
				enough = timer.C
			}
		case <-enough:
			return seen // cancel ends the others; that is not held against them
		}
	}
	return seen
}

// probe asks nodes for a sign of life, maxProbes at once. The channel has room for one
// value of each: its id, or nothing if no answer came.
func (p *Publisher) probe(ctx context.Context, nodes []Node) <-chan string {
	answers := make(chan string, len(nodes))
	work := make(chan Node, len(nodes))
	for _, n := range nodes {
		work <- n
	}
	close(work)
	for range min(len(nodes), maxProbes) {
		p.lanes.work.Go(func() {
			for n := range work {
				if !p.probeOne(ctx, n) {
					n.ID = ""
				}
				answers <- n.ID
			}
		})
	}
	return answers
}

// probeOne asks one node. Whether it may take devices is no matter: any answer is a
// sign of life.
func (p *Publisher) probeOne(ctx context.Context, n Node) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.API+"/healthz", nil)
	if err != nil {
		return false
	}
	begin := time.Now()
	resp, err := p.polls.Do(req)
	now := time.Now()
	if err != nil {
		if ctx.Err() != context.Canceled {
			p.health.failed(n.ID, now)
		}
		return false
	}
	drain(resp.Body)
	p.health.measured(n.ID, now.Sub(begin), now)
	return true
}
