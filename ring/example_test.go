package ring_test

import (
	"fmt"

	"roost/ring"
)

func Example() {
	nodes := []ring.Node{
		{ID: "n1", Addr: "10.0.0.1:443", Zone: "a", Weight: 1, Capacity: 20000},
		{ID: "n2", Addr: "10.0.0.2:443", Zone: "b", Weight: 1, Capacity: 20000},
		{ID: "n3", Addr: "10.0.0.3:443", Zone: "a", Weight: 0.5, Capacity: 10000},
	}
	r, err := ring.Build(1, nodes, ring.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r)
	fmt.Println(r.Node(r.Lookup("device-000000042")).Addr)
	for _, v := range r.LookupN(nil, "device-000000042", 2) {
		fmt.Println(r.Node(v).ID)
	}
	// Output:
	// ring 1: 3 nodes, 395 points, 2^16 slots
	// 10.0.0.2:443
	// n2
	// n1
}

func ExampleRing_Plan() {
	r, _ := ring.Build(1, []ring.Node{{ID: "n1", Weight: 1}, {ID: "n2", Weight: 1}}, ring.Options{})
	p, next, err := r.Plan(2, ring.Change{Set: []ring.Node{{ID: "n3", Weight: 2}}}, 100_000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.1f %% of the keys move, %.1f %% would be ideal\n", 100*p.Share(p.Moved), 100*p.Ideal/float64(p.Slots))
	fmt.Println("between unchanged nodes:", p.Collateral)
	fmt.Println("then:", next)
	// Output:
	// 49.9 % of the keys move, 50.0 % would be ideal
	// between unchanged nodes: 0
	// then: ring 2: 3 nodes, 606 points, 2^16 slots
}

func ExampleHolder() {
	nodes := []ring.Node{{ID: "n1", Weight: 1}, {ID: "n2", Weight: 1}}
	r1, _ := ring.Build(1, nodes, ring.Options{})
	var h ring.Holder
	h.Store(ring.NewRoutes(r1, nil, 0))
	// A new version answers for 5 % of the keys at first.
	r2, _ := r1.Apply(2, ring.Change{Set: []ring.Node{{ID: "n3", Weight: 1}}})
	h.Store(ring.NewRoutes(r1, r2, 500))

	r, v := h.Load().Lookup("device-000000043")
	fmt.Println(r.Version(), r.Node(v).ID)
	// Output:
	// 1 n2
}
