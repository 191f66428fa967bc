package calibrate

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/validity"
)

// ceilingClients is how many connections of each worker the ceiling is measured
// with.
const ceilingClients = 500

// ceilingScenario is a load that grows to what a fast machine can just do. Not
// to more: messages would pile up then and be read and written many at a time,
// which costs each a fraction and would say too much; and not to less, since
// some of that is there in any run near the ceiling.
//
// Echoes go over the clients' own connections, what goes to all is published by
// POST.
const ceilingScenario = `name: ceiling
target: {url: "ws://%[1]s/", api: "http://%[1]s", dialect: plain}
clients: {count: %[2]d}
reconnect: {policy: none}
measure: {interval: 200ms, deadline: 250ms, kernel_stamps: 0}
validity: {ceiling_factor: 0}
phases:
  - {name: dials, ramp: {rate: 1000000/s}, timeout: 20s}
  - {name: echo, publish: {to: self, arrival: {linear: {from: 1000/s, to: 80000/s}}}, for: 2s}
  - {name: fan-out, publish: {to: all, arrival: {linear: {from: 10/s, to: 1000/s}}}, for: 2s}
`

// Ceiling measures what so many workers of this machine can do at most, against
// a null sink on the same machine: 5 seconds. It is what they did for each second
// of processor time that they used, times the processors that they can use: so
// it hardly depends on what else the machine does meanwhile, and it is what is
// left to a generator whose server is elsewhere.
func (t *Tools) Ceiling(ctx context.Context, workers int) (*validity.Ceiling, error) {
	if workers < 1 {
		return nil, fmt.Errorf("ceiling of %d workers: want at least 1", workers)
	}
	res, _, err := t.Against(ctx, "", workers, func(addr string) string { return fmt.Sprintf(ceilingScenario, addr, ceilingClients*workers) })
	if err != nil {
		return nil, err
	}
	return ceilingOf(res, min(workers, runtime.NumCPU()))
}

// ceilingOf reads the ceiling of so many processors from a result.
func ceilingOf(res *result.Result, processors int) (*validity.Ceiling, error) {
	c := &validity.Ceiling{}
	for i := range res.Phases {
		u := useOf(res, i)
		switch res.Phases[i].Name {
		case "dials":
			c.Dials = u.per(u.dials, processors)
		case "echo":
			c.Sends = u.per(u.sent, processors)
		case "fan-out":
			c.Deliveries = u.per(u.delivered, processors)
		}
	}
	if !good(c) {
		return nil, fmt.Errorf("the ceiling could not be measured: %+v a second; %v", *c, res.Notes)
	}
	return c, nil
}

// use is what was done in a phase, and the processor time that it took.
type use struct{ cpu, dials, sent, delivered float64 }

func (u use) per(n float64, processors int) float64 { return n / u.cpu * float64(processors) }

// useOf sums up the intervals of a phase.
func useOf(res *result.Result, phase int) (u use) {
	previous := time.Duration(0)
	for _, x := range res.Series {
		d := (x.At - previous).Seconds()
		previous = x.At
		if x.Phase != phase {
			continue
		}
		u.cpu += x.WorkerCPU * d
		u.dials += x.ReadyRate * d
		u.sent += x.SentRate * d
		u.delivered += x.DeliveredRate * d
	}
	return u
}

// good reports whether a ceiling can be one: all of it was measured, and it is
// within what a machine can do.
func good(c *validity.Ceiling) bool {
	for _, v := range []float64{c.Deliveries, c.Sends, c.Dials} {
		if !(v > 1 && v < 1e10) {
			return false
		}
	}
	return true
}
