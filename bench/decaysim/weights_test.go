package decaysim

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/decay/plant"
)

// TestDecayReport: every scenario has its table, its picture and its raw results.
func TestDecayReport(t *testing.T) {
	scenarios := plant.Scenarios(1)
	for i := range scenarios {
		s := &scenarios[i].Settings
		s.Nodes, s.Connections, s.Run, s.Warmup = 3, 1e5, 48*time.Minute, 40*time.Minute
	}
	opt := WeightsOptions{Out: filepath.Join(t.TempDir(), "report"), Seed: 1, Seeds: 1, Command: []string{"bench", "decay-report"}}
	if err := runWeights(context.Background(), opt, scenarios, io.Discard); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(opt.Out, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	report := read("report.md")
	if strings.Contains(report, "NaN") || strings.Contains(report, "%!") {
		t.Errorf("the report has what is no number:\n%s", report)
	}
	runs := 0
	for _, s := range scenarios {
		if !strings.Contains(report, "## "+s.Name+": "+s.Text) {
			t.Errorf("the report lacks scenario %s", s.Name)
		}
		if svg := read(s.Name + ".svg"); !strings.Contains(svg, s.Policies[0].Name) {
			t.Errorf("the picture of %s lacks %q", s.Name, s.Policies[0].Name)
		}
		if _, ok := weightsPictures[s.Name]; !ok {
			t.Errorf("scenario %s has no picture", s.Name)
		}
		runs += len(s.Policies)
	}
	for _, b := range besides {
		if !strings.Contains(report, "| "+b.scenario+" | "+b.policy+" | "+b.figure+" | "+b.there+" |") {
			t.Errorf("the report lacks the figure %+v", b)
		}
	}
	var raw struct {
		Runs []struct{ Result plant.Result }
	}
	if err := json.Unmarshal([]byte(read("results.json")), &raw); err != nil || len(raw.Runs) != runs {
		t.Errorf("%d runs in results.json, want %d: %v", len(raw.Runs), runs, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	opt.Out += "-2"
	if err := runWeights(ctx, opt, scenarios, io.Discard); err == nil {
		t.Error("a run that is cancelled goes on")
	}
}
