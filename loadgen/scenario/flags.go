package scenario

import (
	"fmt"
	"strings"
)

// FlagValues is what a command line offers for the simple cases. Empty fields
// leave the scenario's default; numbers are written as in a file.
type FlagValues struct {
	// Preset is idle, echo, fanout, targeted, storm, churn or slow, or the name
	// of any shipped scenario.
	Preset string
	// Values of the preset's parameters.
	Count  string // clients
	Rate   string // messages a second: 100/s
	Size   string // of payloads: 128B
	Hold   string // how long each measured phase lasts: 30s
	Warmup string // how long load is on before: 5s
	Ramp   string // dials a second: 1000/s
	Share  string // of a storm's victims, of slow or silent readers: 10%
	Churn  string // connections that end a second: 50/s
	Class  string // of messages: live or kept
	// Params are further parameters of the preset, by name.
	Params map[string]string
	Overrides
}

// presets are short names of shipped scenarios.
var presets = map[string]string{
	"idle": "idle-density", "echo": "echo", "fanout": "fan-out", "targeted": "targeted-push",
	"storm": "reconnect-storm", "churn": "churn", "slow": "slow-readers",
}

// FromFlags returns the preset with the values that were given. The error is a
// Problems, or says that there is no such preset.
func FromFlags(v FlagValues) (*Scenario, error) {
	text, err := ReadShipped(v.Preset)
	if err != nil {
		return nil, err
	}
	name := v.Preset
	if full, short := presets[name]; short {
		name = full
	}
	params := map[string]string{}
	for k, value := range v.Params {
		params[k] = value
	}
	var found findings
	given := v.given(text, params, &found)
	if len(found.list) > 0 {
		return nil, found.problems()
	}
	return Parse(name+".yaml", text, ParseOptions{Params: given, Overrides: v.Overrides, shipped: true})
}

// given adds the flags to params, after a look at each: a mistake is one of the
// flag then, and not one of a file that the user has not seen.
func (v *FlagValues) given(text []byte, params map[string]string, found *findings) map[string]string {
	_, known := About(text)
	for _, flag := range []struct {
		name, value string
		parse       func(string) error
	}{
		{"count", v.Count, discard(parseCount)},
		{"rate", v.Rate, discard(parseRate)},
		{"size", v.Size, discard(parseSize)},
		{"hold", v.Hold, discard(parseDuration)},
		{"warmup", v.Warmup, discard(parseDuration)},
		{"ramp", v.Ramp, discard(parseRate)},
		{"share", v.Share, discard(parseShare)},
		{"churn", v.Churn, discard(parseRate)},
		{"class", v.Class, discard(parseText)},
	} {
		if flag.value == "" {
			continue
		}
		if err := flag.parse(flag.value); err != nil {
			found.add(place{}, flag.name, "--%s: %v", flag.name, err)
		} else if !hasParam(known, flag.name) {
			found.add(place{}, flag.name, "--%s: %s has none; it has: %s", flag.name, v.Preset, strings.Join(known, ", "))
		}
		params[flag.name] = flag.value
	}
	return params
}

func discard[T any](parse func(string) (T, error)) func(string) error {
	return func(text string) error {
		_, err := parse(text)
		return err
	}
}

// hasParam looks for a parameter in the list of About.
func hasParam(known []string, name string) bool {
	for _, k := range known {
		if strings.HasPrefix(k, name+"=") {
			return true
		}
	}
	return false
}

// String names the scenario for messages.
func (s *Scenario) String() string {
	return fmt.Sprintf("%s (%d clients, %d phases)", s.Name, s.Clients.Count, len(s.Phases))
}
