package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"roost/bench/chaos"
)

func TestParseChaos(t *testing.T) {
	var out bytes.Buffer
	o, err := parseChaos([]string{"node-kill", "--devices", "500", "etcd-kill", "--limit=1m"}, &out)
	if err != nil || strings.Join(o.Scenarios, " ") != "node-kill etcd-kill" || o.Devices != 500 || o.Limit != time.Minute {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := parseChaos([]string{"--help"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
	for _, name := range chaos.Names() {
		if !strings.Contains(out.String(), "  "+name+" ") {
			t.Errorf("help does not list %s:\n%s", name, out.String())
		}
	}
	for _, bad := range [][]string{{"--devices", "x"}, {"--", "x"}, {"--nothing"}} {
		if _, err := parseChaos(bad, &out); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	if err := runChaos(t.Context(), []string{"earthquake"}, &out); err == nil || !strings.Contains(err.Error(), `no scenario "earthquake"`) {
		t.Errorf("a scenario that there is not: %v", err)
	}
}
