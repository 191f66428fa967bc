package result_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
)

func export(t *testing.T, r *result.Result, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := result.Export(&b, r, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestExportBench: golang.org/x/perf reads every line of it, and finds the
// numbers in its own units.
func TestExportBench(t *testing.T) {
	for _, name := range sample.Names {
		r := sample.Make(name)
		r.Labels = map[string]string{"Server Commit": "3aa\n91f2", "go:os": "x"}
		text := export(t, r, "benchfmt")
		if !strings.HasPrefix(text, "# compare with: benchstat -col label-server-commit,label-go-os a.txt b.txt\n") &&
			!strings.HasPrefix(text, "# compare with: benchstat -col label-go-os,label-server-commit a.txt b.txt\n") {
			t.Errorf("%s begins with %.90s", name, text)
		}
		read := benchfmt.NewReader(strings.NewReader(text), name)
		results := 0
		for read.Scan() {
			switch line := read.Result().(type) {
			case *benchfmt.SyntaxError:
				t.Errorf("%s: %v", name, line)
			case *benchfmt.Result:
				results++
				full := line.Name.Full()
				if line.GetConfig("label-server-commit") != "3aa 91f2" || line.GetConfig("verdict") != string(r.Verdict) {
					t.Errorf("%s: configuration %v", full, line.Config)
				}
				want := map[string]string{"/phase=hold/group=healthy": "hold.healthy.", "/phase=hold": "hold.", "": ""}
				where := regexp.MustCompile(`^[A-Za-z0-9]+(.*)/conns=\d+$`).FindSubmatch(full)
				prefix, known := want[string(where[1])]
				if !known || name == "storm" || name == "empty" {
					continue
				}
				if got, ok := line.Value("delivery-p99-sec"); !ok || !near(got, mustLookup(t, r, prefix+"delivery.p99")/1e9) {
					t.Errorf("%s: %s: p99 %v %v", name, full, got, ok)
				}
			}
		}
		if err := read.Err(); err != nil || results == 0 != (name == "empty") {
			t.Errorf("%s: %d results, %v", name, results, err)
		}
		if name != "empty" && read.Units().GetBetter("delivery-p99-sec") != -1 {
			t.Errorf("%s: less is not better: %v", name, read.Units().GetBetter("delivery-p99-sec"))
		}
		if (name == "invalid") != strings.Contains(text, "# INVALID") {
			t.Errorf("%s: says invalid or does not", name)
		}
	}
}

func mustLookup(t *testing.T, r *result.Result, name string) float64 {
	t.Helper()
	m, ok, reason := r.Lookup(name)
	if !ok {
		t.Fatal(reason)
	}
	return m.Value
}

func TestExportCSV(t *testing.T) {
	r := sample.Make("errors")
	lines, err := csv.NewReader(strings.NewReader(export(t, r, "csv"))).ReadAll()
	if err != nil || len(lines) != 1+len(r.Metrics()) {
		t.Fatal(len(lines), err)
	}
	found := false
	for _, l := range lines {
		found = found || l[0] == "delivery.max" && l[1] == "hold" && l[2] == "healthy" && l[6] == "+Inf" && l[7] == "breached"
	}
	if !found {
		t.Error("no miss in hold.healthy.delivery.max")
	}
	lines, err = csv.NewReader(strings.NewReader(export(t, r, "series"))).ReadAll()
	if err != nil || len(lines) != 1+len(r.Series) || lines[1][0] != "1" || lines[1][1] != "ramp" || lines[11][2] != "true" {
		t.Error(lines[:2], err)
	}
}

// TestExportProm: every line is one of the format's, a name's lines stand
// together, and no two are of the same name and labels.
func TestExportProm(t *testing.T) {
	r := sample.Make("storm")
	r.Scenario.Name = "a \"b\"\\\n"
	text := export(t, r, "prom")
	line := regexp.MustCompile(`^([a-z_:][a-z0-9_:]*)(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\}) (\+Inf|-?[0-9.e+-]+)$`)
	seen, closed, last := map[string]bool{}, map[string]bool{}, ""
	for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(l, "# TYPE ") {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("%q", l)
		}
		if seen[m[1]+m[2]] {
			t.Errorf("twice: %s", l)
		}
		seen[m[1]+m[2]] = true
		if m[1] != last {
			if closed[m[1]] {
				t.Errorf("not together: %s", l)
			}
			closed[last], last = true, m[1]
		}
	}
	for _, want := range []string{`loadgen_delivery_seconds{`, `quantile="0.99"`, `phase="storm",group="healthy"`, `loadgen_storm_t99_seconds{`, `loadgen_delivery_seconds_count{`, `loadgen_run_info{`, `loadgen_rss_bytes{`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestExportRest(t *testing.T) {
	r := sample.Make("errors")
	var form struct {
		Verdict string
		Metrics []struct {
			Name  string
			Value any
		}
	}
	if err := json.Unmarshal([]byte(export(t, r, "json")), &form); err != nil || form.Verdict != "breached" || len(form.Metrics) != len(r.Metrics()) {
		t.Error(err, form.Verdict)
	}
	for i, m := range r.Metrics() {
		if math.IsInf(m.Value, 1) != (form.Metrics[i].Value == "+Inf") {
			t.Errorf("%s: %v", m.Name, form.Metrics[i].Value)
		}
	}
	log := export(t, r, "hlog")
	for _, want := range []string{"#[run 3f9a1cerrors of fan-out: breached]", "Tag=hold.healthy.delivery,", "Tag=ramp.connect,", "#[Misses: 412 of hold.healthy.delivery"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	var b bytes.Buffer
	if err := result.Export(&b, r, "xml"); err == nil || !strings.Contains(err.Error(), "benchfmt, csv, series, prom, hlog, json") {
		t.Error(err)
	}
}
