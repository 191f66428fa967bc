package experiment

import (
	"time"

	"roost/loadgen/usage"
)

// Meter is what the machine and those that belong to a run had used at one time.
type Meter struct {
	at                    time.Time
	busy, steal           time.Duration // of the machine, in steps of 10 ms
	server, softirq, self time.Duration
}

// ReadMeter reads it. Of a server that has ended nothing is known any more.
func ReadMeter(server int) (m Meter) {
	m.at = time.Now()
	m.busy, m.steal = usage.Machine()
	m.server, _ = usage.Process(server).CPU()
	m.self, _ = usage.Process(0).CPU()
	m.softirq = usage.FindSoftirqd().CPU()
	return m
}

// Other returns the cores that were busy since with neither server, generator,
// bench nor ksoftirqd, or stolen by the host. own is the generator's CPU time.
// Processes that the server starts count as others.
func (m Meter) Other(since Meter, own time.Duration) float64 {
	wall := m.at.Sub(since.at)
	if wall <= 0 {
		return 0
	}
	known := max(m.server-since.server, 0) + m.softirq - since.softirq + m.self - since.self + own
	return max(0, (m.busy-since.busy+m.steal-since.steal-known).Seconds()/wall.Seconds())
}
