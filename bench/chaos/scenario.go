package chaos

import (
	"cmp"
	"slices"

	"roost/bench/chaos/rig"
)

// Scenario is a way to hurt a cluster.
type Scenario struct {
	Name  string
	About string      // in a line
	Rig   rig.Options // Roostd and Logs are the run's
	// Nodes, Devices and Rate (messages a second) have defaults: 3, 2,000 and 500.
	Nodes, Devices int
	Rate           float64
	// NodeArgs are flags of each node, by index; they override Rig's.
	NodeArgs [][]string
	// Streams allows that devices get new streams, and that what was accepted for
	// those is lost: what an asynchronous failover of Redis may do (the contract,
	// rule 1).
	Streams bool
	// Pace is how many times faster than it is meant the ring changes by itself, 1 to 10; 0
	// is 1 whatever Options say: nothing of that kind is waited for.
	Pace float64
	// Hurt does it, and mends it, while messages are published. It may note what must
	// not be (fault), what was not reached (miss), and numbers (number).
	Hurt func(x *trial)
}

func (s *Scenario) nodes() int { return cmp.Or(s.Nodes, 3) }

func (s *Scenario) devices(o *Options) int { return cmp.Or(o.Devices, s.Devices, 2000) }

func (s *Scenario) rate(o *Options) float64 { return cmp.Or(o.Rate, s.Rate, 500) }

// scenarios are all that there are.
var scenarios = slices.Concat(nodeScenarios, engineScenarios, redisScenarios, networkScenarios, operatorScenarios, canaryScenarios, zoneScenarios, weightScenarios, rivalScenarios, anythingScenarios)

// Names returns the scenarios' names in their order.
func Names() (names []string) {
	for i := range scenarios {
		names = append(names, scenarios[i].Name)
	}
	return names
}

// About returns what a scenario does, in a line; nothing for one that there is not.
func About(name string) string {
	if s := find(name); s != nil {
		return s.About
	}
	return ""
}

func find(name string) *Scenario {
	for i := range scenarios {
		if scenarios[i].Name == name {
			return &scenarios[i]
		}
	}
	return nil
}
