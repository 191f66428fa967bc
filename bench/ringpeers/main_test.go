package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"roost/bench/ringpeers/internal/measure"
	"roost/bench/ringpeers/internal/subject"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestQuick runs everything, small, and looks at what does not depend on the
// machine's load.
func TestQuick(t *testing.T) {
	folder := t.TempDir()
	var out, errout bytes.Buffer
	if err := run(context.Background(), []string{"--quick", "--nodes", "4", "--out", folder}, &out, &errout); err != nil {
		t.Fatalf("%v\n%s", err, errout.String())
	}
	data, err := os.ReadFile(filepath.Join(folder, "raw.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r measure.Result
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	subjects := len(subject.All())
	// A floor beside the times, which have two rows each; two numbers of points, up and down.
	if len(r.Subjects) != subjects || len(r.Times) != 2*subjects+1 || len(r.Memory) != subjects || len(r.Balance) != subjects || len(r.Reweights) != 4 {
		t.Errorf("of %d subjects: %d names, %d times, %d sizes, %d balances; %d reweights",
			subjects, len(r.Subjects), len(r.Times), len(r.Memory), len(r.Balance), len(r.Reweights))
	}
	lanes := map[string]bool{}
	for _, row := range r.Lookups {
		lanes[row.Lane] = true
		if len(row.Rounds) != r.Options.Rounds || row.Ops < 1 {
			t.Errorf("%s, %s: %d rounds of %d lookups", row.Lane, row.Mode, len(row.Rounds), row.Ops)
		}
		if row.Kind == subject.KindRoost && row.Allocs != nil && *row.Allocs != 0 {
			t.Errorf("%s allocates %v times", row.Lane, *row.Allocs)
		}
	}
	for _, s := range subject.All() {
		if !s.Roost && !lanes[s.Name] {
			t.Errorf("no lookups by %s", s.Name)
		}
	}
	for _, row := range r.Reweights {
		if row.Collateral != 0 || row.Unlike != 0 || len(row.Moved) != 4 {
			t.Errorf("reweights of %d x %d: %+v", row.Nodes, row.Points, row)
		}
	}
	report, err := os.ReadFile(filepath.Join(folder, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A quick run", "## Goals", "## Lookup, two threads", "## Build", "## Memory", "4 nodes", "serialx/hashring"} {
		if !strings.Contains(string(report), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestRefusedArguments(t *testing.T) {
	for _, args := range [][]string{{"lookup"}, {"--nodes", "many"}, {"--nodes", "1"}, {"--only", "nothing"}, {"--keys", "1000"}, {"--unknown"}} {
		var out, errout bytes.Buffer
		if err := run(context.Background(), args, &out, &errout); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
