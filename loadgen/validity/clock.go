package validity

const (
	nameClockErrors = "clock errors"
	nameClockBound  = "clock bound"
	nameDeliveries  = "null-sink ceiling, deliveries"
	nameSends       = "null-sink ceiling, sends"
	nameDialCeiling = "null-sink ceiling, dials"
)

// someBound is the share of the measured median that the clocks' difference may
// be before a reader should know.
const someBound = .1

// clock judges whether times of different processes compare. No scenario
// switches that off.
func (j *judge) clock() {
	j.add(check{name: nameClockErrors, unit: "1", value: float64(j.o.ClockErrors),
		means: "Messages that arrived before they were sent.", mend: "The clocks of publisher and subscriber differ: put both on one machine, or mend the machines' time namespaces and clock sources."})
	p50 := came(j.o.Delivery, .5)
	if p50 <= 0 {
		return
	}
	c := check{name: nameClockBound, unit: "share", limit: someBound, slack: 1,
		means: "How far apart the clocks of workers may be, as a share of the measured median.",
		mend:  "Percentiles below this bound mean nothing, and all others may be off by as much: use one machine, or machines closer to each other."}
	if c.value = float64(j.o.ClockBound) / p50; j.o.ClockBound < 0 {
		c.value, c.unknown = 0, "the clocks were not compared"
	}
	j.add(c)
}

// ceiling compares the plan with what this generator has been seen to do.
func (j *judge) ceiling() {
	top := j.o.Ceiling
	if top == nil {
		top = &Ceiling{}
	}
	for _, c := range []struct {
		name          string
		reached, plan float64
		what          string
		advice        bool
	}{
		{nameDeliveries, top.Deliveries, j.o.PeakDeliveries, "deliveries", false},
		{nameSends, top.Sends, j.o.PeakSends, "messages and requests", false},
		{nameDialCeiling, top.Dials, j.o.PeakDials, "dials", true}, // late ones are seen: Connect counts from due
	} {
		if !(c.plan > 0) {
			continue
		}
		limit := j.limits.CeilingFactor
		out := check{name: c.name, unit: "1", value: c.reached / c.plan, limit: limit, least: true, off: limit <= 0, advice: c.advice,
			means: "How many times the plan's peak of " + c.what + " these workers reach against a server that does nothing.",
			mend:  "The generator is too close to its own limit to show that of the server: use more workers or machines, or a lower peak."}
		if !(c.reached > 0) {
			out.unknown = "it was not measured, as by --no-ceiling or with workers of several machines"
		}
		j.add(out)
	}
}
