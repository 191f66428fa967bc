package server

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"roost/server/client"
	"roost/server/wire"
)

// storm is a cluster that loses nodes, in virtual time: devices are sessions of the reference client, and what
// nodes do about connects is the product's own gate and windows.
type storm struct {
	nodes   int
	budget  float64 // connects a second of each
	devices int
	die     int           // nodes that are killed, with their share of the devices
	revive  int           // of those, that are there again
	after   time.Duration // that
	blind   time.Duration // so long nobody is found though some are there: whoever stands before the nodes thinks them gone

	// What came of it.
	lost   int
	back   []time.Duration // since the kill, in order
	dials  []time.Duration // that a node took, in order
	passed []time.Duration // of those, that it admitted
}

// wake is when a device does something.
type wake struct {
	at     time.Duration
	device int
}

type wakes []wake

func (w wakes) Len() int           { return len(w) }
func (w wakes) Less(i, k int) bool { return w[i].at < w[k].at }
func (w wakes) Swap(i, k int)      { w[i], w[k] = w[k], w[i] }
func (w *wakes) Push(x any)        { *w = append(*w, x.(wake)) }
func (w *wakes) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}

func (s *storm) run(t *testing.T) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	crowd := crowd{devices: s.devices, budget: s.budget * float64(s.nodes), largest: s.budget}
	each := s.devices / s.nodes
	s.lost = each * s.die
	w := wire.Welcome{SID: []byte("0123456789abcdef"), Epoch: "e", Win: 32, Heartbeat: 55_000, Back: wire.Back{Base: 1_000, Max: 120_000},
		Spread: spreadAmong(each, s.devices-each, s.nodes-1, s.budget*float64(s.nodes-1)), Wide: int(crowd.window() / time.Millisecond)}
	welcome := wire.AppendWelcome(nil, wire.JSON, &w)
	var d wire.Down
	var queue wakes
	sessions := make([]client.Session, s.lost)
	for i := range sessions {
		v := &sessions[i]
		v.Init(fmt.Sprintf("dev-%06d", i), wire.JSON, client.Saved{}, rng.Uint64())
		c := v.Begin()
		if e := v.OnMessage(c, 0, welcome, &d); e.Kind != client.Welcome {
			t.Fatalf("%+v", e)
		}
		noticed := time.Duration(rng.IntN(100)) * time.Millisecond
		queue = append(queue, wake{noticed + v.OnLost(c, noticed).After, i})
	}
	heap.Init(&queue)
	gates := make([]gate, s.nodes)
	for len(queue) > 0 {
		k := heap.Pop(&queue).(wake)
		v := &sessions[k.device]
		there := s.nodes - s.die
		if k.at >= s.after {
			there += s.revive
		}
		c := v.Begin()
		if there == 0 || k.at < s.blind {
			heap.Push(&queue, wake{k.at + v.OnDialRefused(c, k.at).After, k.device})
			continue
		}
		s.dials = append(s.dials, k.at)
		after, ok := gates[rng.IntN(there)].admit(k.at, s.budget, false, uint64(k.device+1))
		if !ok {
			heap.Push(&queue, wake{k.at + v.OnDialFailed(c, k.at, time.Duration(after)*time.Second).After, k.device})
			continue
		}
		s.passed = append(s.passed, k.at)
		s.back = append(s.back, k.at)
	}
}

// peak is the most within a second of times in order.
func peak(at []time.Duration) (most int) {
	first := 0
	for last := range at {
		for at[last]-at[first] >= time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// TestPureStorms: where a node dies, or half of them with not too many, and where all die and some come back, no second has more dials than the nodes that are
// there say that they take, nobody being refused but a few; where more die, no more than that and the burst
// is admitted. 99 % are back within 10 s, or within what the budget takes for them.
func TestPureStorms(t *testing.T) {
	for name, tt := range map[string]struct {
		storm
		within time.Duration // 99 %, from when somebody is there
		more   bool
	}{
		"one of three, 5,000 devices":           {storm{nodes: 3, budget: 1_800, devices: 15_000, die: 1}, 3 * time.Second, false},
		"one of three, none is seen for 0.3 s":  {storm{nodes: 3, budget: 1_800, devices: 15_000, die: 1, blind: 300 * time.Millisecond}, 6 * time.Second, false},
		"one of three, 10,000 devices":          {storm{nodes: 3, budget: 1_800, devices: 30_000, die: 1}, 5 * time.Second, false},
		"all, two back after 1 s":               {storm{nodes: 3, budget: 1_800, devices: 10_000, die: 3, revive: 2, after: time.Second}, 10 * time.Second, true},
		"all, two back after 2 s":               {storm{nodes: 3, budget: 1_800, devices: 10_000, die: 3, revive: 2, after: 2 * time.Second}, 10 * time.Second, false},
		"all, two back after 5 s":               {storm{nodes: 3, budget: 1_800, devices: 10_000, die: 3, revive: 2, after: 5 * time.Second}, 10 * time.Second, false},
		"all, two back after a minute":          {storm{nodes: 3, budget: 1_800, devices: 10_000, die: 3, revive: 2, after: time.Minute}, 2 * time.Minute, false},
		"all of ten, nine back, 200,000":        {storm{nodes: 10, budget: 2_000, devices: 200_000, die: 10, revive: 9, after: 2 * time.Second}, 30 * time.Second, true},
		"two of four, 10,000 devices (a zone)":  {storm{nodes: 4, budget: 1_800, devices: 20_000, die: 2}, 5 * time.Second, false},
		"one of four, 5,000 devices":            {storm{nodes: 4, budget: 1_800, devices: 20_000, die: 1}, 5 * time.Second, false},
		"three of six, 30,000 devices":          {storm{nodes: 6, budget: 1_800, devices: 60_000, die: 3}, 15 * time.Second, true},
		"two of three, 10,000 devices":          {storm{nodes: 3, budget: 1_800, devices: 15_000, die: 2}, 15 * time.Second, true},
		"a burst that nobody spread: one of 50": {storm{nodes: 50, budget: 1_800, devices: 50_000, die: 1}, 3 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &tt.storm
			s.run(t)
			if len(s.back) != s.lost {
				t.Fatalf("%d of %d are back", len(s.back), s.lost)
			}
			left := float64(s.nodes-s.die+s.revive) * s.budget
			p99 := s.back[len(s.back)*99/100]
			t.Logf("%d devices: 50 %% after %v, 99 %% after %v, all after %v; %d dials, %d at most in a second, %d of those admitted, budget %.0f",
				s.lost, s.back[len(s.back)/2].Round(time.Millisecond), p99.Round(time.Millisecond), slices.Max(s.back).Round(time.Millisecond), len(s.dials), peak(s.dials), peak(s.passed), left)
			if got := float64(peak(s.passed)); got > (1+gateBurst)*left {
				t.Errorf("%.0f were admitted within a second, of a budget of %.0f", got, left)
			}
			if got := float64(peak(s.dials)); got > left && !tt.more {
				t.Errorf("%.0f dials within a second, of a budget of %.0f", got, left)
			}
			if p99-s.after > tt.within {
				t.Errorf("99 %% are back %v after somebody is there", p99-s.after)
			}
			if n := len(s.dials) - s.lost; n > s.lost/20 && !tt.more {
				t.Errorf("%d were refused", n)
			}
		})
	}
}
