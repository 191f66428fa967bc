package couplings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"roost/ring"
	"roost/ring/snapshot"
	"roost/server/publisher"
)

// delays are how long the servers take for an answer: a network on loopback.
var delays = []time.Duration{time.Millisecond, time.Millisecond, 5 * time.Millisecond, 5 * time.Millisecond, 40 * time.Millisecond, 40 * time.Millisecond}

// phase is what the servers do for a time.
type phase struct {
	Name string
	Node int
	How  fault
}

// phases follow each other, each for a part of the run.
var phases = []phase{
	{"all well", 0, well},
	{"a near one refuses", 0, refuse},
	{"all well again", 0, well},
	{"a near one hangs", 1, hang},
	{"all well at the end", 0, well},
}

// attempt is how long a publisher waits for an answer.
const attempt = 500 * time.Millisecond

// SocketOutcome is what a publisher did in one phase.
type SocketOutcome struct {
	Choose string  `json:"choose"`
	Phase  string  `json:"phase"`
	Pushes int     `json:"pushes"`
	Failed int     `json:"failed"` // without a result within 10 s
	P50    float64 `json:"p50_ms"` // from when it was due to its result
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
	Tries  float64 `json:"tries"`
}

// fixed is the Source of a ring that does not change.
type fixed struct {
	answer publisher.Answer
	bytes  []byte
}

// Active returns the ring.
func (f *fixed) Active(_ context.Context, tag string) (*publisher.Answer, error) {
	if tag != "" {
		return nil, publisher.ErrUnchanged
	}
	a := f.answer
	a.Tag = "fixed"
	return &a, nil
}

// Snapshot returns its bytes.
func (f *fixed) Snapshot(context.Context, uint64) ([]byte, error) { return f.bytes, nil }

// ringOf makes the source of a ring of servers, all alike.
func ringOf(servers []*server) (*fixed, error) {
	f := &fixed{}
	var nodes []ring.Node
	for _, s := range servers {
		nodes = append(nodes, ring.Node{ID: s.id, Weight: 1})
		f.answer.Nodes = append(f.answer.Nodes, publisher.Node{ID: s.id, API: "http://" + s.addr, Weight: 1})
	}
	r, err := ring.Build(1, nodes, ring.Options{})
	if err == nil {
		f.bytes, err = snapshot.Of(r).Encode()
	}
	f.answer.Pointer = publisher.Pointer{Activation: 1, Stable: 1, StableHash: publisher.Hash(snapshot.ContentHash(f.bytes))}
	return f, err
}

// sockets runs a publisher through all phases.
func sockets(ctx context.Context, choose publisher.Choose, rate float64, each time.Duration) (list []SocketOutcome, err error) {
	var servers []*server
	defer func() {
		for _, s := range servers {
			s.close()
		}
	}()
	for i, d := range delays {
		s, err := newServer(nodeID(i), d)
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	source, err := ringOf(servers)
	if err != nil {
		return nil, err
	}
	p, err := publisher.New(publisher.Options{Source: source, Choose: choose, RTT: halves10, Attempt: attempt, Connect: attempt, Poll: freshness})
	if err != nil {
		return nil, err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		err = errors.Join(err, p.Close(end))
	}()
	if err := p.Ready(ctx); err != nil {
		return nil, err
	}
	pause(ctx, freshness/2) // the first round-trip times
	for _, ph := range phases {
		for i, s := range servers {
			f := well
			if i == ph.Node {
				f = ph.How
			}
			if err := s.set(f); err != nil {
				return nil, err
			}
		}
		o, err := drive(ctx, p, rate, each)
		if err != nil {
			return nil, err
		}
		o.Choose, o.Phase = choose.String(), ph.Name
		list = append(list, o)
	}
	return list, nil
}

// drive publishes at a rate, whatever becomes of the messages before, and waits for all
// results.
func drive(ctx context.Context, p *publisher.Publisher, rate float64, length time.Duration) (SocketOutcome, error) {
	var o SocketOutcome
	var mu sync.Mutex
	var took []float64
	var tries int
	var all sync.WaitGroup
	begin := time.Now()
	for n := 0; ; n++ {
		due := begin.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if due.Sub(begin) >= length {
			break
		}
		if !pause(ctx, time.Until(due)) {
			return o, ctx.Err()
		}
		all.Add(1)
		err := p.Send(ctx, publisher.Message{Device: "device-" + strconv.Itoa(n), Payload: []byte(`{"open":true}`)}, func(r publisher.Result) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			tries += r.Tried
			if r.Err != nil {
				o.Failed++
				return
			}
			took = append(took, float64(time.Since(due))/1e6)
		})
		if err != nil {
			return o, fmt.Errorf("publish: %w", err)
		}
		o.Pushes++
	}
	all.Wait()
	slices.Sort(took)
	o.P50, o.P99, o.Max = quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1)
	o.Tries = float64(tries) / float64(max(1, o.Pushes))
	return o, nil
}
