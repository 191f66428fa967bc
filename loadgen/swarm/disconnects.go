package swarm

import (
	"roost/loadgen/plan"
	"roost/loadgen/scenario"
)

// disconnects are the connections that a storm or a drain ends, in order.
type disconnects struct {
	clients []uint32 // of this worker
	places  []uint32 // of them among those of all workers; nil: their own order
	all     int      // how many all workers end; without places: this one
	next    int
	over    int64
	how     scenario.Close
	by      intent
}

// newStorm chooses whom a storm ends, of n clients that are meant to be
// connected: the same for any number of workers. It walks all that are chosen,
// 18 ns each. Who has no connection then keeps none.
func (w *Worker) newStorm(s *scenario.Storm, n uint32, phase int) disconnects {
	order, count := plan.Cut(int(n), s.Share, plan.Seed(w.s.Seed, uint64(phase), seedStorm))
	c := disconnects{all: count, over: int64(s.Over), how: s.How, by: byStorm}
	for k := range count {
		if i, own := w.local(order.At(uint64(k))); own {
			c.clients, c.places = append(c.clients, i), append(c.places, uint32(k))
		}
	}
	return c
}

// disconnectBudget is how many connections are ended in one turn.
const disconnectBudget = 512

// chooseDisconnects chooses whom a drain ends: of those that are there.
func (w *Worker) chooseDisconnects(p *phase) {
	d := p.spec.Drain
	if d == nil {
		return
	}
	c := disconnects{over: int64(d.Over), how: d.How, by: byDrain}
	for i := range w.clients {
		if w.global(uint32(i)) >= w.wanted && w.clients[i].state != idle {
			c.clients = append(c.clients, uint32(i))
		}
	}
	c.all = len(c.clients)
	p.disconnects = c
}

// disconnectDue ends what is due to be ended.
func (w *Worker) disconnectDue(now int64) {
	p := w.phase
	c := &p.disconnects
	for range disconnectBudget {
		if w.disconnectsDone(p) || c.dueAt(p.begin) > now {
			return
		}
		i := c.clients[c.next]
		c.next++
		if v := &w.clients[i]; c.by == byDrain && v.state == away {
			w.setState(v, idle)
			w.eachAccount(i, func(_ *stream, a *account, _ uint32, _ subject) { a.drop() })
		}
		w.end(i, c.how, c.by)
	}
}

// dueAt returns when the next one is due.
func (c *disconnects) dueAt(begin int64) int64 {
	place := uint32(c.next)
	if c.places != nil {
		place = c.places[c.next]
	}
	return begin + int64(float64(c.over)*float64(place)/float64(c.all))
}

// disconnectsDone reports whether nobody is left to be ended.
func (w *Worker) disconnectsDone(p *phase) bool {
	c := &p.disconnects
	return c.next >= len(c.clients) || c.dueAt(p.begin) >= p.end
}

// churnDue ends connections and dials others in their place.
func (w *Worker) churnDue(now int64) {
	p := w.phase
	if p.churn == nil {
		return
	}
	for range disconnectBudget {
		at, ok := p.churn.next(p.begin, p.end)
		if !ok || at > now {
			return
		}
		n := p.churn.n
		p.churn.pass()
		if n%uint32(w.cfg.Workers) != uint32(w.cfg.Worker) {
			continue
		}
		if i, ok := w.anyReady(); ok {
			w.end(i, p.spec.Churn.How, byChurn)
		} else {
			w.rec.counts(0).HeldDials++
		}
	}
}

func (w *Worker) churnDone(p *phase) bool {
	if p.churn == nil {
		return true
	}
	_, ok := p.churn.next(p.begin, p.end)
	return !ok
}

// anyReady picks a connected client, each with the same chance as long as most
// are connected.
func (w *Worker) anyReady() (i uint32, ok bool) {
	if w.level.connected.Load() == 0 {
		return 0, false
	}
	i = uint32(w.rng.IntN(int(w.count)))
	for range 64 {
		if w.clients[i].state == ready {
			return i, true
		}
		i = uint32(w.rng.IntN(int(w.count)))
	}
	for range w.count {
		if w.clients[i].state == ready {
			return i, true
		}
		i = (i + 1) % w.count
	}
	return 0, false
}
