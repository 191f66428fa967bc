package chaos

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"roost/bench/chaos/rig"
)

// weightScenarios are about weights that follow load.
var weightScenarios = []Scenario{
	{Name: "weights-act", About: "the devices of one node get many times what the others get: its weight falls, versions move some of its devices away, the load evens, and then it is quiet",
		Rate: 1000, Rig: even, Pace: 10, Hurt: weightsAct},
}

// What is done, for how long, and what is wanted. Times are at a pace of 1.
const (
	hotRate    = 1500              // live messages a second to the devices that n1 has at first, one a request
	hotFor     = 100 * time.Minute // ten steps of weights (server/member: DefaultControl)
	hotJudged  = 25 * time.Minute  // the last of them
	weightBand = 0.10              // by which a weight differs before a version is made of it (server/cluster: PlanSettings)
	mostUneven = 0.5               // of the load above the mean at first, that may be left
	mostLate   = 2                 // versions in the last part: one every ten minutes is none too many
)

func weightsAct(x *trial) {
	x.awaitCounts()
	from, were := x.now(), x.fleet.Where()
	h := newHeat(x, x.on("n1"))
	x.say("%d devices of n1 get %d messages a second besides", len(h.devices), hotRate)
	x.Cleanup(h.end)
	h.begin()
	for end := x.now() + x.paced(hotFor); x.now() < end; x.pause(time.Second) {
		h.look()
	}
	h.end()
	sent, failed := h.sent.Load(), h.failed.Load()
	x.say("the load has ended: %d messages, %d requests failed", sent, failed)
	h.judge(from)
	x.awaitStill(5*time.Second, 3*time.Minute)
	x.number("moved_devices", float64(len(x.moved(were))))
	x.unbroken(from)
	x.tell("ring", "versions")
}

// seenLoad is the cluster at one moment.
type seenLoad struct {
	at      time.Duration
	over    float64 // CPU of n1 over the mean of all, less 1
	weight  float64 // weight that n1 publishes over the mean
	devices int     // on n1
}

// course is what becomes of weights, loads and versions.
type course struct {
	seen     []seenLoad
	rings    map[string]float64 // weights that the ring was made of last
	stable   uint64
	canary   uint64
	versions []time.Duration // when a trial of each began
	early    []string        // versions that nothing asked for
	said     time.Duration
}

// look notes how things are. It belongs to the trial's goroutine.
func (h *heat) look() {
	x, c := h.x, &h.course
	weights, p := x.weights(), x.pointer()
	if c.rings == nil {
		c.rings, c.stable = valuesOf(weights), p.Stable
	}
	if p.Canary != 0 && p.Canary != c.canary {
		c.versions = append(c.versions, x.now())
		off := mostOff(c.rings, weights)
		if off < weightBand-0.02 { // what is read here may be a step younger or older
			c.early = append(c.early, fmt.Sprintf("version %d, weights were off by %.1f %% at most: %s", p.Canary, 100*off, p.Why))
		}
		c.rings = valuesOf(weights)
		x.say("canary %d: %s", p.Canary, p.Why)
	}
	if p.Canary == 0 && c.canary != 0 {
		x.say("its trial has ended: %s", p.Why)
	}
	c.canary, c.stable = p.Canary, p.Stable
	cpu, mean, value := weights["n1"].CPU, 0.0, 0.0
	for _, w := range weights {
		mean += w.CPU / float64(len(weights))
		value += w.Value / float64(len(weights))
	}
	if mean == 0 || value == 0 {
		return
	}
	now := seenLoad{x.now(), cpu/mean - 1, weights["n1"].Value / value, len(x.on("n1"))}
	c.seen = append(c.seen, now)
	if c.said == 0 || now.at-c.said >= 30*time.Second {
		c.said = now.at
		x.say("%s", weightsText(weights)+fmt.Sprintf("; load of n1 %+.0f %% of the mean", 100*now.over))
	}
}

func valuesOf(weights map[string]rig.Weight) map[string]float64 {
	values := map[string]float64{}
	for id, w := range weights {
		values[id] = w.Value
	}
	return values
}

// mostOff is by how much a weight differs at most from what it was.
func mostOff(were map[string]float64, weights map[string]rig.Weight) (off float64) {
	for id, w := range weights {
		if was := were[id]; was > 0 {
			off = max(off, math.Abs(w.Value/was-1))
		}
	}
	return off
}

func weightsText(weights map[string]rig.Weight) string {
	var words []string
	for _, id := range slices.Sorted(maps.Keys(weights)) {
		w := weights[id]
		words = append(words, fmt.Sprintf("%s weight %.0f, %d devices, CPU %.0f %%", id, w.Value, w.Connections, w.CPU))
	}
	return strings.Join(words, "; ")
}

// mean is that of something over a stretch of time.
func (c *course) mean(from, to time.Duration, of func(*seenLoad) float64) float64 {
	sum, n := 0.0, 0
	for i := range c.seen {
		if s := &c.seen[i]; s.at >= from && s.at < to {
			sum, n = sum+of(s), n+1
		}
	}
	return sum / float64(max(n, 1))
}

// judge says what did not come about.
func (h *heat) judge(from time.Duration) {
	x, c := h.x, &h.course
	now := x.now()
	judged := now - x.paced(hotJudged)
	over := func(s *seenLoad) float64 { return s.over }
	moved := judged
	if len(c.versions) > 0 {
		moved = c.versions[0]
	}
	// What is measured is that of some seconds ago, smoothed: the first half of a step says little.
	first, last := c.mean(from+x.paced(stepTime)/2, moved, over), c.mean(judged, now, over)
	late := 0
	for _, at := range c.versions {
		if at >= judged {
			late++
		}
	}
	weight := c.seen[len(c.seen)-1].weight
	x.number("versions", float64(len(c.versions)))
	x.number("versions_at_the_end", float64(late))
	x.number("load_over_mean_first", first)
	x.number("load_over_mean_last", last)
	x.number("weight_over_mean_last", weight)
	x.number("devices_last", float64(c.seen[len(c.seen)-1].devices))
	for _, early := range c.early {
		x.fault("a version without a reason: %s", early)
	}
	switch {
	case first < 0.2:
		x.miss("n1 had %.0f %% more than the mean: too little to show anything", 100*first)
	case weight > 0.95:
		x.fault("the weight of n1 did not fall: it is %.2f of the mean, with a load %.0f %% above it", weight, 100*first)
	case len(c.versions) == 0:
		x.fault("no version was made, though the weight of n1 is %.2f of the mean", weight)
	case last > mostUneven*first:
		x.miss("the load of n1 is %.0f %% above the mean at the end, %.0f %% at first", 100*last, 100*first)
	case late > mostLate:
		x.fault("%d versions in the last %v: it flaps", late, x.paced(hotJudged))
	}
}

// stepTime is the time between steps of a weight.
const stepTime = 10 * time.Minute
