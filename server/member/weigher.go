package member

import (
	"encoding/json"
	"math"
	"time"

	"roost/decay"
	"roost/server/cluster"
)

// weigher makes this node's weight of the samples of all. It belongs to one goroutine.
type weigher struct {
	// Static after newWeigher.
	self string
	unit float64 // devices that a capacity of 1 stands for
	p    *decay.Pipeline
	c    *decay.Controller

	nodes map[string]*weighed
	begin float64 // what this node's weight begins with, over its capacity; 0: with that
}

// weighed is a node in the pipeline.
type weighed struct {
	node     decay.Node
	start    int64 // of its process
	capacity float64
	revision int64 // of what it has said last
	gone     bool
}

// newWeigher returns a weigher without nodes, or what is wrong with the settings.
func newWeigher(self string, set decay.Settings, control decay.ControlSettings) (*weigher, error) {
	p, err := decay.NewPipeline(set)
	if err != nil {
		return nil, err
	}
	c, err := decay.NewController(p, control)
	if err != nil {
		return nil, err
	}
	// Levels of connections are compared per capacity: the number that fills a node of
	// capacity 1 is what capacities in devices are divided by.
	return &weigher{self: self, unit: p.Settings().Signals[decay.Connections].Scale, p: p, c: c, nodes: map[string]*weighed{}}, nil
}

// standing is what a weigher is told of one node.
type standing struct {
	id       string
	start    int64
	capacity float64 // devices
	revision int64   // of sample: the same one counts once
	sample   decay.Sample
	sampled  bool
}

// step takes all nodes that count, this one among them, and returns its weight in devices.
// now is since an origin, on a monotonic clock. held is that it stays as it is.
func (w *weigher) step(now time.Duration, all []standing, held bool) (devices float64, err error) {
	for _, k := range w.nodes {
		k.gone = true
	}
	for i := range all {
		if err := w.take(now, &all[i]); err != nil {
			return 0, err
		}
	}
	for id, k := range w.nodes {
		if k.gone {
			if err := w.p.Remove(k.node); err != nil {
				return 0, err
			}
			delete(w.nodes, id)
		}
	}
	// How many connect in the whole cluster is not said, so no storm is recognised:
	// the live weights that are used move no more than their budget anyway.
	w.c.HoldLive(held)
	w.c.Update(now, math.NaN())
	if own := w.nodes[w.self]; w.begin > 0 && w.c.SetLive(own.node, w.begin*own.capacity) {
		w.begin = 0
	}
	return w.c.LiveWeight(w.nodes[w.self].node) * w.unit, nil
}

// take puts in what is known of one node.
func (w *weigher) take(now time.Duration, s *standing) (err error) {
	k, capacity := w.nodes[s.id], min(max(s.capacity/w.unit, 1e-6), 1e6)
	switch {
	case k == nil:
		k = &weighed{start: s.start, capacity: capacity}
		if k.node, err = w.p.Add(now, s.id, capacity); err != nil {
			return err
		}
		w.nodes[s.id] = k
	case k.start != s.start:
		k.start = s.start
		if err = w.p.Rejoin(now, k.node); err != nil {
			return err
		}
	}
	k.gone = false
	if k.capacity != capacity {
		k.capacity = capacity
		if err = w.p.SetCapacity(k.node, capacity); err != nil {
			return err
		}
	}
	if s.sampled && s.revision != k.revision {
		k.revision = s.revision
		return w.p.Put(k.node, s.sample)
	}
	return nil
}

// explained is the JSON of cluster.Inputs.Explanation.
type explained struct {
	Text   string  `json:"text"`   // decay's line; its weight is that for new placements
	Live   float64 `json:"live"`   // devices, as decay has it
	Factor float64 `json:"factor"` // of maintenance nights
	Why    string  `json:"why,omitempty"`
}

// explain says how the weight of the last step came about.
func (w *weigher) explain(live, factor float64, why string) json.RawMessage {
	var e decay.Explanation
	w.p.Explain(w.nodes[w.self].node, &e)
	b, err := json.Marshal(explained{e.String(), live, factor, why})
	if err != nil {
		return nil // a number that JSON has not; the weight goes without
	}
	return b
}

// others returns what is known of the members besides self that have weight.
func others(v *cluster.View, p *peers, self string, unit float64, at func(seen time.Time) time.Duration) []standing {
	list := make([]standing, 0, len(v.Members)+1)
	for id, m := range v.Members {
		x := p.get(id)
		if id == self || x != nil && x.value == 0 {
			continue // one that is being emptied would make the others look full
		}
		s := standing{id: id, start: m.Start, capacity: m.Capacity}
		if s.capacity == 0 {
			s.capacity = unit
		}
		if x != nil {
			s.revision, s.sample, s.sampled = x.revision, sampleOf(&x.said), true
			s.sample.At = at(x.seen)
		}
		list = append(list, s)
	}
	return list
}

// sampleOf reads a sample of what a node has said.
func sampleOf(in *cluster.Inputs) decay.Sample {
	s := decay.Sample{CPU: math.NaN(), Latency: math.NaN(), Connections: math.NaN(), Backlog: math.NaN(), LoopLag: math.NaN()}
	if in.Connections != nil {
		s.Connections = float64(*in.Connections)
	}
	if l := in.Load; l != nil {
		for _, f := range []struct {
			to   *float64
			from *float64
		}{{&s.CPU, l.CPU}, {&s.Latency, l.Latency}, {&s.Backlog, l.Backlog}, {&s.LoopLag, l.LoopLag}} {
			if f.from != nil {
				*f.to = *f.from
			}
		}
	}
	return s
}
