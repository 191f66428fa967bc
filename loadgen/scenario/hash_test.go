package scenario

import "testing"

const hashed = `
name: a
description: b
target: {url: "ws://a:1/x", api: "http://a:2", dialect: plain}
clients: {count: 20}
phases:
  - {name: ramp, ramp: {}}
  - {name: hold, publish: {to: all, rate: 5/s}, for: 10s}
  - {name: storm, storm: {how: server, hook: restart}}
thresholds: [lost == 0]
server: {restart: x}
`

// TestHash: what changes the load changes the hash, and nothing else does.
func TestHash(t *testing.T) {
	hash := parse(t, hashed, ParseOptions{}).Hash()
	if len(hash) != 64 {
		t.Fatal(hash)
	}
	seed := uint64(2)
	for name, c := range map[string]struct {
		text string
		o    Overrides
		same bool
	}{
		"hosts":      {hashed, Overrides{URLs: []string{"ws://b:9/x"}, APIs: []string{"http://c:2"}}, true},
		"thresholds": {hashed, Overrides{Thresholds: []string{"delivery.p99 < 5ms"}}, true},
		"server":     {hashed, Overrides{PIDs: []int{5}, Restart: "y"}, true},
		"validity":   {hashed + "validity: {psi: off}\n", Overrides{}, true},
		"comment":    {hashed + "# c\n", Overrides{}, true},
		"default":    {hashed + "measure: {interval: 1s}\n", Overrides{}, true},
		"path":       {hashed, Overrides{URLs: []string{"ws://a:1/y"}}, false},
		"more URLs":  {hashed, Overrides{URLs: []string{"ws://a:1/x", "ws://b:1/x"}, APIs: []string{"http://a:2", "http://b:2"}}, false},
		"seed":       {hashed, Overrides{Seed: &seed}, false},
		"dialect":    {hashed, Overrides{Dialect: "mqtt"}, false},
		"deadline":   {hashed + "measure: {deadline: 9s}\n", Overrides{}, false},
	} {
		got := parse(t, c.text, ParseOptions{Overrides: c.o}).Hash()
		if (got == hash) != c.same {
			t.Errorf("%s: same %t, want %t", name, got == hash, c.same)
		}
	}
}

// TestHashChangesNothing: the scenario is what it was, replays included.
func TestHashChangesNothing(t *testing.T) {
	s := parse(t, "phases: [{name: ramp, ramp: {}}, {name: a, publish: {to: all, arrival: {replay: {file: t.csv, times: \"0s 1s\"}}}, for: 10s}]", ParseOptions{})
	before := string(s.Text())
	s.Hash()
	if string(s.Text()) != before {
		t.Errorf("%s", s.Text())
	}
}
