package decay_test

import (
	"fmt"
	"time"

	"roost/decay"
)

// Four nodes, one of them busier than the others: its weight falls, step by step,
// and says why.
func ExampleController() {
	pipeline, err := decay.NewPipeline(decay.Settings{}) // all defaults
	if err != nil {
		panic(err)
	}
	control, err := decay.NewController(pipeline, decay.ControlSettings{})
	if err != nil {
		panic(err)
	}
	var nodes []decay.Node
	for i := range 4 {
		node, err := pipeline.Add(0, fmt.Sprintf("node-%d", i), 1)
		if err != nil {
			panic(err)
		}
		nodes = append(nodes, node)
	}
	for now := time.Duration(0); now <= 10*time.Minute; now += time.Second {
		for i, node := range nodes {
			busy := 0.0
			if i == 3 {
				busy = 10
			}
			pipeline.Put(node, decay.Sample{At: now, CPU: 50 + busy, Latency: 4, Connections: 25_000, Backlog: 1e5, LoopLag: 0.5})
		}
		control.Update(now, 14) // placements a second in the whole cluster
	}
	var why decay.Explanation
	control.Explain(nodes[3], &why)
	fmt.Printf("%.2f\n%v\n", control.Weight(nodes[3]), &why)
	// Output:
	// 0.30
	// node-3 at 0.301: cpu 60.0 % z +3.0, p95 4 ms z +0.0, conn 25000 z +0.0, backlog 100000 B z +0.0, lag 0.5 ms z +0.0 | z +1.20 relative 0.301 | target 0.301 smoothed 0.301 | 0.301 held: within the band
}

// One node joins empty: it is due most of what is placed, and is bounded to twice
// what the others get.
func ExamplePipeline() {
	pipeline, _ := decay.NewPipeline(decay.Settings{})
	var nodes []decay.Node
	for i := range 8 {
		node, _ := pipeline.Add(-time.Hour, fmt.Sprint("node-", i), 1)
		nodes = append(nodes, node)
	}
	joiner, _ := pipeline.Add(0, "new", 1)
	for _, node := range nodes {
		pipeline.Put(node, decay.Sample{At: 11 * time.Second, CPU: 50, Latency: 4, Connections: 25_000})
	}
	pipeline.Put(joiner, decay.Sample{At: 11 * time.Second, CPU: 1, Latency: 2})
	pipeline.Step(11 * time.Second)
	fmt.Printf("%.2f %.2f\n", pipeline.Weight(nodes[0]), pipeline.Weight(joiner))
	// Output: 1.00 2.00
}
