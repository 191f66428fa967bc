package bench

import (
	"fmt"
	"strconv"
	"time"

	"roost/loadgen"
)

// phase is one load that is put on every server.
type phase struct {
	name string
	mode string // of loadgen
	args []string
	// timed returns the stretch of the result that has to be undisturbed.
	timed func(r *loadgen.Result) loadgen.Work
}

// rates are what the open loops run at.
type rates struct {
	Broadcast float64 // broadcasts per second, to all connections
	Burst     float64 // due times per second, of burstSize broadcasts each
	Echo      float64 // messages per second
}

// burstSize is how many broadcasts are published at once in the burst phase.
const burstSize = 8

// phases returns the loads, in their order.
func (o *PeersOptions) phases(r rates) []phase {
	conns := []string{"--connections", strconv.Itoa(o.Connections)}
	hold := []string{"--hold", o.Hold.String(), "--size", "128"}
	rate := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	broadcast := func(r *loadgen.Result) loadgen.Work { return r.Broadcast.Work }
	list := []phase{
		{"idle", loadgen.ModeIdle, join(conns, []string{"--hold", "1s", "--settle", o.Settle.String()}),
			func(r *loadgen.Result) loadgen.Work { return r.Connect.Work }},
		{"broadcast", loadgen.ModeBroadcast, join(conns, hold, []string{"--rate", rate(r.Broadcast)}), broadcast},
		{"broadcast-spin", loadgen.ModeBroadcast, join(conns, hold, []string{"--rate", rate(r.Broadcast), "--spin"}), broadcast},
		{"burst", loadgen.ModeBroadcast, join(conns, hold, []string{"--rate", rate(r.Burst), "--burst", strconv.Itoa(burstSize)}), broadcast},
		{"echo", loadgen.ModeEcho, join([]string{"--connections", strconv.Itoa(o.EchoConnections)}, hold, []string{"--rate", rate(r.Echo)}),
			func(r *loadgen.Result) loadgen.Work { return r.Echo.Work }},
	}
	if o.Saturated {
		list = append(list, phase{"saturated", loadgen.ModeBroadcast, join(conns, hold), broadcast})
	}
	return list
}

func join(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// Ceiling is what the generator can do against the C floor, in a closed loop.
type Ceiling struct {
	Deliveries        float64 `json:"deliveries_per_second"`
	DeliveriesPerCore float64 `json:"deliveries_per_second_per_generator_core"`
	Echoes            float64 `json:"echoes_per_second"`
	EchoesPerCore     float64 `json:"echoes_per_second_per_generator_core"`
}

// ratesUnder returns the rates asked for, cut to half of the ceiling, and
// remarks where that was needed.
func (o *PeersOptions) ratesUnder(c Ceiling) (r rates, notes []string) {
	deliveries := o.Deliveries
	if half := c.Deliveries / 2; deliveries > half {
		notes = append(notes, fmt.Sprintf("broadcast load cut from %.0f to %.0f deliveries/s, half of the generator's ceiling", deliveries, half))
		deliveries = half
	}
	r.Echo = o.EchoRate
	if half := c.Echoes / 2; r.Echo > half {
		notes = append(notes, fmt.Sprintf("echo load cut from %.0f to %.0f messages/s, half of the generator's ceiling", r.Echo, half))
		r.Echo = half
	}
	r.Broadcast = round3(deliveries / float64(o.Connections))
	r.Burst = round3(r.Broadcast / burstSize)
	return r, notes
}

func round3(v float64) float64 { return float64(int(v*1000+0.5)) / 1000 }

// ceilingHold is how long the ceilings are measured, at most.
const ceilingHold = 5 * time.Second
