package swarm

import (
	"net/netip"
	"testing"
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
)

// TestSourcesLeaveRoomForClosedPorts: connections that are closed in order keep
// their ports for a minute, and the clients that are dialled anew need others.
func TestSourcesLeaveRoomForClosedPorts(t *testing.T) {
	system := plan.Ports{32768, 60999}
	sources := func(how scenario.Close, reserved int) int {
		s := &scenario.Scenario{Clients: scenario.Clients{Count: 15_000, PortRange: "auto", Sources: []string{"127/8"}},
			Phases: []scenario.Phase{
				{Name: "ramp", For: time.Minute, Ramp: &scenario.Ramp{To: 15_000, Arrival: scenario.Arrival{Kind: scenario.AtOnce}}},
				{Name: "churn", For: time.Minute, Churn: &scenario.Churn{How: how, Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: 1000, Burst: 1}}}}}
		c, err := poolConfig(&Config{Scenario: s, Workers: 1}, system, reserved, true)
		if err != nil {
			t.Fatal(err)
		}
		c.Destinations = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")}
		pool, err := plan.NewPool(c)
		if err != nil {
			t.Fatal(err)
		}
		return len(pool.Used(1000))
	}
	// 15,000 of 28,232 ports, and 60,000 more that were closed within a minute.
	if got := sources(scenario.CloseRST, 0); got != 1 {
		t.Errorf("resets: %d sources", got)
	}
	if got := sources(scenario.CloseFIN, 0); got != 3 {
		t.Errorf("closed in order: %d sources for 75,000 ports", got)
	}
	if got := sources(scenario.CloseRST, 20_000); got < 2 {
		t.Errorf("most ports are reserved: %d sources", got)
	}
}

// TestPortsOfAKernelWithoutTheOption: auto leaves them to the kernel.
func TestPortsOfAKernelWithoutTheOption(t *testing.T) {
	for text, ok := range map[string]bool{"auto": true, "none": true, "": true, "40000-50000": false} {
		cfg := &Config{Scenario: &scenario.Scenario{Clients: scenario.Clients{Count: 1, PortRange: text}}, Workers: 1}
		if c, err := poolConfig(cfg, plan.Ports{32768, 60999}, 0, false); (err == nil) != ok || c.Ports != (plan.Ports{}) {
			t.Errorf("%q: %v, %v", text, c.Ports, err)
		}
	}
}
