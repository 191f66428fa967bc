package plant_test

import (
	"fmt"
	"time"

	"roost/decay/plant"
)

// An empty node joins 16 others: the default fills it without giving it more than
// twice its share of new connections.
func Example() {
	cluster := plant.Settings{Nodes: 16, Connections: 250_000, Run: time.Hour, Warmup: 10 * time.Minute, Join: plant.Join{At: 15 * time.Minute, Capacity: 1}}
	r, err := plant.Run(cluster, plant.PolicyOf(plant.Default))
	if err != nil {
		panic(err)
	}
	fmt.Println(r.JoinerPeak <= 2*r.JoinerFair, r.Fill > 0 && r.Fill < 1800, r.Cycles())
	// Output: true true false
}
