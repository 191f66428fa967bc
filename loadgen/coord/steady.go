package coord

import (
	"fmt"
	"math"
	"strings"

	"roost/loadgen/plan"
	"roost/loadgen/result"
	"roost/loadgen/tally"
)

const (
	// steadyPoints is how many points of the series a phase has to have before a
	// trend in it means something.
	steadyPoints = 10
	// steadyChange is how much less over a phase is no trend, of the median.
	steadyChange = .1
)

// steady says of each phase of servers whether latency, CPU and memory had a
// trend. The points are sums over the servers, so it is the same for each.
func steady(res *result.Result) {
	for i := range res.Phases {
		p := &res.Phases[i]
		if len(p.Servers) == 0 {
			continue
		}
		var points []result.Point
		for _, pt := range res.Series {
			if pt.Phase == i {
				points = append(points, pt)
			}
		}
		text := trends(points)
		for k := range p.Servers {
			p.Servers[k].Steady = text
		}
	}
}

// trends words what changes over the points; empty: there are too few to tell.
func trends(points []result.Point) string {
	var judged, changes []string
	for _, of := range []struct {
		name  string
		value func(*result.Point) float64
	}{
		{"p50", func(p *result.Point) float64 { return float64(p.P50) }},
		{"CPU", func(p *result.Point) float64 { return p.ServerCPU }},
		{"memory", func(p *result.Point) float64 { return float64(p.ServerRSS) }},
	} {
		var series []float64
		for i := range points {
			if v := of.value(&points[i]); v > 0 && v < float64(tally.MissValue) && !math.IsInf(v, 0) { // 0: there is none
				series = append(series, v)
			}
		}
		if len(series) < steadyPoints {
			continue
		}
		judged = append(judged, of.name)
		if ok, change := plan.Steady(series, steadyChange); !ok {
			changes = append(changes, fmt.Sprintf("%s %+.0f %%", of.name, 100*change))
		}
	}
	switch {
	case len(judged) == 0:
		return ""
	case len(changes) == 0:
		return "steady: " + strings.Join(judged, ", ")
	}
	return "not steady over the phase: " + strings.Join(changes, ", ")
}
