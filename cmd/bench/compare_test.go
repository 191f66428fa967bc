package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// writeRun writes a made-up result in which a message costs so many ns.
func writeRun(t *testing.T, name string, cost float64, change func(*result.Result)) string {
	t.Helper()
	h := tally.NewHist()
	h.RecordN(4e6, 1000)
	phase := result.Phase{Name: "hold", Length: time.Second, Outcome: "done", Tally: &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Expected: 1000, Delivered: 1000}}}},
		Servers: []result.ServerUse{{CPU: time.Duration(cost * 1000), RSS: -1, PSS: -1, Heap: -1, Stacks: -1, Slab: -1, Sock: -1}}}
	phase.Tally.Groups[0].Hists[tally.Delivery] = h
	r := &result.Result{Schema: result.Schema, ID: name, Verdict: result.Valid, Started: time.Date(2026, 11, 27, 2, 17, 0, 0, time.UTC),
		Scenario:      result.Scenario{Name: "fan-out", Groups: []result.Group{{Name: "all", Share: 1, Reads: true}}},
		Comparability: result.Comparability{Hash: "h", Facts: []result.Fact{{Name: "kernel", Value: "6.18"}}},
		Phases:        []result.Phase{phase}, Servers: []result.Server{{Name: "s", Source: "pid"}}}
	if change != nil {
		change(r)
	}
	file := filepath.Join(t.TempDir(), name+".json")
	if err := result.WriteFile(file, r); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestCompareExitCodes: each verdict has its own, as documented.
func TestCompareExitCodes(t *testing.T) {
	side := func(n int, cost float64, change func(*result.Result)) string {
		var files []string
		for i := range n {
			files = append(files, writeRun(t, fmt.Sprint("r", i), cost+float64(i%3), change))
		}
		return strings.Join(files, ",")
	}
	kernel := func(r *result.Result) {
		r.Comparability = result.Comparability{Hash: "k", Facts: []result.Fact{{Name: "kernel", Value: "6.19"}}}
	}
	invalid := func(r *result.Result) { r.Verdict = result.Invalid }
	old := func(r *result.Result) { r.Schema = 1 }
	a := side(8, 2000, nil)
	page := filepath.Join(t.TempDir(), "page.html")
	for _, c := range []struct {
		name string
		args []string
		code int // 1: an error
		says string
	}{
		{"within noise", []string{"--a", a, "--b", a}, 0, "WITHIN NOISE"},
		{"improved", []string{"--a", a, "--b", side(8, 1500, nil)}, 0, "IMPROVED"},
		{"regressed", []string{"--a", a, "--b", side(8, 2500, nil), "--html", page}, 2, "REGRESSED"},
		{"a larger effect", []string{"--a", a, "--b", side(8, 2500, nil), "--min-effect", "30%"}, 0, "WITHIN NOISE"},
		{"invalid", []string{"--a", a, "--b", side(8, 2500, invalid)}, 3, "INVALID"},
		{"one pair", []string{writeRun(t, "x", 2000, nil), writeRun(t, "y", 4000, nil)}, 4, "one pair proves nothing"},
		{"not comparable", []string{"--a", a, "--b", side(8, 2000, kernel)}, 5, "6.19"},
		{"ignored", []string{"--a", a, "--b", side(8, 2000, kernel), "--ignore", "kernel"}, 0, "6.19"},
		{"JSON", []string{"--format", "json", "--a", a, "--b", a}, 0, `"verdict": "within noise"`},
		{"Markdown", []string{"--format", "md", "--a", a, "--b", a}, 0, "| metric |"},
		{"unpaired", []string{"--a", a, "--b", side(7, 2500, nil)}, 2, "UNPAIRED"},
		{"no such file", []string{"nowhere.json", "x.json"}, 1, "nowhere.json"},
		{"another schema", []string{writeRun(t, "x", 2000, nil), writeRun(t, "y", 2000, old)}, 1, "schema"},
		{"nothing", nil, 1, "say what to compare"},
		{"three", []string{"a", "b", "c"}, 1, "--a A1.json"},
		{"one file", []string{writeRun(t, "x", 2000, nil)}, 1, "with itself"},
		{"a folder of something else", []string{t.TempDir()}, 1, "no folder of bench run"},
		{"a bad share", []string{"--min-effect", "200%"}, 1, "must be a share"},
		{"a bad format", []string{"--format", "pdf", "--a", a, "--b", a}, 1, "must be text, md"},
		{"a bad flag", []string{"--nope"}, 1, "bench compare --help"},
		{"a bad metric", []string{"--a", a, "--b", a, "--primary", "server.cpu"}, 1, "server.cpu"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errout bytes.Buffer
			err := run(t.Context(), append([]string{"compare"}, c.args...), &out, &errout)
			var code exitCode
			switch {
			case errors.As(err, &code):
			case err != nil:
				code = 1
				out.WriteString(err.Error())
			}
			if int(code) != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("code %d, want %d; %q is to be in\n%s", code, c.code, c.says, out.String())
			}
		})
	}
	if b, err := os.ReadFile(page); err != nil || !bytes.Contains(b, []byte("<svg")) {
		t.Errorf("page: %v", err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"compare", "--help"}, &out, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "5 not comparable") {
		t.Errorf("help: %v\n%s", err, out.String())
	}
}
