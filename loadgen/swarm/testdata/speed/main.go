// Command speed is one worker against a plain broadcast server, to see what a
// delivery costs: it publishes to all at a rate and prints deliveries a second,
// processor time for each, and percentiles.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"syscall"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
)

func main() {
	url := flag.String("url", "ws://127.0.0.1:9000/", "of the server")
	api := flag.String("api", "http://127.0.0.1:9001", "its control port")
	clients := flag.Int("clients", 2000, "how many")
	rate := flag.Float64("rate", 20, "messages to all a second")
	size := flag.Int("size", 128, "of a payload in bytes")
	hold := flag.Duration("hold", 5*time.Second, "how long")
	profile := flag.String("profile", "", "file for a CPU profile")
	flag.Parse()
	if err := run(*url, *api, *clients, *rate, *size, *hold, *profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(url, api string, clients int, rate float64, size int, hold time.Duration, profile string) error {
	s := &scenario.Scenario{
		Target:  scenario.Target{URLs: []string{url}, APIs: []string{api}, Dialect: "plain"},
		Clients: scenario.Clients{Count: clients, Window: 256, Timeout: 30 * time.Second},
		Groups:  []scenario.Group{{Name: "all", Share: 1, Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true}},
		Measure: scenario.Measure{Deadline: 5 * time.Second},
		Phases: []scenario.Phase{
			{Ramp: &scenario.Ramp{To: clients, Arrival: scenario.Arrival{Kind: scenario.AtOnce}}, Until: scenario.Until{Kind: scenario.UntilConnected, Share: 1}},
			{For: hold, Publish: []scenario.Publish{{To: scenario.ToAll, Class: "live", Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: rate}, Size: scenario.Size{P50: size}}}},
		},
	}
	c := clock.New()
	w, err := swarm.New(swarm.Config{Scenario: s, Workers: 1, Clock: c, Run: 1})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Begin(0, c.Now()); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); w.Progress().Connected < clients && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	w.Settle(nil)
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	before, start := cpu(), time.Now()
	if err := w.Begin(1, c.Now()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), hold+5*time.Second)
	defer cancel()
	refused, err := w.Finish(ctx, c.Now()+int64(hold))
	used, took := cpu()-before, time.Since(start)
	time.Sleep(time.Second)
	w.Settle(refused)
	t := w.Tick()
	n := t.Total()
	h := t.Groups[0].Hists[tally.Delivery]
	fmt.Printf("%d clients connected, %d delivered (%.0f/s), missing %d, refused %d, unsent %d, %.3f us of CPU each, p50 %.2f ms p99 %.2f ms, send lag p99 %.2f ms, error %v\n",
		w.Progress().Connected, n.Delivered, float64(n.Delivered)/took.Seconds(), n.Missing, n.Refused, n.Unsent,
		float64(used.Nanoseconds())/1e3/float64(max(n.Delivered, 1)), float64(h.Quantile(.5))/1e6, float64(h.Quantile(.99))/1e6,
		float64(t.Hists[tally.SendLag].Quantile(.99))/1e6, err)
	return nil
}

// cpu returns the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
