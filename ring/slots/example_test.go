package slots_test

import (
	"fmt"

	"roost/ring/slots"
)

func ExampleRebalance() {
	plan, err := slots.Rebalance([]slots.Holding{
		{Node: "a", Zone: "eu-1", Slots: 7210, Weight: 0.40},
		{Node: "b", Zone: "eu-2", Slots: 5120, Weight: 0.35},
		{Node: "c", Zone: "eu-3", Slots: 4054, Weight: 0.25},
	}, slots.Threshold)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range plan.Moves {
		fmt.Printf("%d slots from %s to %s\n", m.Slots, m.From, m.To)
	}
	fmt.Printf("%v, sigma %.3f -> %.3f\n", plan.After, plan.Before.Sigma, plan.Later.Sigma)
	// Output:
	// 614 slots from a to b
	// 42 slots from a to c
	// [6554 5734 4096], sigma 0.208 -> 0.000
}
