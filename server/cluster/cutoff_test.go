package cluster

import (
	"strings"
	"testing"

	"roost/ring"
)

// TestCutOffNodesDoNotJoin: a node that says that it does not reach Redis, as where that was named
// wrongly, comes into the ring when it does, or when nobody does.
func TestCutOffNodesDoNotJoin(t *testing.T) {
	abc := built(t, 1, "a", "b", "c")
	for name, tt := range map[string]struct {
		members string // "+": reaches Redis, "-": does not
		stable  *ring.Ring
		want    string
		why     string
	}{
		"it does not":                 {"a+ b+ c+ d-", abc, "nothing", "do not reach Redis, which others do: d"},
		"nor does another one":        {"a+ b- c- d-", abc, "nothing", "d"},
		"it does":                     {"a+ b+ c+ d+", abc, "join: d=1", ""},
		"one of two":                  {"a+ b+ c+ d- e+", abc, "join: e=1", ""},
		"it does not say":             {"a+ b+ c+ d", abc, "join: d=1", ""},
		"nobody does":                 {"a- b- c- d-", abc, "join: d=1", ""},
		"the others do not say":       {"a b c d-", abc, "join: d=1", ""},
		"only those outside the ring": {"a- b- c- d- e+", abc, "join: d=1 e=1", ""},
		"the first ring of all":       {"a+ b-", nil, "first: a=1 b=1", ""},
		"who is in the ring stays":    {"a+ b+ c-", abc, "nothing", ""},
	} {
		v := planView(50, "")
		for _, id := range strings.Fields(tt.members) {
			in := Inputs{}
			if redis := strings.HasSuffix(id, "+"); redis || strings.HasSuffix(id, "-") {
				in.Redis = &redis
			}
			id = strings.Trim(id, "+-")
			inputs, err := in.Encode()
			if err != nil {
				t.Fatal(err)
			}
			v.Members[id], v.Weights[id] = member(id), Weight{Value: 10_000, Inputs: inputs}
		}
		if d, _ := decideInTime(v, tt.stable, nil); said(d) != tt.want || !strings.Contains(d.Why, tt.why) {
			t.Errorf("%s: %q (%s), want %q", name, said(d), d.Why, tt.want)
		}
	}
}
