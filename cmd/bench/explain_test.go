package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestExplainErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{{nil, "takes one folder"}, {[]string{t.TempDir()}, "no folder of bench run"}, {[]string{"--nope"}, "bench explain --help"}} {
		var out bytes.Buffer
		if err := run(t.Context(), append([]string{"explain"}, c.args...), &out, &out); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.args, err)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"nothing"}, &out, &out); err == nil || !strings.Contains(out.String(), "explain") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
