package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/bench/chaos/ledger"
	"roost/bench/chaos/rig"
)

// TestScenarios: each can be found, says what it does, and is found once.
func TestScenarios(t *testing.T) {
	names := Names()
	if len(names) < 16 {
		t.Errorf("%d scenarios", len(names))
	}
	for i, name := range names {
		s := find(name)
		if s == nil || s.Hurt == nil || About(name) == "" || slices.Contains(names[:i], name) {
			t.Errorf("%s: %+v", name, s)
		}
		if s.Rig.Links && (s.Rig.RedisCluster || s.Rig.Sentinels) {
			t.Errorf("%s: nodes are sent to the masters of a Redis Cluster past their links", name)
		}
	}
	if find("x") != nil || About("x") != "" {
		t.Error("x is a scenario")
	}
}

// TestPlan: the same seed gives the same faults; each is mended, in time, and those of
// one target are one after the other.
func TestPlan(t *testing.T) {
	for seed := range uint64(200) {
		var targets [][]hurting
		under := make([]int, 4) // way of hurting that a target is under, from 1
		for i := range under {
			var ways []hurting
			for w := range 3 {
				ways = append(ways, hurting{fmt.Sprint(i, " ", w),
					func() {
						if under[i] != 0 {
							t.Fatalf("seed %d: target %d is hurt twice", seed, i)
						}
						under[i] = w + 1
					},
					func() {
						if under[i] != w+1 {
							t.Fatalf("seed %d: target %d is mended of what it is not under", seed, i)
						}
						under[i] = 0
					}})
			}
			targets = append(targets, ways)
		}
		steps, again := plan(rand.New(rand.NewPCG(seed, 0)), targets), plan(rand.New(rand.NewPCG(seed, 0)), targets)
		if len(steps) < 8 || len(steps) != len(again) {
			t.Fatalf("seed %d: %d and %d steps", seed, len(steps), len(again))
		}
		for i, s := range steps {
			if s.what != again[i].what || s.at != again[i].at || s.at < 0 || s.at > anythingFor || i > 0 && s.at < steps[i-1].at {
				t.Fatalf("seed %d: %+v and %+v", seed, s, again[i])
			}
			s.do()
		}
		for i, w := range under {
			if w != 0 {
				t.Fatalf("seed %d: target %d is never mended", seed, i)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "roostd")
	if err := os.WriteFile(binary, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	good := Options{Roostd: binary, Roostctl: binary}
	for name, row := range map[string]struct {
		change func(o *Options)
		says   string
	}{
		"defaults":    {func(o *Options) {}, ""},
		"scenario":    {func(o *Options) { o.Scenarios = []string{"node-kill", "earthquake"} }, `there is no scenario "earthquake": node-kill,`},
		"batch":       {func(o *Options) { o.Batch = 1001 }, "1 to 1,000"},
		"negative":    {func(o *Options) { o.Rate = -1 }, "negative"},
		"no roostd":   {func(o *Options) { o.Roostd = binary + "x" }, "make build"},
		"no roostctl": {func(o *Options) { o.Roostctl = binary + "x" }, "make build"},
	} {
		o := good
		row.change(&o)
		err := o.withDefaults()
		if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want %q", name, err, row.says)
		}
		if err == nil && (len(o.Scenarios) != len(Names()) || o.Batch != 1) {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// TestVerdict: the worst that is known counts, and is what is told first.
func TestVerdict(t *testing.T) {
	for _, row := range []struct {
		r    Result
		want Verdict
		said string
	}{
		{Result{}, Held, ""},
		{Result{Missed: []string{"slow"}}, Missed, "slow"},
		{Result{Missed: []string{"slow"}, Faults: []string{"lost"}}, Broken, "lost"},
		{Result{Missed: []string{"slow"}, Faults: []string{"lost"}, Error: "no etcd\nlog"}, Failed, "no etcd"},
	} {
		if row.r.judge(); row.r.Verdict != row.want || row.r.first() != row.said {
			t.Errorf("%s, %q; want %s, %q", row.r.Verdict, row.r.first(), row.want, row.said)
		}
	}
	for code, verdicts := range map[int][]Verdict{3: {Missed, Missed}, 4: {Missed, Broken, Missed}, 1: {Broken, Failed}} {
		f := Failure{}
		for _, v := range verdicts {
			f.Results = append(f.Results, &Result{Scenario: "s", Verdict: v})
		}
		if f.Code() != code || !strings.Contains(f.Error(), "s "+string(verdicts[0])) {
			t.Errorf("%v: %d, %s", verdicts, f.Code(), f.Error())
		}
	}
}

// TestLevels: some more is no leak, much more is; a node that was not there before
// is held against its neighbours.
func TestLevels(t *testing.T) {
	before := map[string]rig.Level{"n1": {Goroutines: 100, Descriptors: 50}, "n2": {Goroutines: 110, Descriptors: 60}}
	highest := rig.Level{Goroutines: 110, Descriptors: 60}
	for _, row := range []struct {
		after map[string]rig.Level
		want  []string
	}{
		{map[string]rig.Level{"n1": {Goroutines: 100 + spareGoroutines, Descriptors: 50 + spareDescriptors}, "n3": {Goroutines: 110 + spareGoroutines}}, nil},
		{map[string]rig.Level{"n1": {Goroutines: 101 + spareGoroutines}}, []string{"n1 has 141 goroutines, before 100"}},
		{map[string]rig.Level{"n3": {Goroutines: 111 + spareGoroutines, Descriptors: 61 + spareDescriptors}},
			[]string{"n3 has 151 goroutines, before 110", "n3 has 91 descriptors besides those of devices, before 60"}},
	} {
		if got := above(before, row.after, highest); !slices.Equal(got, row.want) {
			t.Errorf("%+v: %q, want %q", row.after, got, row.want)
		}
	}
}

// TestReport: what is known is written down, in words and in numbers.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	r := &Result{Scenario: "node-kill", About: "a node dies", Verdict: Broken, Faults: []string{"1 accepted messages were handled by nobody"},
		Nodes: 3, Devices: 3000, Rate: 500, Batch: 1, Ledger: ledger.Account{Accepted: 10, Lost: 1},
		Recovery: &Recovery{Devices: 1000, Peak: 77, Budget: 4000, Caught: Spread{N: 1000, P99: 2500 * time.Millisecond}},
		Extra:    map[string]float64{"failover_s": 1.5}, Reasons: map[string]int{"connection refused": 3}, Events: []Event{{time.Second, "n1 is dead"}}}
	if err := errors.Join(r.write(filepath.Join(dir, r.Scenario)), report(Options{Out: dir, Command: []string{"bench", "chaos"}}, []*Result{r}, []string{"etcd-kill"})); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bench chaos", "| [node-kill](#node-kill) | broken | 3000 | 10 | 1 |", "| etcd-kill | not run |", "A node dies. 3 nodes", "- 1 accepted messages", "2.50 s",
		"within a second: 77, of a budget of 4000", "- failover_s: 1.5", "- asked again 3 times: connection refused", "1.00 s  n1 is dead"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "node-kill", "result.json"))
	var back Result
	if err != nil || json.Unmarshal(data, &back) != nil || back.Ledger.Lost != 1 || back.Recovery.Peak != 77 {
		t.Errorf("%v\n%s", err, data)
	}
	if found, err := earlier(dir, []string{"etcd-kill"}); err != nil || len(found) != 1 || found[0].Scenario != "node-kill" {
		t.Errorf("earlier results: %v, %v", found, err)
	}
	if found, err := earlier(dir, []string{"node-kill"}); err != nil || len(found) != 0 {
		t.Errorf("of the one that is run again: %v, %v", found, err)
	}
	for d, want := range map[time.Duration]string{0: "0.00 ms", 1500 * time.Microsecond: "1.50 ms", 20 * time.Millisecond: "20 ms", 1500 * time.Millisecond: "1.50 s", 65 * time.Second: "65.0 s"} {
		if got := short(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
