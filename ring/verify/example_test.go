package verify_test

import (
	"fmt"

	"roost/ring"
	"roost/ring/verify"
)

// Numbered ids under both presets. FNV-1a barely lets the last digit reach the top
// bits, which choose the slot.
func Example() {
	seed, err := verify.Seed(nil)
	if err != nil {
		panic(err)
	}
	c, err := verify.New(verify.Options{}, verify.Roost(nil), seed)
	if err != nil {
		panic(err)
	}
	for i := range 100_000 {
		if err := c.Add(fmt.Appendf(nil, "device-%09d", i), 1); err != nil {
			panic(err)
		}
	}
	for _, p := range c.Report().Placements {
		s := p.Slots.IDs
		fmt.Printf("%-5s %s chi-square: %.0f of %d, max/avg: %.1f, a perfect hash has %.1f\n",
			p.Name, s.Chi.Verdict, s.Chi.Value, s.Chi.Freedom, s.Max.Value, s.Max.Perfect)
	}
	// Output:
	// roost ok chi-square: 16427 of 16383, max/avg: 2.8, a perfect hash has 3.0
	// seed  bad chi-square: 185500 of 16383, max/avg: 9.8, a perfect hash has 3.0
}

// A ring of three nodes, and ids with how many messages each got.
func ExampleCounter_Add() {
	r, err := ring.Build(1, []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 1}, {ID: "c", Weight: 2}}, ring.Options{})
	if err != nil {
		panic(err)
	}
	c, err := verify.New(verify.Options{}, verify.Roost(r))
	if err != nil {
		panic(err)
	}
	for i := range 10_000 {
		if err := c.Add(fmt.Appendf(nil, "meter-%d", i), 3); err != nil {
			panic(err)
		}
	}
	if err := c.Add([]byte("meter-7"), 20_000); err != nil {
		panic(err)
	}
	report := c.Report()
	fmt.Println(report.Verdict, report.HotIDs[0].ID, report.HotIDs[0].Nodes["roost"])
	fmt.Println(report.HotID.Says)
	// Output:
	// bad meter-7 c
	// One id carries a large part of what a node should carry. It lives on one node, so no ring can spread it: split what goes to it over several ids.
}
