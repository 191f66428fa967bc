package result

import (
	"math"
	"testing"
	"time"

	"roost/loadgen/tally"
)

// TestToLoadgen: CPU of the server over that of the workers, of the phases in which
// something was delivered; nothing where the server was not probed on the machine.
func TestToLoadgen(t *testing.T) {
	phase := func(delivered uint64, server time.Duration, cores float64) Phase {
		return Phase{Name: "p", Length: 10 * time.Second, Servers: []ServerUse{{CPU: server}}, Workers: WorkerUse{Cores: cores},
			Tally: &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Delivered: delivered}}}}}
	}
	r := &Result{Servers: []Server{{Source: "pid"}}, Phases: []Phase{phase(0, time.Hour, 2), phase(5, 3*time.Second, .5), phase(7, time.Second, .3)}}
	m, ok, _ := r.Lookup("server.cpu_to_loadgen")
	if want := 4.0 / 8; !ok || math.Abs(m.Value-want) > 1e-9 {
		t.Errorf("%v, %v; want %v", m.Value, ok, want)
	}
	r = &Result{Servers: []Server{{Source: "metrics"}}, Phases: r.Phases}
	if m, ok, _ := r.Lookup("server.cpu_to_loadgen"); ok {
		t.Errorf("of another machine: %v", m.Value)
	}
}
