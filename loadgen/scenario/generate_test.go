package scenario

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

// drawText draws a scenario file that has no mistakes, with keys left out at
// random.
func drawText(t *rapid.T) string {
	g := generator{t}
	text := fmt.Sprintf("name: %s\n", g.name())
	text += g.maybe("description: %q\n", rapid.StringMatching(`[a-z "\\'#:{}$\[\]éß-]{0,20}`).Draw(t, "words"))
	text += g.maybe("seed: %d\n", rapid.Uint64().Draw(t, "seed"))
	count := rapid.IntRange(10, 100_000).Draw(t, "count")
	text += fmt.Sprintf("clients: {count: %d%s%s}\n", count, g.maybe(", window: %d", g.int(1, 1000)), g.maybe(", rcvbuf: %dKiB", g.int(0, 64)))
	if g.bool() {
		text += "groups: [{name: healthy, answer_ping: false}, {name: slow, share: 1.7%, read: {rate: 3KiB/s}}]\n"
	}
	text += fmt.Sprintf("topics: {count: 10, per_client: 3%s}\n", g.maybe(", popularity: {zipf: %v}", float64(g.int(0, 30))/10))
	text += g.maybe("reconnect: {policy: full_jitter, base: %s, cap: 1h}\n", g.duration())
	text += g.maybe("measure: {deadline: %dms, kernel_stamps: %d%%}\n", g.int(1, 60_000), g.int(0, 100))
	text += g.maybe("thresholds: [\"delivery.p99 < %dms\", lost == 0]\n", g.int(1, 1000))
	text += g.maybe("validity: {psi: off, cpu: %d%%, hiccup: 3ms}\n", g.int(1, 100))
	text += g.maybe("server: {pid: [%d], kill: \"kill ${PID:-%d}\"}\n", g.int(1, 99), g.int(1, 9))
	text += "phases:\n  - {name: up, ramp: {rate: 10k/s" + g.maybe(", burst: %d", g.int(1, 5)) + "}}\n"
	for i := range g.int(0, 5) {
		text += g.phase(i, count)
	}
	return text
}

// generator draws parts of a file.
type generator struct{ t *rapid.T }

func (g generator) bool() bool         { return rapid.Bool().Draw(g.t, "bool") }
func (g generator) int(lo, hi int) int { return rapid.IntRange(lo, hi).Draw(g.t, "int") }
func (g generator) name() string {
	return rapid.StringMatching(`[a-z][a-z0-9_-]{0,10}`).Draw(g.t, "name")
}
func (g generator) rate() string     { return fmt.Sprintf("%v/s", float64(g.int(1, 1000))/8) }
func (g generator) duration() string { return time.Duration(g.int(1, 1_000_000_000)).String() }

func (g generator) maybe(format string, args ...any) string {
	if g.bool() {
		return fmt.Sprintf(format, args...)
	}
	return ""
}

func (g generator) phase(i, count int) string {
	text := fmt.Sprintf("  - name: phase-%d\n    for: %ds\n", i, g.int(10, 100)) + g.maybe("    warmup: %t\n", g.bool())
	switch g.int(0, 5) {
	case 0:
		text += "    churn: {" + g.arrival() + g.maybe(", how: rst") + "}\n"
	case 1:
		text += fmt.Sprintf("    storm: {share: %d%%%s}\n", g.int(1, 100), g.maybe(", over: %s", g.duration()))
	case 2:
		text += "    slow: {" + g.maybe("share: %d%%, ", g.int(1, 100)) + "read: {rate: 100B/s}}\n"
	case 3:
		text += fmt.Sprintf("    half_open: {share: 0.%d}\n", g.int(1, 9))
	}
	if g.bool() {
		text += "    publish:\n"
		for range g.int(1, MaxPublish) {
			to := rapid.SampledFrom([]string{"all", "topic", "device", "node"}).Draw(g.t, "to")
			among := ""
			if to == "device" {
				among = g.maybe(", among: %d", g.int(1, count))
			}
			text += "      - {to: " + to + ", " + g.arrival() + among + g.maybe(", class: kept") + g.maybe(", size: {p50: %dB, p99: 4KiB}", g.int(64, 4096)) + g.maybe(", in_flight: %d", g.int(1, MaxInFlight)) + "}\n"
		}
	}
	return text
}

func (g generator) arrival() string {
	switch g.int(0, 6) {
	case 0:
		return fmt.Sprintf("arrival: {linear: {from: %s, to: %s}}", g.rate(), g.rate())
	case 1:
		return fmt.Sprintf("arrival: {step: [%s, %s, 0/s]}", g.rate(), g.rate())
	case 2:
		return fmt.Sprintf("arrival: {spike: {rate: %s, to: %s, at: %s, for: %s}}", g.rate(), g.rate(), g.duration(), g.duration())
	case 3:
		return fmt.Sprintf("arrival: {replay: {times: \"0 %s 1m\"%s}}", g.duration(), g.maybe(", loop: true"))
	case 4:
		return "arrival: at_once" + g.maybe(", burst: %d", g.int(1, 100))
	case 5:
		return "arrival: poisson, rate: " + g.rate()
	}
	return "rate: " + g.rate() + g.maybe(", burst: %d", g.int(1, 100))
}
