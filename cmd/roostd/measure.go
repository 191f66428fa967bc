package main

import (
	"context"
	"sync"
	"time"

	"roost/server"
	"roost/server/admission"
)

// startMeasuring tells a node by itself once a second how many connects a second it takes, by what they have cost it: a
// node of a cluster says it to the others too (member). The function that it returns ends that.
func startMeasuring(srv *server.Server, cores int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var b admission.Budget
		last, at := loadOf(srv), time.Now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			load, now := loadOf(srv), time.Now()
			b.Observe(now.Sub(at), load.CPU-last.CPU, load.Accepted-last.Accepted)
			srv.Takes(b.PerSecond(cores))
			last, at = load, now
		}
	})
	return func() {
		cancel()
		work.Wait()
	}
}
