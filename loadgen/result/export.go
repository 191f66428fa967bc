package result

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"roost/loadgen/tally"
)

// Formats lists what Export writes, with what it is.
var Formats = []struct{ Name, Words string }{
	{"benchfmt", "Go's benchmark format, for benchstat: a line for each phase and group"},
	{"csv", "the metrics, a line each"},
	{"series", "the series as CSV, a line for each interval"},
	{"prom", "the metrics as a Prometheus text exposition"},
	{"hlog", "the histograms as an HdrHistogram log"},
	{"json", "the metrics as JSON"},
}

// Export writes r in another tool's format. The verdict is in each of them.
func Export(w io.Writer, r *Result, format string) error {
	switch format {
	case "benchfmt":
		return exportBench(w, r)
	case "csv":
		return exportMetrics(w, r)
	case "series":
		return exportSeries(w, r)
	case "prom":
		return exportProm(w, r)
	case "hlog":
		return exportLog(w, r)
	case "json":
		return exportJSON(w, r)
	}
	var names []string
	for _, f := range Formats {
		names = append(names, f.Name)
	}
	return fmt.Errorf("export as %q: want one of %s", format, strings.Join(names, ", "))
}

// float writes a number as short as it can be read back from.
func float(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func exportMetrics(w io.Writer, r *Result) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"metric", "phase", "group", "warmup", "unit", "better", "value", "verdict", "run", "scenario", "note"}) // Flush keeps the error
	for _, m := range r.Metrics() {
		_ = c.Write([]string{m.Base, m.Phase, m.Group, strconv.FormatBool(m.Warmup), m.Unit, m.Better, float(m.Value), string(r.Verdict), r.ID, r.Scenario.Name, m.Note})
	}
	c.Flush()
	return c.Error()
}

func exportSeries(w io.Writer, r *Result) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"seconds", "phase", "warmup", "connected", "dials_per_s", "ready_per_s", "sent_per_s", "delivered_per_s", "errors_per_s", "p50_ns", "p99_ns", "max_ns",
		"send_lag_p99_ns", "worker_cores", "server_cores", "server_rss_bytes", "verdict"})
	for _, p := range r.Series {
		name, warmup := "", false
		if p.Phase >= 0 && p.Phase < len(r.Phases) {
			name, warmup = r.Phases[p.Phase].Name, r.Phases[p.Phase].Warmup
		}
		// A quantile of 0 is none, one that is a miss infinite.
		ns := func(v int64) string {
			switch v {
			case 0:
				return ""
			case tally.MissValue:
				return "+Inf"
			}
			return strconv.FormatInt(v, 10)
		}
		_ = c.Write([]string{float(p.At.Seconds()), name, strconv.FormatBool(warmup), strconv.Itoa(p.Connected), float(p.DialRate), float(p.ReadyRate), float(p.SentRate),
			float(p.DeliveredRate), float(p.ErrorRate), ns(p.P50), ns(p.P99), ns(p.Max), ns(p.SendLagP99), float(p.WorkerCPU), float(p.ServerCPU),
			strconv.FormatInt(p.ServerRSS, 10), string(r.Verdict)})
	}
	c.Flush()
	return c.Error()
}

func exportJSON(w io.Writer, r *Result) error {
	b, err := json.MarshalIndent(struct {
		ID       string   `json:"id"`
		Scenario string   `json:"scenario"`
		Verdict  Verdict  `json:"verdict"`
		Hash     string   `json:"comparability"`
		Metrics  []Metric `json:"metrics"`
	}{r.ID, r.Scenario.Name, r.Verdict, r.Comparability.Hash, r.Metrics()}, "", " ")
	if err != nil {
		return fmt.Errorf("export %s: %w", r.ID, err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// exportLog writes the histograms of each phase, a tag for each.
func exportLog(w io.Writer, r *Result) error {
	var entries []tally.LogEntry
	for i := range r.Phases {
		p := &r.Phases[i]
		if p.Tally == nil {
			continue
		}
		add := func(name string, h *tally.Hist) {
			entries = append(entries, tally.LogEntry{Tag: p.Name + "." + name, Start: p.Start, Length: p.Length, Hist: h})
		}
		for g := range p.Tally.Groups {
			for id := range tally.NumGroupHists {
				name := id.String()
				if g < len(r.Scenario.Groups) {
					name = r.Scenario.Groups[g].Name + "." + name
				}
				add(name, p.Tally.Groups[g].Hists[id])
			}
		}
		for id := range tally.NumHists {
			add(id.String(), p.Tally.Hists[id])
		}
	}
	return tally.WriteLog(w, r.Started, []string{"[run " + r.ID + " of " + r.Scenario.Name + ": " + string(r.Verdict) + "]"}, entries)
}

// promName is the Prometheus name of a metric, and the factor to its base
// unit.
func promName(m Metric) (name string, factor float64, quantile string) {
	base, q, _ := cutQuantile(m.Base)
	name, factor = "loadgen_"+strings.ReplaceAll(strings.TrimPrefix(base, "loadgen."), ".", "_"), 1
	switch m.Unit {
	case "ns", "ns/msg":
		name, factor = name+"_seconds", 1e-9
	case "B":
		if !strings.HasPrefix(base, "bytes_") {
			name += "_bytes"
		}
	}
	if q == "count" {
		return name + "_seconds_count", 1, ""
	}
	return name, factor, map[string]string{"p50": "0.5", "p90": "0.9", "p99": "0.99", "p999": "0.999", "max": "1"}[q]
}

// cutQuantile splits delivery.p99 into delivery and p99. A dot alone, as in
// storm.t99, does not make a quantile.
func cutQuantile(base string) (name, quantile string, ok bool) {
	f, q := findFamily(base)
	if f == nil || q == nil {
		return base, "", false
	}
	return f.name, q.suffix[1:], true
}

func exportProm(w io.Writer, r *Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# TYPE loadgen_run_info gauge\nloadgen_run_info{id=%s,scenario=%s,verdict=%s,comparability=%s} 1\n",
		promText(r.ID), promText(r.Scenario.Name), promText(string(r.Verdict)), promText(r.Comparability.Hash))
	lines := map[string][]string{}
	var names []string
	for _, m := range r.Metrics() {
		name, factor, quantile := promName(m)
		if _, known := lines[name]; !known {
			names = append(names, name)
		}
		labels := []string{"scenario=" + promText(r.Scenario.Name), "verdict=" + promText(string(r.Verdict))}
		for _, l := range [][2]string{{"phase", m.Phase}, {"group", m.Group}, {"quantile", quantile}} {
			if l[1] != "" {
				labels = append(labels, l[0]+"="+promText(l[1]))
			}
		}
		lines[name] = append(lines[name], fmt.Sprintf("%s{%s} %s\n", name, strings.Join(labels, ","), float(m.Value*factor)))
	}
	slices.Sort(names) // those of a name stand together, as the format wants it
	for _, name := range names {
		fmt.Fprintf(&b, "# TYPE %s gauge\n", name)
		for _, l := range lines[name] {
			b.WriteString(l)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// promText quotes a label's value.
func promText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\ufffd")) + `"`
}
