package scenario

import (
	"testing"
	"time"
)

func TestFromFlags(t *testing.T) {
	for preset, full := range presets {
		s, err := FromFlags(FlagValues{Preset: preset, Count: "77"})
		if err != nil || s.Name != full || s.Clients.Count != 77 {
			t.Errorf("%s: %v, %v", preset, s, err)
		}
	}
	s, err := FromFlags(FlagValues{Preset: "fanout", Count: "2k", Rate: "50/s", Size: "1KiB", Hold: "3s", Warmup: "2s", Ramp: "5k/s",
		Overrides: Overrides{Dialect: "plain", URLs: []string{"ws://10.1.1.1:80/ws"}, Thresholds: []string{"delivery.p99 < 20ms"}}})
	if err != nil {
		t.Fatal(err)
	}
	hold := s.Phases[2]
	if hold.For != 3*time.Second || hold.Publish[0].Size.P50 != 1024 || hold.Publish[0].Arrival.Rate != 50 || s.Clients.Count != 2000 ||
		s.Phases[0].Ramp.Arrival.Rate != 5000 || s.Target.APIs != nil || s.Clients.Sources != nil || len(s.Thresholds) != 3 {
		t.Errorf("%s", s.Text())
	}
	slow, err := FromFlags(FlagValues{Preset: "slow", Share: "5%"})
	if err != nil || slow.Groups[1].Share != .05 || slow.Groups[0].Share != .95 {
		t.Errorf("%v, %v", slow, err)
	}
	for _, v := range []FlagValues{
		{Preset: "server-restart", Params: map[string]string{"restart": "x"}},
		{Preset: "server-restart", Overrides: Overrides{Restart: "x"}},
	} {
		if s, err := FromFlags(v); err != nil || s.Server.Restart != "x" {
			t.Errorf("%v, %v", s, err)
		}
	}
}
