package coord

import (
	"strings"
	"testing"

	"roost/loadgen/scenario"
)

// TestCheckThresholds: mistakes are found before anything is begun.
func TestCheckThresholds(t *testing.T) {
	s := &scenario.Scenario{Phases: []scenario.Phase{{Name: "hold"}}, Groups: []scenario.Group{{Name: "healthy", Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true}}}
	for text, want := range map[string]string{
		"delivery.p99 < 50ms": "", "hold.healthy.delivery.p99 < 2s abort after 5s": "", "lost == 0": "", "delivery.p99 > 0": "", "delivered_ratio >= 99.9%": "",
		"server.user_b_per_conn < 4500": "", "server.rss_b_per_conn < 8KiB": "", "storm.t99 < 20s": "", "server.cpu_per_msg < 5us": "", "delivery.count > 100": "",
		"dlivery.p99 < 50ms":        "did you mean delivery.p99?",
		"delivery.p99 < 50":         "want a unit, as in 50ms",
		"delivery.p99 < 5KiB":       "want ns, us, ms, s or m, not KiB",
		"delivery < 50ms":           "say which part of it",
		"lost < 5ms":                "is no time",
		"nophase.delivery.p99 < 1s": "no metric is named",
	} {
		s.Thresholds = []string{"lost == 0", text}
		err := CheckThresholds(s)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), text)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestShippedThresholdsAreOnesOfTheirRuns.
func TestShippedThresholdsAreOnesOfTheirRuns(t *testing.T) {
	for _, name := range scenario.Shipped() {
		s, err := scenario.FromFlags(scenario.FlagValues{Preset: name, Params: map[string]string{}, Overrides: scenario.Overrides{Restart: "true"}})
		if err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		if err := CheckThresholds(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
