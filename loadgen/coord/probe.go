package coord

import (
	"roost/loadgen/probe"
	"roost/loadgen/scenario"
)

// OpenProbe returns the Probe of the servers that a scenario names; nil if it
// names none.
func OpenProbe(s scenario.Server) (Probe, error) {
	if len(s.PIDs)+len(s.Cgroups)+len(s.Metrics)+len(s.Pprof) == 0 {
		return nil, nil
	}
	p, err := probe.Open(probe.Config{PIDs: s.PIDs, Cgroups: s.Cgroups, Metrics: s.Metrics, Pprof: s.Pprof, Collect: true})
	if err != nil {
		return nil, err
	}
	return p, nil
}
