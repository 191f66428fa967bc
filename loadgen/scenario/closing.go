package scenario

import (
	"math"
	"time"
)

// maxStretches bounds the work of Closing in a long phase.
const maxStretches = 1000

// Closing returns the most connections that clients close in order, and dial
// anew, within a stretch of any phase: each keeps its source port for a while
// (TIME_WAIT), so that ports are needed for both. Where due times are random it
// is a mean; in phases longer than 1,000 stretches also over several of them.
func (s *Scenario) Closing(within time.Duration) int {
	connections := float64(s.Plan().MaxConnections)
	most := 0.0
	for i := range s.Phases {
		p := &s.Phases[i]
		closed := 0.0
		if c := p.Churn; c != nil && c.How.holdsPort() {
			closed = c.busiest(max(p.For, p.Timeout), p.For, within)
		}
		if st := p.Storm; st != nil && st.How.holdsPort() && s.Reconnect.Policy != PolicyNone {
			part := 1.0
			if st.Over > within {
				part = within.Seconds() / st.Over.Seconds()
			}
			closed += st.Share * connections * part
		}
		most = math.Max(most, closed)
	}
	return int(math.Ceil(most))
}

// busiest returns the most that are churned within a stretch of a phase that
// lasts at most length.
func (c *Churn) busiest(length, planned, within time.Duration) (most float64) {
	step := max(within, length/maxStretches, 1)
	for from := time.Duration(0); from < length; from += step {
		to := min(from+step, length)
		n := c.Arrival.Planned(to, planned) - c.Arrival.Planned(from, planned)
		most = math.Max(most, n*math.Min(1, within.Seconds()/(to-from).Seconds()))
	}
	return most
}

// holdsPort reports whether the client's side is left in TIME_WAIT: it says FIN
// first.
func (c Close) holdsPort() bool { return c == CloseFrame || c == CloseFIN }
