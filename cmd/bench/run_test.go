package main

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"roost/bench/experiment"
)

func TestParseRun(t *testing.T) {
	o, err := parseRun([]string{"fan-out", "--server", "A=./a --listen 127.0.0.1:{port} 'x y'", "--out", "o", "--server", "B=b", "--as", "B=centrifugo",
		"--url", "A=ws://127.0.0.1:{port}/a?b=c", "--env", "B:GOGC=50", "-p", "count=2", "--pairs", "3", "--", "--workers", "2"}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	roost, other := experiment.Adapters["roost"], experiment.Adapters["centrifugo"]
	roost.Name, roost.Command, roost.URL = "A", []string{"./a", "--listen", "127.0.0.1:{port}", "x y"}, "ws://127.0.0.1:{port}/a?b=c"
	other.Name, other.Command, other.Env = "B", []string{"b"}, []string{"GOGC=50"}
	if !reflect.DeepEqual(o.Servers, []experiment.Server{roost, other}) || o.Scenario != "fan-out" || o.Pairs != 3 || o.Params[0] != "count=2" || len(o.Extra) != 2 {
		t.Errorf("%+v", o)
	}
	for args, says := range map[string]string{
		"a b":                         "takes one scenario",
		"--server A":                  "must be NAME=COMMAND",
		"--server A='x":               "quote",
		"--server A=x --as nginx":     "no kind of server",
		"--server A=x --as C=roost":   "no --server is named C",
		"--server A=x --env C:GOGC=1": "must be NAME:KEY=VALUE",
		"--min-effect 2":              "must be a share",
	} {
		if _, err := parseRun(strings.Fields(args), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
