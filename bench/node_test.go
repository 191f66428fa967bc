package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/loadgen/scenario"
)

// TestNodeEndToEnd: every part of a node's report, with few devices: what it
// measures is not looked at, but that everything is measured.
func TestNodeEndToEnd(t *testing.T) {
	dir := buildRoost(t)
	t.Parallel()
	var out bytes.Buffer
	x, err := newNodeRun(NodeOptions{Roostd: dir + "/roostd", Loadgen: dir + "/loadgen", Out: dir + "/out", Quick: true,
		Hold: 500 * time.Millisecond, Settle: time.Millisecond}, &out)
	if err != nil {
		t.Fatal(err)
	}
	x.scale = 200
	if err := x.memory(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := x.recovery(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := x.publishersWith(t.Context(), "2", []string{"GOMAXPROCS=2"}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"| 25 | ", "| 50 | ", "| 75 | ", "B per device**", "| connecting | ", "| broadcast | ", "| large messages | ", "| slow readers | ",
		"| 2 | none | ", "| 2 | echo, 30,000/s | "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "come-") {
		t.Error(text)
	}
	if files, _ := filepath.Glob(dir + "/out/runs/*.json"); len(files) != 2+3+2 {
		t.Errorf("results: %v", files)
	}
}

// TestScenariosAreRight: those that are embedded here.
func TestScenariosAreRight(t *testing.T) {
	dir := t.TempDir()
	if err := writeScenarios(dir); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(dir + "/*.yaml")
	if len(files) < 5 {
		t.Errorf("files: %v", files)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := scenario.Parse(file, text, scenario.ParseOptions{Params: needed(text), Overrides: scenario.Overrides{APIs: []string{"http://127.0.0.1:1"}, URLs: []string{"ws://127.0.0.1:2/"}}}); err != nil {
			t.Error(err)
		}
	}
}

// needed gives a value to the parameter that has no default.
func needed(text []byte) map[string]string {
	if strings.Contains(string(text), "${restart}") {
		return map[string]string{"restart": "true"}
	}
	return nil
}

// TestNodeIsEnded: what was measured until then is written.
func TestNodeIsEnded(t *testing.T) {
	dir := t.TempDir()
	o := NodeOptions{Roostd: "/bin/false", Loadgen: "/bin/false", Out: dir, Quick: true, Only: []string{"memory", "limit"}}
	var out bytes.Buffer
	if err := RunNode(t.Context(), o, &out); err == nil || !strings.Contains(err.Error(), "memory: ") {
		t.Errorf("got %v", err)
	}
	report, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil || !strings.Contains(string(report), "# One node") || !strings.Contains(string(report), "This is not all: memory: ") {
		t.Errorf("%v\n%s", err, report)
	}
	o.Only, o.Out = []string{"memroy"}, filepath.Join(dir, "none")
	if err := RunNode(t.Context(), o, &out); err == nil || !strings.Contains(err.Error(), `"memroy": want memory, limit`) {
		t.Errorf("got %v", err)
	}
}

// TestKeptIsEnded: the same of kept messages.
func TestKeptIsEnded(t *testing.T) {
	dir := t.TempDir()
	o := KeptOptions{Roostd: "/bin/false", Loadgen: "/bin/false", Out: dir, Data: dir, Quick: true, Only: []string{"idle"}}
	var out bytes.Buffer
	if err := RunKept(t.Context(), o, &out); err == nil || !strings.Contains(err.Error(), "idle: ") {
		t.Errorf("got %v", err)
	}
	report, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil || !strings.Contains(string(report), "This is not all: idle: ") {
		t.Errorf("%v\n%s", err, report)
	}
	o.Only = []string{"crahs"}
	if err := RunKept(t.Context(), o, &out); err == nil || !strings.Contains(err.Error(), `"crahs": want push`) {
		t.Errorf("got %v", err)
	}
}
