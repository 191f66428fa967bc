package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
)

// TestExercises: the parameters are those of the scenarios, with values that can
// be run, and the metrics are of phases and groups that are there.
func TestExercises(t *testing.T) {
	o := ScenariosOptions{Hold: 10 * time.Second}
	for _, e := range o.exercises() {
		text, err := scenario.ReadShipped(e.scenario)
		if err != nil {
			t.Error(err)
			continue
		}
		params := map[string]string{}
		for _, p := range e.params {
			name, value, _ := strings.Cut(p, "=")
			params[name] = value
		}
		s, err := scenario.Parse(e.scenario, text, scenario.ParseOptions{Params: params})
		if err != nil {
			t.Errorf("%s: %v", e.name, err)
			continue
		}
		r := &result.Result{}
		for _, g := range s.Groups {
			r.Scenario.Groups = append(r.Scenario.Groups, result.Group{Name: g.Name})
		}
		for _, p := range s.Phases {
			r.Phases = append(r.Phases, result.Phase{Name: p.Name})
		}
		for _, name := range e.metrics {
			if _, ok, why := r.Lookup(name); !ok && !strings.HasPrefix(why, "there is no value of") {
				t.Errorf("%s: %s: %s", e.name, name, why)
			}
		}
	}
}

func TestRunScenariosEndToEnd(t *testing.T) {
	dir := buildRoost(t)
	t.Parallel()
	o := ScenariosOptions{Roostd: dir + "/roostd", Loadgen: dir + "/loadgen", Out: dir + "/out", Quick: true, Hold: 500 * time.Millisecond,
		Only: []string{"echo", "targeted-kept"}}
	var out bytes.Buffer
	if err := RunScenarios(t.Context(), o, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	text, err := os.ReadFile(filepath.Join(o.Out, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n| echo | count=200 hold=500ms", "\n| targeted-kept |", "publish_ack.p99 ", "server.cpu_per_msg "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "lost == 0") {
		t.Errorf("messages were lost:\n%s", text)
	}
	o.Only = []string{"nightmare"}
	if err := RunScenarios(t.Context(), o, &out); err == nil || !strings.Contains(err.Error(), "nightmare") {
		t.Errorf("got %v", err)
	}
}
