package crossnode

import (
	"strconv"
	"strings"
)

// Calls are what Redis says of a command: how often, and for how long it was busy with it.
type Calls struct {
	PerDelivery float64 `json:"per_delivery"`
	Micros      float64 `json:"us_per_call"`
}

// commands are the counts of INFO commandstats, by command: calls, and microseconds.
type commands map[string][2]float64

// parseCommands reads INFO commandstats.
func parseCommands(info string) commands {
	all := commands{}
	for line := range strings.Lines(info) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cmdstat_"), ":")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		var both [2]float64
		for field := range strings.SplitSeq(rest, ",") {
			key, value, _ := strings.Cut(field, "=")
			v, err := strconv.ParseFloat(value, 64)
			switch {
			case err != nil:
			case key == "calls":
				both[0] = v
			case key == "usec":
				both[1] = v
			}
		}
		all[name] = both
	}
	return all
}

// inScripts is how long Redis was busy with scripts, microseconds a delivery. A call may be of many messages, so what one of
// those takes says less.
func inScripts(c map[string]Calls) (us float64) {
	for _, name := range []string{"eval", "evalsha"} {
		us += c[name].PerDelivery * c[name].Micros
	}
	return us
}

// since returns what came behind before, for so many deliveries; what came less than once in
// a hundred of them is left out.
func (c commands) since(before commands, deliveries int) map[string]Calls {
	all := map[string]Calls{}
	for name, now := range c {
		calls, us := now[0]-before[name][0], now[1]-before[name][1]
		if calls > 0 && calls*100 >= float64(deliveries) {
			all[name] = Calls{PerDelivery: calls / float64(max(1, deliveries)), Micros: us / calls}
		}
	}
	return all
}
