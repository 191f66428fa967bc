package result_test

import (
	"strings"
	"testing"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
)

// TestUnitOfEveryMetric: what a run has values of is known before it, by its
// phases and groups alone.
func TestUnitOfEveryMetric(t *testing.T) {
	for _, name := range sample.Names {
		full := sample.Make(name)
		bare := &result.Result{Scenario: result.Scenario{Groups: full.Scenario.Groups}}
		for _, p := range full.Phases {
			bare.Phases = append(bare.Phases, result.Phase{Name: p.Name, Warmup: p.Warmup})
		}
		for _, m := range full.Metrics() {
			if unit, err := bare.UnitOf(m.Name); err != nil || unit != m.Unit {
				t.Errorf("%s: %s is in %q (%v), want %q", name, m.Name, unit, err, m.Unit)
			}
		}
	}
}

// TestUnitOfNothing says what was meant.
func TestUnitOfNothing(t *testing.T) {
	if unit, err := (&result.Result{}).UnitOf("delivery.p99.9"); unit != "ns" || err != nil {
		t.Errorf("p99.9 is p999: %q, %v", unit, err)
	}
	r := &result.Result{Phases: []result.Phase{{Name: "hold"}}, Scenario: result.Scenario{Groups: []result.Group{{Name: "all"}}}}
	for name, want := range map[string]string{
		"dlivery.p99": "did you mean delivery.p99?", "delivery": "say which part of it", "hold.all.delivery.p95": "hold.all.delivery has no p95: it has p50, p90, p99, p999, max and count", "hold.all.connect.p99": "no metric is named", "hold.lst": "hold.lost",
		"": "no metric is named", strings.Repeat("x", 300): "no metric has so long a name",
	} {
		if unit, err := r.UnitOf(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %q, %v, want %q", name, unit, err, want)
		}
	}
}
