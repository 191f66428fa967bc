package publisher

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestStorm: while nodes refuse, cut connections before and after they have stored, answer
// errors and come back, and rings change, every kept message gets a result and is
// stored exactly once; live ones come at most once.
func TestStorm(t *testing.T) {
	ways := []Choose{ByRing, Any, BeforePush, AfterFailure}
	if testing.Short() {
		ways = ways[:1]
	}
	for _, choose := range ways {
		t.Run(choose.String(), func(t *testing.T) { storm(t, choose) })
	}
}

func storm(t *testing.T, choose Choose) {
	c := newCluster(t, 4)
	p := start(t, c, func(o *Options) {
		o.Choose, o.Timeout, o.Attempt, o.Batch = choose, bound, 500*time.Millisecond, 20
	})
	ctx, stop := context.WithCancel(context.Background())
	var hurt sync.WaitGroup
	hurt.Go(func() { c.hurt(ctx, rand.New(rand.NewPCG(8, uint64(choose)))) })
	const writers, each = 6, 150
	var all sync.WaitGroup
	var mu sync.Mutex
	live := map[string]int{} // results of live messages, by outcome
	for w := range writers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(w)))
			for i := range each {
				m := Message{Device: fmt.Sprint("d", r.IntN(40)), Payload: json1(i)}
				if i%10 == 0 {
					m.Device, m.Topic = "", "t"
				}
				rs, err := p.Publish(context.Background(), m)
				switch {
				case m.Topic != "":
					mu.Lock()
					live[rs[0].Status]++
					mu.Unlock()
				case err != nil:
					t.Errorf("message %d of %d: %v", i, w, err)
				case rs[0].Seq == 0 || !rs[0].Stored():
					t.Errorf("message %d of %d: %+v", i, w, rs[0])
				}
			}
		})
	}
	all.Wait()
	stop()
	hurt.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	stored, topics := 0, 0
	for _, n := range c.stored {
		stored += n
	}
	for _, l := range c.arrived {
		if l.Topic != "" {
			topics++
		}
	}
	const kept, casts = writers * each * 9 / 10, writers * each / 10
	if stored != kept || len(c.kept) != kept {
		t.Errorf("%d messages stored under %d ids, %d were published", stored, len(c.kept), kept)
	}
	if topics > casts || live["written"] > topics || live["written"]+live[""] != casts {
		t.Errorf("%d live messages were published, %d arrived: %v", casts, topics, live)
	}
	s := p.Stats()
	if s.Repeats == 0 || s.Messages != kept+casts || s.Answered+s.Failed != s.Messages {
		t.Errorf("%+v", s)
	}
	t.Logf("%d repeats in %d requests, %d swaps, live %v", s.Repeats, s.Requests, s.Swaps, live)
}

// hurt changes what nodes do, and the ring, until ctx ends; then all are well.
func (c *cluster) hurt(ctx context.Context, r *rand.Rand) {
	ways := []func(n *node){
		func(n *node) { n.before, n.after = nil, nil },
		func(n *node) { n.before, n.after = unavailable("0"), nil },
		func(n *node) { n.before, n.after = cut, nil },
		func(n *node) { n.before, n.after = nil, cut },
		func(n *node) {
			n.before, n.after = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusInternalServerError)
				return true
			}, nil
		},
	}
	for version := uint64(2); ctx.Err() == nil; version++ {
		n := c.nodes[r.IntN(len(c.nodes))]
		n.set(ways[r.IntN(len(ways))])
		if version%8 == 0 {
			c.activate(int64(version), c.put(version, c.nodes[:2+r.IntN(3)]...))
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	for _, n := range c.nodes {
		n.set(ways[0])
	}
}
