package coord

import (
	"context"

	"roost/loadgen/probe"
	"roost/loadgen/result"
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
	return &serverProbe{p}, nil
}

// serverProbe is a probe.Probe.
type serverProbe struct{ *probe.Probe }

func (p *serverProbe) Read(ctx context.Context) (Reading, error) { return p.Probe.Read(ctx) }

func (p *serverProbe) Use(before, after Reading) []result.ServerUse {
	b, _ := before.(*probe.Sample)
	a, _ := after.(*probe.Sample)
	return p.Probe.Use(b, a)
}
