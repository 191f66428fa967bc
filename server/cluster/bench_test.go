package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"roost/ring"
	"roost/server/testetcd"
)

// BenchmarkEventToSwap charges nothing to ns/op that is worth comparing: it is put,
// pointer, watch, rebuild and swap of a ring of 100 nodes, with 100 members whose
// weights change meanwhile. The stages are its result, as percentiles in
// microseconds; p99 of the whole should be under 10 ms.
func BenchmarkEventToSwap(b *testing.B) {
	const nodes = 100
	s := testetcd.Start(b)
	c := identified(b, s)
	m := &stageTimes{}
	o := fast
	o.Silence, o.Stages = 6*time.Second, m.add
	w := watching(b, c, o)
	list := make([]ring.Node, nodes)
	for i := range list {
		m := member(fmt.Sprint("n", i))
		text, _ := m.encode()
		put(b, c, c.keys.node(m.ID), text)
		list[i] = ring.Node{ID: m.ID, Addr: m.Addr, Zone: m.Zone, Weight: 1, Capacity: m.Capacity}
	}
	sees(b, w, "all members", func(v *View) bool { return len(v.Members) == nodes })
	r := routed(b, c, w, RouterOptions{Stages: m.add})
	v := c.Versions()
	now, err := ring.Build(1, list, ring.Options{})
	if err != nil {
		b.Fatal(err)
	}
	stored(b, v, now)
	p := must(b)(v.Activate(limit(b), 0, 1, tell))
	inForce(b, r, p)
	defer chatter(b, c, nodes)()
	m.reset()
	var answers []time.Duration
	for b.Loop() {
		n := list[int(now.Version())%nodes]
		n.Weight = 0.8 + float64(now.Version()%5)/10
		if now, err = now.Apply(now.Version()+1, ring.Change{Set: []ring.Node{n}}); err != nil {
			b.Fatal(err)
		}
		stored(b, v, now)
		begin := time.Now()
		p = must(b)(v.Activate(limit(b), p.Activation, now.Version(), tell))
		inForce(b, r, p)
		answers = append(answers, time.Since(begin))
		if now.Version()%16 == 0 {
			if _, err := v.Collect(limit(b), 8); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	for stage := range NumStages {
		report(b, stage.String(), m.of(stage))
	}
	report(b, "activate-to-swap", answers)
}

// chatter has the members publish a weight each, 100 a second in all, until the
// returned function is called.
func chatter(b *testing.B, c *Client, nodes int) func() {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for i := 0; pause(ctx, 10*time.Millisecond, nil); i++ {
			key := c.keys.weight(fmt.Sprint("n", i%nodes))
			if _, err := c.etcd.Put(ctx, key, fmt.Sprintf(`{"weight":%d}`, 9000+i%1000)); err != nil && ctx.Err() == nil {
				b.Error(err)
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// stageTimes collects how long stages took.
type stageTimes struct {
	mu sync.Mutex
	d  [NumStages][]time.Duration
}

func (m *stageTimes) add(s Stage, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.d[s] = append(m.d[s], d)
}

func (m *stageTimes) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.d = [NumStages][]time.Duration{}
}

func (m *stageTimes) of(s Stage) []time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.d[s])
}

func report(b *testing.B, name string, d []time.Duration) {
	if len(d) == 0 {
		return
	}
	slices.Sort(d)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(d[min(len(d)*p/100, len(d)-1)])/1e3, fmt.Sprintf("%s-p%d-us", name, p))
	}
}

// BenchmarkView is what a weight costs in a view of 1,000 members: the map that
// changes is copied.
func BenchmarkView(b *testing.B) {
	k, _ := newKeys("")
	v := &View{Members: map[string]Member{}, Weights: map[string]Weight{}}
	for i := range 1000 {
		id := fmt.Sprint("n", i)
		v.Members[id], v.Weights[id] = member(id), Weight{Value: 1}
	}
	b.ReportAllocs()
	for b.Loop() {
		d := from(v, k)
		d.Weights = own(d, copyWeights, d.Weights)
		d.Weights["n1"] = Weight{Value: 2}
	}
}
