package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"roost/bench/compare"
	"roost/bench/cpuprofile"
	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// stack is samples with one stack, the innermost function first.
type stack struct {
	samples int64
	names   []string
}

// made makes a CPU profile up, of samples of 10 ms.
func made(stacks ...stack) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 10e6,
	}
	functions := map[string]*profile.Location{}
	for _, s := range stacks {
		var at []*profile.Location
		for _, name := range s.names {
			if functions[name] == nil {
				id := uint64(len(functions) + 1)
				f := &profile.Function{ID: id, Name: name}
				p.Function = append(p.Function, f)
				functions[name] = &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
				p.Location = append(p.Location, functions[name])
			}
			at = append(at, functions[name])
		}
		p.Sample = append(p.Sample, &profile.Sample{Location: at, Value: []int64{s.samples, s.samples * 10e6}})
	}
	return p
}

// read makes a profile of what was made up, by way of its format.
func read(t *testing.T, p *profile.Profile) *cpuprofile.Profile {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	out, err := cpuprofile.Parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCompareFunctions(t *testing.T) {
	a := profiled{read(t, made(stack{600, []string{"write", "send", "main"}}, stack{400, []string{"parse", "main"}})), 2000}
	// B copies as well, which costs 400 ns; write is called from within itself.
	b := profiled{read(t, made(stack{250, []string{"write", "write", "send", "main"}}, stack{250, []string{"write", "send", "main"}}, stack{333, []string{"parse", "main"}}, stack{167, []string{"copy", "send", "main"}})), 2400}
	list, err := compareFunctions([]profiled{a}, []profiled{b})
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Function{}
	for _, f := range list {
		by[f.Name] = f
	}
	near := func(got, want float64) bool { return math.Abs(got-want) < 1 }
	if f := list[0]; f.Name != "copy" || !f.Beyond() || !near(f.Change, 400.8) || !near(f.Error, 1.96*math.Sqrt(167)*2.4) {
		t.Errorf("first is %+v", f)
	}
	if f := by["send"]; !near(f.OwnA, 0) || !near(f.WholeA, 1200) || !near(f.WholeB, 1600.8) || f.Beyond() {
		t.Errorf("%+v", f)
	}
	if f := by["write"]; !near(f.WholeB, 1200) || f.Beyond() {
		t.Errorf("a function within itself counts once: %+v", f)
	}
	if f := by["main"]; !near(f.WholeA, 2000) || !near(f.WholeB, 2400) {
		t.Errorf("the whole is what a message costs: %+v", f)
	}
	// Two profiles of the same are the mean of them, with a smaller error.
	twice, err := compareFunctions([]profiled{a, a}, []profiled{b, b})
	if err != nil || !near(twice[0].Change, list[0].Change) || !near(twice[0].Error*math.Sqrt2, list[0].Error) {
		t.Errorf("%+v %v", twice[0], err)
	}
	if _, err := compareFunctions([]profiled{a}, []profiled{{read(t, made()), 1}}); err == nil || !strings.HasPrefix(err.Error(), "side B: profile 1") {
		t.Errorf("%v", err)
	}
}

// folder makes the folder of a bench run up: 7 pairs, B costs more in phase hold
// and nothing more in phase warm; profiles only of pairs 3 to 5.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var journal bytes.Buffer
	add := func(line map[string]any) {
		if err := json.NewEncoder(&journal).Encode(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "runs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 7; i++ {
		files := map[string]string{}
		for _, side := range []string{"A", "B"} {
			name := fmt.Sprintf("runs/%02d-%s", i, side)
			hold := 2000 + 10*float64(i)
			p := made(stack{600, []string{"write", "main"}}, stack{400, []string{"parse", "main"}})
			if side == "B" {
				hold *= 1.2
				p = made(stack{500, []string{"write", "main"}}, stack{333, []string{"parse", "main"}}, stack{167, []string{"copy", "main"}})
			}
			if err := result.WriteFile(filepath.Join(dir, name+".json"), run(1000, hold)); err != nil {
				t.Fatal(err)
			}
			entry := map[string]any{"kind": "run", "round": i, "server": side, "file": name + ".json"}
			if i >= 3 && i <= 5 {
				var b bytes.Buffer
				if err := p.Write(&b); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name+".pprof"), b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				entry["profile"] = name + ".pprof"
			}
			add(entry)
			files[side] = name + ".json"
		}
		add(map[string]any{"kind": "round", "round": i, "files": files})
	}
	for name, text := range map[string]string{"journal.jsonl": journal.String(), "experiment.json": `{"scenario":"fan-out","servers":[{"name":"A"},{"name":"B"}]}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run makes a result up, of two phases with what a message costs in each.
func run(first, second float64) *result.Result {
	phase := func(name string, cost float64) result.Phase {
		return result.Phase{Name: name, Length: time.Second, Outcome: "done", Tally: &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Expected: 1000, Delivered: 1000}}}},
			Servers: []result.ServerUse{{CPU: time.Duration(cost * 1000), RSS: -1, PSS: -1, Heap: -1, Stacks: -1, Slab: -1, Sock: -1}}}
	}
	return &result.Result{Schema: result.Schema, ID: "x", Verdict: result.Valid, Started: time.Date(2026, 11, 27, 2, 17, 0, 0, time.UTC),
		Scenario:      result.Scenario{Name: "fan-out", Groups: []result.Group{{Name: "all", Share: 1, Reads: true}}},
		Comparability: result.Comparability{Hash: "h"}, Phases: []result.Phase{phase("first", first), phase("second", second)},
		Servers: []result.Server{{Name: "s", Source: "pid"}}}
}

func TestFolder(t *testing.T) {
	dir := folder(t)
	x, err := Folder(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if x.Verdict != compare.Regressed || len(x.Phases) != 2 || x.Phases[0].Ratio != 1 || math.Abs(float64(x.Phases[1].Ratio)-1.2) > 1e-3 {
		t.Errorf("%s, phases %+v", x.Verdict, x.Phases)
	}
	if m := x.Moves[0]; m.Metric != "second.server.cpu_per_msg" || !m.Clear {
		t.Errorf("most moved: %+v", m)
	}
	if x.RunsA[0] != "runs/04-A.json" || x.RunsB[0] != "runs/04-B.json" || !x.PerMsg {
		t.Errorf("medians %v %v", x.RunsA, x.RunsB)
	}
	var text bytes.Buffer
	if err := x.Text(&text); err != nil {
		t.Fatal(err)
	}
	// (1000 + 2040 x 1.2)/2 ns a message, of which copy has 16.7 %.
	for _, want := range []string{"REGRESSED", "by phase", "second.server.cpu_per_msg", "+287.", "copy", "within the error of counting"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	if x, err = Folder(dir, Options{All: true, Server: "B"}); err != nil || len(x.RunsA) != 3 {
		t.Errorf("all: %v %v", x, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "runs/04-B.pprof"), []byte("<html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{"is no CPU profile": {}, `server "C"`: {Server: "C"}, "no run has a value": {Primary: "nope"}} {
		if _, err := Folder(dir, o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Folder(t.TempDir(), Options{}); err == nil {
		t.Error("a folder of nothing is explained")
	}
}

// TestEmptyProfile: a server that did nothing while it was looked at is no error.
func TestEmptyProfile(t *testing.T) {
	dir := folder(t)
	var b bytes.Buffer
	if err := made().Write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "runs/04-B.pprof"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	x, err := Folder(dir, Options{})
	if err != nil || len(x.Moves) == 0 || !strings.Contains(strings.Join(x.Notes, " "), "side B: profile 1: a profile without samples") {
		t.Errorf("%+v %v", x, err)
	}
}

// TestWithoutProfiles: metrics are explained, and it is said how to get more.
func TestWithoutProfiles(t *testing.T) {
	dir := folder(t)
	names, _ := filepath.Glob(filepath.Join(dir, "runs", "*.pprof"))
	journal, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
	if err != nil || len(names) != 6 {
		t.Fatal(names, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "journal.jsonl"), bytes.ReplaceAll(journal, []byte(`"profile"`), []byte(`"old"`)), 0o644); err != nil {
		t.Fatal(err)
	}
	x, err := Folder(dir, Options{})
	if err != nil || len(x.Functions) != 0 || !strings.Contains(strings.Join(x.Notes, " "), "--pprof") {
		t.Errorf("%+v %v", x, err)
	}
}
