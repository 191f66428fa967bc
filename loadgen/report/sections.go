package report

import (
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strings"

	"roost/loadgen/report/svg"
	"roost/loadgen/result"
)

// sections are the parts of the page, those that have something to show.
func sections(r *result.Result) []section {
	latency := section{ID: "latency", Title: "Latency",
		Note:   "How long a share of the deliveries took at most, counted from when each message was due: the axis stretches the rare, slow ones. A line that leaves through the top says that from there on messages never came.",
		Charts: percentileCharts(r), Tables: tables(latencyTable(r))}
	all := []section{
		{ID: "thresholds", Title: "Thresholds", Note: "What was asked of this run.", Tables: tables(thresholdTable(r))},
		latency,
		{ID: "time", Title: "Over time", Note: "Shaded bands are phases; a pale one is warm-up and not part of the result.", Charts: timeCharts(r)},
		{ID: "fanout", Title: "Fan-out", Note: "Of each message to many: when the first, the median and the last subscriber had it, and how far first and last were apart.", Charts: fanCharts(r)},
		{ID: "storm", Title: "Storm", Note: "How connections came back.", Charts: stormCharts(r), Tables: tables(stormTable(r))},
		{ID: "deliveries", Title: "Deliveries", Tables: tables(deliveryTable(r))},
		{ID: "publishing", Title: "Publishing", Tables: tables(publishTable(r))},
		{ID: "errors", Title: "Errors", Note: "What went wrong, the most frequent first, and what to do about it.", Tables: tables(errorTable(r))},
		{ID: "phases", Title: "Phases", Tables: tables(phaseTable(r))},
		{ID: "resources", Title: "Resources", Tables: tables(resourceTable(r)), Folded: processes(r)},
		{ID: "validity", Title: "Validity", Note: "Whether the generator was good enough to measure with. One check that fails makes the run INVALID.", Tables: tables(checkTable(r))},
		environment(r),
		{ID: "scenario", Title: "Scenario", Note: fmt.Sprintf("%s, seed %d, SHA-256 %s", r.Scenario.Name, r.Scenario.Seed, r.Scenario.SHA256),
			Folded: scenarioText(r)},
		{ID: "notes", Title: "Notes", Lines: r.Notes},
	}
	return slices.DeleteFunc(all, func(s section) bool {
		return len(s.Charts)+len(s.Tables)+len(s.Folded)+len(s.Lines) == 0
	})
}

// tables turns a table into the template's form; none if it has no rows.
func tables(t table) []htmlTable {
	if len(t.rows) == 0 {
		return nil
	}
	keep, _ := t.columns()
	words := func(c int) bool { return c < t.names || c >= len(t.head)-t.words }
	h := htmlTable{Title: t.title, Note: t.note}
	for _, c := range keep {
		h.Head = append(h.Head, cell{Text: t.head[c], Words: words(c)})
	}
	for _, r := range t.rows {
		row := htmlRow{Text: r.text, Span: len(keep)}
		for _, c := range keep {
			out := cell{Text: r.cells[c], Words: words(c)}
			if t.head[c] == "state" {
				out.State = r.state
			}
			row.Cells = append(row.Cells, out)
		}
		h.Rows = append(h.Rows, row)
	}
	return []htmlTable{h}
}

func factTable(title string, facts []result.Fact) []htmlTable {
	t := table{title: title, head: []string{"what", "value"}, names: 1, words: 1}
	for _, f := range facts {
		t.rows = append(t.rows, row{cells: []string{f.Name, f.Value}})
	}
	return tables(t)
}

func environment(r *result.Result) section {
	s := section{ID: "environment", Title: "Environment"}
	if r.Comparability.Hash != "" {
		s.Note = "Comparable with runs of the hash " + r.Comparability.Hash + ": those with the same facts in the table Comparability."
	}
	e := r.Environment
	for _, part := range []struct {
		title string
		facts []result.Fact
	}{{"Comparability", r.Comparability.Facts}, {"Machine", e.Host}, {"Before the run", e.Before}, {"During the run", e.During}, {"Kernel settings", e.Sysctl}} {
		s.Tables = append(s.Tables, factTable(part.title, part.facts)...)
	}
	if r.Clock.Method != "" {
		s.Tables = append(s.Tables, factTable("Clock", []result.Fact{{Name: "method", Value: r.Clock.Method}, {Name: "source", Value: r.Clock.Source},
			{Name: "no difference larger than", Value: duration(r.Clock.Bound)}})...)
	}
	return s
}

// processes are the servers and the workers, folded.
func processes(r *result.Result) (list []folded) {
	for i, s := range r.Servers {
		facts := []result.Fact{{Name: "read by", Value: s.Source}, {Name: "binary", Value: s.Binary}, {Name: "SHA-256", Value: s.SHA256}, {Name: "version", Value: s.Version},
			{Name: "command", Value: strings.Join(s.Argv, " ")}, {Name: "profile", Value: s.Profile}}
		for _, kind := range slices.Sorted(maps.Keys(s.Slope)) {
			facts = append(facts, result.Fact{Name: kind + " a connection, slope", Value: svg.Format(s.Slope[kind], "B")})
		}
		facts = append(facts, s.Env...)
		for _, p := range r.Phases {
			if i < len(p.Servers) {
				facts = append(facts, result.Fact{Name: "phase " + p.Name, Value: p.Servers[i].Steady})
			}
		}
		facts = slices.DeleteFunc(facts, func(f result.Fact) bool { return f.Value == "" })
		for _, t := range factTable("", facts) {
			list = append(list, folded{Title: "Server " + s.Name, Table: &t})
		}
	}
	t := table{head: []string{"worker", "host", "pid", "clients", "CPU", "peak memory", "memory a connection"}, names: 2}
	for _, w := range r.Workers {
		line := row{cells: []string{fmt.Sprint(w.Index), w.Host, fmt.Sprint(w.PID), integer(uint64(max(w.Clients, 0))), svg.Digits(w.CPU) + " s",
			svg.Format(float64(w.PeakRSS), "B"), svg.Format(w.UserPerConn, "B")}}
		if w.Lost != "" {
			line.text = "lost: " + w.Lost
		}
		t.rows = append(t.rows, line)
	}
	for _, h := range tables(t) {
		list = append(list, folded{Title: plural(len(r.Workers), "worker") + " of the generator", Table: &h})
	}
	return list
}

func scenarioText(r *result.Result) (list []folded) {
	if r.Scenario.Text != "" {
		list = append(list, folded{Title: "The scenario as it was run, every default written out", Text: r.Scenario.Text})
	}
	if len(r.Argv) > 0 {
		list = append(list, folded{Title: "The command", Text: strings.Join(r.Argv, " ")})
	}
	return list
}

func labels(r *result.Result) (list []result.Fact) {
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		list = append(list, result.Fact{Name: name, Value: r.Labels[name]})
	}
	return list
}

// draw is the chart if it has a point in it.
func draw(c svg.Chart) []template.HTML {
	for _, l := range c.Lines {
		for _, v := range l.Y {
			if !math.IsNaN(v) {
				return []template.HTML{c.HTML()}
			}
		}
	}
	return nil
}
