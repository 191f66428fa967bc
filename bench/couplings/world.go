package couplings

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// fault is how a node does not do what it should.
type fault uint8

const (
	well   fault = iota
	refuse       // answers connects with a reset, after a round trip
	hang         // says nothing
	slow         // its round-trip times are longer
)

// outage is a fault for a time.
type outage struct {
	Node     int           `json:"node"`
	From, To time.Duration // of the run
	How      fault         `json:"how"`
	Longer   time.Duration // slow: by so much
}

// nodeSpec is a node of a world.
type nodeSpec struct {
	Zone   int     `json:"zone"`
	Weight float64 `json:"weight"` // what it publishes: its capacity
	Places int     `json:"places"` // requests that it serves at once
}

// world is what pushes are sent into.
type world struct {
	Name  string `json:"name"`
	About string `json:"about"`
	// RTT between zones, from publisher to node; each is drawn anew with a log-normal
	// factor of Jitter.
	RTT     [][]time.Duration `json:"rtt"`
	Jitter  float64           `json:"jitter"`
	Nodes   []nodeSpec        `json:"nodes"`
	Service time.Duration     `json:"service"` // mean time of a place for a push, exponential
	Rate    float64           `json:"rate"`    // pushes a second, Poisson, from zones in turn
	Length  time.Duration     `json:"length"`
	Outages []outage          `json:"outages,omitempty"`
}

// faultAt returns what is wrong with a node.
func (w *world) faultAt(node int, at time.Duration) (f fault, longer time.Duration) {
	for _, o := range w.Outages {
		if o.Node == node && at >= o.From && at < o.To {
			return o.How, o.Longer
		}
	}
	return well, 0
}

// ms makes a table of round-trip times.
func ms(rows ...[]float64) (table [][]time.Duration) {
	for _, row := range rows {
		var r []time.Duration
		for _, v := range row {
			r = append(r, time.Duration(v*float64(time.Millisecond)))
		}
		table = append(table, r)
	}
	return table
}

// places and service make a node serve 400 pushes a second.
const (
	places  = 4
	service = 10 * time.Millisecond
	// timeout is how long a push waits for a node that says nothing.
	timeout = time.Second
)

// worlds are what policies are compared in. Nine nodes in three zones: the near ones a
// fraction of a millisecond away, two zones of one region, and one overseas.
func worlds(length time.Duration) []world {
	near := ms([]float64{0.5, 2, 80}, []float64{2, 0.5, 80}, []float64{80, 80, 0.5})
	base := world{RTT: near, Jitter: 0.2, Service: service, Rate: 0.5 * 9 * 400, Length: length}
	for i := range 9 {
		base.Nodes = append(base.Nodes, nodeSpec{Zone: i % 3, Weight: places, Places: places})
	}
	var all []world
	add := func(name, about string, change func(w *world)) {
		w := base
		w.Name, w.About = name, about
		w.Nodes = append([]nodeSpec(nil), base.Nodes...)
		change(&w)
		all = append(all, w)
	}
	third := length / 3
	add("healthy", "all nodes alike, half busy", func(*world) {})
	add("uneven", "nodes of 2, 4 and 6 places in each zone, 70 % busy in all", func(w *world) {
		w.Rate *= 1.4
		for i := range w.Nodes {
			w.Nodes[i].Places = 2 + 2*(i/3)
			w.Nodes[i].Weight = float64(w.Nodes[i].Places)
		}
	})
	add("one refuses", "a node is gone for a third of the time: connects are refused", func(w *world) {
		w.Outages = []outage{{Node: 4, From: third, To: 2 * third, How: refuse}}
	})
	add("one hangs", "a node says nothing for a third of the time: connects time out after 1 s", func(w *world) {
		w.Outages = []outage{{Node: 4, From: third, To: 2 * third, How: hang}}
	})
	add("one is slow", "a node's round trips are 150 ms longer for a third of the time", func(w *world) {
		w.Outages = []outage{{Node: 4, From: third, To: 2 * third, How: slow, Longer: 150 * time.Millisecond}}
	})
	add("a zone hangs", "three of nine nodes say nothing for a third of the time, the others are three quarters busy then", func(w *world) {
		for n := 1; n < 9; n += 3 {
			w.Outages = append(w.Outages, outage{Node: n, From: third, To: 2 * third, How: hang})
		}
	})
	add("restarts", "every node is gone for 0.4 s, one after the other, all the time: shorter than snapshots are apart", func(w *world) {
		r := rand.New(rand.NewPCG(7, 7))
		for at, n := time.Duration(0), 0; at < length; n++ {
			w.Outages = append(w.Outages, outage{Node: n % 9, From: at, To: at + 400*time.Millisecond, How: refuse})
			at += 400*time.Millisecond + time.Duration(r.IntN(200))*time.Millisecond
		}
	})
	return all
}

func (f fault) String() string { return [...]string{"well", "refuse", "hang", "slow"}[min(f, slow)] }

// MarshalText returns the name.
func (f fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

func nodeID(i int) string { return fmt.Sprint("n", i) }
