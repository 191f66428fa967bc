package chaos

import (
	"regexp"
	"strconv"
	"time"
)

// zoneScenarios are about the shares of zones.
var zoneScenarios = []Scenario{
	{Name: "zones", About: "an operator says what zones have (memory and CPU), and they own something else, sigma above 0.2: the planner evens them out by itself, not before its time",
		Nodes: 4, Rate: 1000, Pace: 10, NodeArgs: capacities, Hurt: unevenZones},
}

// capacities of nodes, in devices, by turns in zones a and b: zone a owns 40 % by them.
var capacities = [][]string{{"--weight-capacity", "10000"}, {"--weight-capacity", "20000"}, {"--weight-capacity", "10000"}, {"--weight-capacity", "10000"}}

// resources is what the operator says that zones have: a 60 % of memory and CPU.
const resources = "a=96:24,b=64:16"

// When zones are evened out (ring/zones, ring/slots).
const (
	zonesEvery  = 30 * time.Second
	zonesChecks = 3
	zonesAct    = 0.2
)

func unevenZones(x *trial) {
	from, were, begun := x.now(), x.fleet.Where(), x.pointer()
	x.awaitCounts()
	before := x.tell("ring", "zones", "--resources", resources, "--save")
	if s := x.sigma(before); s < zonesAct {
		x.Fatalf("sigma is %v, not above %v", s, zonesAct)
	}
	planned, ok := plannedMoves(x.tell("ring", "plan", "--zones"))
	if !ok {
		x.Fatalf("ring plan --zones does not say how many devices move")
	}
	saved := x.now()
	p := x.awaitCanary(x.paced(versionsTime+zonesChecks*zonesEvery) + 60*time.Second)
	waited, since := x.now()-saved, p.At.Sub(begun.At)
	x.number("begun_after_s", waited.Seconds())
	x.say("canary %d, %.1f s after the targets were set, %.1f s after version %d: %s", p.Canary, waited.Seconds(), since.Seconds(), begun.Stable, p.Why)
	// The first of the checks may be at once.
	if least := x.paced((zonesChecks - 1) * zonesEvery); waited < least {
		x.fault("zones were evened out after %v, %d checks take %v", waited, zonesChecks, least)
	}
	if since < x.paced(versionsTime) {
		x.fault("zones were evened out %v after version %d, between versions are %v", since, begun.Stable, x.paced(versionsTime))
	}
	end, took := x.awaitEnd(p.Canary, x.paced(longestTime)+10*time.Second, func() { x.pause(500 * time.Millisecond) })
	x.say("the trial has ended after %.1f s: %s", took.Seconds(), end.Why)
	if end.Stable != p.Canary {
		x.fault("version %d was not promoted: %s", p.Canary, end.Why)
	}
	x.awaitStill(5*time.Second, 3*time.Minute)
	moved := x.moved(were)
	x.number("planned_devices", planned)
	x.number("moved_devices", float64(len(moved)))
	x.say("%d devices have moved, planned were %.0f: %s", len(moved), planned, x.spread())
	x.near("devices that moved", float64(len(moved)), planned)
	x.unbroken(from)
	x.evenNow(end.Stable)
}

// evenNow looks that zones are even, and stay as they are for as long as another version
// would take.
func (x *trial) evenNow(stable uint64) {
	x.pause(x.paced(versionsTime + (zonesChecks+1)*zonesEvery))
	if s := x.sigma(x.tell("ring", "zones")); s >= zonesAct {
		x.fault("sigma is %v afterwards, want it below %v", s, zonesAct)
	}
	if p := x.pointer(); p.Stable != stable || p.Canary != 0 {
		x.fault("another version was made of zones that are even: stable %d, canary %d: %s", p.Stable, p.Canary, p.Why)
	}
}

var sigmaText = regexp.MustCompile(`sigma of slots/target ([0-9.]+) ->`)

// sigma reads that of zones, as they are.
func (x *trial) sigma(said string) float64 {
	x.Helper()
	found := sigmaText.FindStringSubmatch(said)
	if found == nil {
		x.Fatalf("roostctl ring zones does not say sigma:\n%s", said)
	}
	s, err := strconv.ParseFloat(found[1], 64)
	x.must(err)
	return s
}
