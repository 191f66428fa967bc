package publisher

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"roost/decay"
)

// TestWeigh: weight times decay; what is not known counts as the mean, what is out
// as nothing.
func TestWeigh(t *testing.T) {
	const ms = time.Millisecond
	x := decay.Exponential{W0: 100, Lambda: math.Ln2 / 0.1} // halves in 100 ms
	for _, row := range []struct {
		name string
		cs   []Candidate
		want []float64
	}{
		{"none", nil, nil},
		{"halves", []Candidate{{Weight: 1, RTT: 100 * ms}, {Weight: 2, RTT: 200 * ms}}, []float64{50, 50}},
		{"out", []Candidate{{Weight: 1, RTT: 100 * ms}, {Weight: 1, RTT: 100 * ms, Out: true}}, []float64{50, 0}},
		{"weight unknown", []Candidate{{Weight: 3, RTT: 100 * ms}, {Weight: 1, RTT: 100 * ms}, {RTT: 100 * ms}}, []float64{150, 50, 100}},
		{"time unknown", []Candidate{{Weight: 1, RTT: 50 * ms}, {Weight: 1, RTT: 150 * ms}, {Weight: 1}}, []float64{70.710678, 35.355339, 50}},
		{"nothing known", []Candidate{{}, {}}, []float64{100, 100}},
		{"all out", []Candidate{{Out: true}}, []float64{0}},
		{"nonsense", []Candidate{{Weight: math.NaN(), RTT: -1}, {Weight: math.Inf(1)}}, []float64{100, 100}},
	} {
		got := Weigh(nil, row.cs, x)
		if len(got) != len(row.want) {
			t.Fatalf("%s: %v", row.name, got)
		}
		for i := range got {
			if math.Abs(got[i]-row.want[i]) > 1e-4 {
				t.Errorf("%s: %v, want %v", row.name, got, row.want)
			}
		}
	}
	cs, room := make([]Candidate, 8), make([]float64, 0, 8)
	if n := testing.AllocsPerRun(100, func() { room = Weigh(room[:0], cs, x) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestDraw: each is drawn as often as its share says, and nobody without one.
func TestDraw(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	weights := []float64{0, 1, 3, 0, 4}
	var got [5]int
	const n = 80_000
	for range n {
		got[Draw(weights, r.Float64())]++
	}
	for i, w := range weights {
		want := w / 8
		if d := math.Abs(float64(got[i])/n - want); d > 4*math.Sqrt(want*(1-want)/n) {
			t.Errorf("%d was drawn %d times of %d, want a share of %v", i, got[i], n, want)
		}
	}
	for _, u := range []float64{0, 0.5, math.Nextafter(1, 0)} {
		if i := Draw(weights, u); weights[i] == 0 {
			t.Errorf("%v draws %d, which has no weight", u, i)
		}
		if i := Draw([]float64{0, 0}, u); i != -1 {
			t.Errorf("%v draws %d of none", u, i)
		}
	}
}

// TestNext: for every key and any nodes that failed, are resting, busy or draining, the
// one chosen has not failed, and is well if any is.
func TestNext(t *testing.T) {
	c := newCluster(t, 6)
	p := start(t, c)
	table := p.table.Load()
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		now := time.Now()
		health := newHealth(now)
		ch := chooser{how: Choose(r.IntN(4)), decay: decay.RTT(), health: health, random: r.Float64}
		var failed []string
		tt := *table
		tt.nodes = append([]Node(nil), table.nodes...)
		open, well := 0, 0
		for i := range tt.nodes {
			n := &tt.nodes[i]
			state := r.IntN(5)
			switch state {
			case 0:
				failed = append(failed, n.ID)
			case 1:
				health.failed(n.ID, now)
			case 2:
				health.busy(n.ID, time.Second, now)
			case 3:
				n.Draining = true
			}
			if state != 0 && state != 2 {
				open++
			}
			if state == 4 {
				well++
			}
		}
		n := ch.next(&tt, r.Uint64(), failed, nil, now)
		switch {
		case n == nil:
			if open > 0 {
				t.Fatalf("%v: nobody, and %d are left", ch.how, open)
			}
		case well > 0 && (n.Draining || !health.well(n.ID, now)):
			t.Fatalf("%v: %+v, and %d are well", ch.how, n, well)
		default:
			for _, id := range failed {
				if id == n.ID {
					t.Fatalf("%v: %s has failed", ch.how, id)
				}
			}
		}
	}
}

// TestBeforePush: a node that is far away gets few messages, by what was known before
// them.
func TestBeforePush(t *testing.T) {
	c := newCluster(t, 2)
	p := start(t, c, func(o *Options) {
		o.Choose, o.Poll = BeforePush, time.Hour
		o.RTT = decay.Exponential{W0: 100, Lambda: 20} // halves in 35 ms
	})
	eventually(t, "signs of life", func() bool { return p.health.rtt("n0", time.Now()) > 0 && p.health.rtt("n1", time.Now()) > 0 })
	p.health.measured("n0", time.Second, time.Now()) // e^-20
	for i := range 50 {
		rs, err := p.Publish(limit(t), Message{Device: fmt.Sprint("d", i), Payload: json1(1)})
		if err != nil || rs[0].Node != "n1" {
			t.Fatalf("%+v, %v", rs, err)
		}
	}
}

// TestAfterFailure: after a failure those that hang are passed over.
func TestAfterFailure(t *testing.T) {
	c := newCluster(t, 4)
	p := start(t, c, func(o *Options) { o.Choose = AfterFailure })
	device := c.ownedBy(p, c.nodes[0])
	c.nodes[0].close()
	for _, n := range c.nodes[1:3] { // their weights would have them chosen
		n.set(func(n *node) { n.before = hang })
	}
	for i := range 5 {
		p.health.keep(&table{})
		rs, err := p.Publish(limit(t), Message{Device: device, Payload: json1(i)})
		if err != nil || rs[0].Node != "n3" || rs[0].Tried != 2 {
			t.Fatalf("%+v, %v", rs, err)
		}
	}
}

// TestHealth: the rest after failures doubles, and an answer ends it.
func TestHealth(t *testing.T) {
	now := time.Now()
	h := newHealth(now)
	rest := func() time.Duration {
		h.failed("n", now)
		begin := now
		for !h.well("n", now) {
			now = now.Add(10 * time.Millisecond)
		}
		return now.Sub(begin)
	}
	var got []time.Duration
	for range 8 {
		got = append(got, rest())
	}
	if got[0] != firstRest || got[1] != 2*firstRest || got[7] != longRest {
		t.Errorf("rests of %v", got)
	}
	h.failed("n", now)
	h.answered("n", now)
	if !h.well("n", now) || rest() != firstRest {
		t.Error("an answer does not end it")
	}
	h.busy("n", time.Hour, now)
	if h.well("n", now.Add(longBusy-1)) || !h.well("n", now.Add(longBusy)) {
		t.Error("Retry-After counts otherwise than up to 30 s")
	}
	h.keep(&table{})
	if len(h.nodes) != 0 {
		t.Error("a node that is gone is remembered")
	}
}
