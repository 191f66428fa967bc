package rings

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFourth: a fourth equal node takes a quarter, and nothing moves between the
// others.
func TestFourth(t *testing.T) {
	j, err := Fourth(200_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.ok(); err != nil {
		t.Errorf("%v: %+v", err, j)
	}
	sum := 0
	for _, n := range j.After {
		sum += n
	}
	if sum != j.IDs || len(j.Before) != 3 || len(j.After) != 4 || j.Moved != j.After["node-4"] {
		t.Errorf("%+v", j)
	}
	bad := *j
	if bad.Between = 1; bad.ok() == nil {
		t.Error("an id that moved between the others is no fault")
	}
	bad = *j
	if bad.Share = 0.28; bad.ok() == nil {
		t.Error("28 % is no fault")
	}
}

// TestRun: a short run against a real etcd.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts etcd with a hundred nodes")
	}
	folder := t.TempDir()
	var out bytes.Buffer
	o := Options{Out: folder, Etcd: os.Getenv("ETCD"), IDs: 10_000, Nodes: 20, Changes: 30, Command: []string{"bench", "rings"}}
	if err := Run(context.Background(), o, &out); err != nil && !strings.Contains(err.Error(), "p99") { // this machine may be busy
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(folder, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r results
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"compute", "swap", "whole"} {
		if h := r.Swapped.Stages[stage]; h == nil || h.Count() != 30 {
			t.Errorf("%s: %v", stage, h)
		}
	}
	if n := r.Swapped.Stages["capture"].Count(); n < 30 {
		t.Errorf("%d captures", n)
	}
	if !strings.Contains(out.String(), "| whole | 30 |") {
		t.Errorf("%s", out.String())
	}
	if err := Run(context.Background(), Options{IDs: 1}, &out); err == nil {
		t.Error("one id is taken")
	}
}
