package publisher_test

import (
	"context"
	"fmt"
	"time"

	"roost/server/publisher"
)

// A backend publishes through whatever nodes there are, at the one that has the device.
func Example() {
	p, err := publisher.New(publisher.Options{
		Nodes: []string{"http://127.0.0.1:8081", "http://127.0.0.1:8083"},
		File:  "/var/lib/backend/roost-ring.json", // so that it starts without them
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	defer p.Close(ctx)

	results, err := p.Publish(ctx,
		publisher.Message{Device: "lock-17", ID: "order-7", TTL: time.Hour, Payload: []byte(`{"open":true}`)},
		publisher.Message{Topic: "fw/eu", Payload: []byte(`{"version":12}`)},
	)
	if err != nil {
		fmt.Println(err) // of the first message without a result: the others may have one
	}
	for _, r := range results {
		fmt.Println(r.Device, r.Topic, r.Status, r.Err)
	}
}
