package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"roost/server/cluster"
)

// keys collects the names of all fields below v, with those above.
func keys(v any, path string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			into[k] = true
			keys(x, path+"."+k, into)
		}
	case []any:
		for _, x := range v {
			keys(x, path, into)
		}
	}
}

// documented fails for fields of an answer that docs/ROOSTCTL.md does not name.
func documented(t *testing.T, what, answer string) map[string]bool {
	t.Helper()
	doc, err := os.ReadFile("../../docs/ROOSTCTL.md")
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal([]byte(answer), &v); err != nil {
		t.Fatalf("%s: %v:\n%s", what, err, answer)
	}
	found := map[string]bool{}
	keys(v, "", found)
	for k := range found {
		if !strings.Contains(string(doc), "`"+k+"`") {
			t.Errorf("%s: docs/ROOSTCTL.md does not name the field %q", what, k)
		}
	}
	return found
}

// TestJSON: what scripts read, each field of it documented.
func TestJSON(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@a", "n3@b", "n4@b")
	if _, err := d.c.Drains().Start(limit(t), "n4", cluster.Drain{Over: cluster.MostOver, By: "somebody", Why: "kernel"}); err != nil {
		t.Fatal(err)
	}
	d.set("n4", func(n *deskNode) { n.drain = &cluster.DrainProgress{Left: 7, Moved: 3} })
	d.sees("the drain", func(v *cluster.View) bool { return progressOf(v, "n4") != nil })
	for _, tt := range []struct {
		code int
		line string
		want string // fields
	}{
		{0, "ring plan --json", "change why from kept broken doubts nodes"},
		{0, "ring plan --json --set n1:0.99", "to moved minimum collateral devices devices_total over_ms weight_after share_after measured flows zones"},
		{1, "ring plan --json --remove n1 --remove n2", "rule reason"},
		{0, "ring versions --json", "stored versions hash is past activation"},
		{0, "ring status --json", "cluster pointer nodes state in_ring next"},
		{0, "ring zones --json", "targets sigma sigma_after moved_slots least_slots target factor weights"},
		{0, "drain --json", "node over_ms at by why left moved"},
		{0, "night status --json", "plan nights nodes factor"},
		{0, "route --device x --json", "device node zone url next ring rh id_hash slot"},
		{1, "route --device x --json --hash 0123456789abcdef", "rh"}, // the verdict is not in it
	} {
		out := d.want(tt.code, tt.line)
		found := documented(t, tt.line, out)
		for _, want := range strings.Fields(tt.want) {
			if !found[want] {
				t.Errorf("%s has no %s:\n%s", tt.line, want, out)
			}
		}
	}
	var p planJSON
	out := d.want(1, "ring plan --json --remove n1 --remove n2")
	if err := json.Unmarshal([]byte(out), &p); err != nil || p.Kept || len(p.Broken) == 0 || p.Moved < 0.4 || p.Nodes[0].Leave != 3000 || p.To != 2 {
		t.Errorf("%v: %s", err, out)
	}
	d.want(2, "drain n1 --json", "leave NODE out")
	d.want(2, "ring zones --json --save", "leave --save")
}
