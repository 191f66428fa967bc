package member

import (
	"errors"
	"slices"
	"sync"
	"time"

	"roost/server/admission"
	"roost/server/cluster"
)

// peers is what the weights of a view say, read once each.
type peers struct {
	mu     sync.Mutex // covers the following
	began  bool
	latest map[string]*peer
}

// peer is what a node has said last. It never changes.
type peer struct {
	revision int64
	value    float64
	said     cluster.Inputs
	seen     time.Time     // when it came, by this node's clock
	ahead    time.Duration // this node's clock less the peer's, the time on the way included
	fresh    bool          // it was seen to come: ahead means something
}

// update takes a view, at now. The error says which inputs cannot be read; what else
// those weights say counts.
func (p *peers) update(v *cluster.View, now time.Time) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make(map[string]*peer, len(v.Weights))
	for id, w := range v.Weights {
		if old := p.latest[id]; old != nil && old.revision == w.Revision {
			next[id] = old
			continue
		}
		said, bad := w.Said()
		err = errors.Join(err, bad)
		next[id] = &peer{revision: w.Revision, value: w.Value, said: said, seen: now, ahead: now.Sub(w.At), fresh: p.began}
	}
	p.latest, p.began = next, v.Revision > 0
	return err
}

// get returns what a node has said last, nil if nothing.
func (p *peers) get(id string) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest[id]
}

// accept returns how many connects a second a node says that it can take.
func (p *peers) accept(id string) float64 {
	if x := p.get(id); x != nil && x.said.Accept > 0 {
		return min(max(x.said.Accept, admission.LeastBudget), admission.MostBudget)
	}
	return admission.UsualBudget
}

// skew returns by how much this node's clock is ahead of the cluster's, the median of
// all that were heard lately, this one's included. known is false if nobody was.
func (p *peers) skew(self string, now time.Time) (ahead time.Duration, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []time.Duration{0}
	for id, x := range p.latest {
		if id != self && x.fresh && now.Sub(x.seen) < skewFor {
			all = append(all, x.ahead)
		}
	}
	if len(all) == 1 {
		return 0, false
	}
	slices.Sort(all)
	return all[len(all)/2], true
}

// skewFor is how long it counts what a weight's time said of a clock.
const skewFor = time.Minute
