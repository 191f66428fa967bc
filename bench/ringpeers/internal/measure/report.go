package measure

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"roost/bench/ringpeers/internal/subject"
)

// WriteMarkdown writes the report.
func (r *Result) WriteMarkdown(w io.Writer) {
	r.writeHead(w)
	r.writeGoals(w)
	for _, mode := range []Mode{ModeOne, ModeTwo, ModeChain} {
		r.writeLookups(w, mode)
	}
	r.writeTimes(w, TimeBuild)
	r.writeTimes(w, TimeChange)
	r.writeMemory(w)
	r.writeBalance(w)
	r.writeReweights(w)
	r.writeNotes(w)
}

// table writes a table; the first column is text, the others numbers.
func table(w io.Writer, head []string, rows [][]string) {
	fmt.Fprintf(w, "| %s |\n|---|%s\n", strings.Join(head, " | "), strings.Repeat("---:|", len(head)-1))
	for _, row := range rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}

func (r *Result) writeHead(w io.Writer) {
	e, o := r.Env, r.Options
	fmt.Fprintf(w, "# The ring and its peers, %s\n\n    %s\n\n", e.Began.Format(time.DateOnly), strings.Join(r.Command, " "))
	fmt.Fprintf(w, "%s, %d cores, %s; %s; %s, GOAMD64=%s; commit %s.\n", e.CPU, e.Cores, e.Caches, e.Kernel, e.Go, e.GOAMD64, e.Commit)
	fmt.Fprintf(w, "Began %s, took %s; load average %s at the start, %s at the end (this bench is 1 to 2 of it).\n\n",
		e.Began.Format(time.RFC3339), e.Took, e.LoadBegan, e.LoadEnded)
	fmt.Fprintf(w, `%d rounds, in each of which every subject has its turn. Numbers are medians over the rounds [smallest-largest];
"x floor" is the ratio within a round. A lookup is of a random key of %d bytes, one of %d, hashing included, in windows of
1.8 ms of which those count in which the thread was not off its core (the median of at least %d a round). Builds and changes
are CPU time of the thread, the collector sleeping. Every window is in raw.json.
`, o.Rounds, subject.KeyLen, o.Keys, o.Windows)
	if o.Quick {
		fmt.Fprint(w, "\n**A quick run, to see that the bench works: its numbers mean nothing.**\n")
	}
}

func (r *Result) writeGoals(w io.Writer) {
	goals := r.goals()
	if len(goals) == 0 {
		return
	}
	fmt.Fprint(w, "\n## Goals\n\n")
	fmt.Fprintf(w, `Goals in ns and us were set on another CPU (AMD, Zen 4), where the floor of a lookup is 1.8, 1.8 and 2.4 ns for the tables of
16, 256 and 1,024 nodes. The floor of a lookup is a hash of two multiplications and one load from a table of that size, inlined; that
of a change is a copy of the table. "by ratio" compares the multiples of the floors instead of the times.

`)
	var rows [][]string
	for _, g := range goals {
		floor, ratio, limit, by := "", "", "", ""
		if g.GotRatio.N > 0 {
			floor, ratio = fmt.Sprintf("%.2f", g.Floor), g.GotRatio.text(2)
		}
		if g.OtherFloor > 0 {
			floor += fmt.Sprintf(" (%g)", g.OtherFloor)
			limit, by = fmt.Sprintf("%.2f", g.MostRatio), yes(g.MetByRatio)
		}
		rows = append(rows, []string{
			g.Name, strings.TrimSpace(fmt.Sprintf("%g %s", g.Most, g.Unit)), g.Got.text(g.decimals), yes(g.Met), floor, ratio, limit, by,
		})
	}
	table(w, []string{"goal", "at most", "measured", "met", "floor here (there)", "x floor", "goal x floor", "met by ratio"}, rows)
}

func yes(met bool) string {
	if met {
		return "yes"
	}
	return "**no**"
}

// writeLookups writes a row a lane, with the sizes of rings side by side.
func (r *Result) writeLookups(w io.Writer, mode Mode) {
	title := map[Mode]string{
		ModeOne:   "Lookup, one thread, ns",
		ModeTwo:   "Lookup, two threads at once, ns a lookup of one thread",
		ModeChain: "Lookup, each dependent on the answer before, ns",
	}[mode]
	head := []string{"", "points"}
	for _, n := range r.Options.Nodes {
		head = append(head, fmt.Sprintf("%d nodes", n), "x floor")
	}
	if mode == ModeOne {
		head = append(head, "allocs")
	}
	if mode == ModeTwo {
		head = append(head, "x one thread")
	}
	var rows [][]string
	for i := range r.Lookups {
		first := &r.Lookups[i]
		if first.Mode != mode || first.Nodes != r.Options.Nodes[0] {
			continue
		}
		rows = append(rows, r.lookupCells(first, len(head)))
	}
	if len(rows) > 0 {
		fmt.Fprintf(w, "\n## %s\n\n", title)
		table(w, head, rows)
	}
}

// lookupCells returns the row of the lane that first is of.
func (r *Result) lookupCells(first *LookupRow, columns int) []string {
	cells := append(make([]string, 0, columns), first.Lane, count(first.Points))
	var overOne []string
	for _, n := range r.Options.Nodes {
		row := r.lookup(first.Lane, n, first.Points, first.Mode)
		floor := r.lookup(subject.FloorFold, n, 0, first.Mode)
		decimals := 2
		if s := summarize(row.medians()); s.Median >= 20 {
			decimals = 0
		}
		text := summarize(row.medians()).text(decimals)
		if kept, tried := row.kept(); tried > 0 && kept < 15 && !r.Options.Quick {
			text += fmt.Sprintf(" (%d windows)", kept)
		}
		cells = append(cells, text, summarize(ratios(row.medians(), floor.medians())).text(2))
		one := r.lookup(first.Lane, n, first.Points, ModeOne)
		overOne = append(overOne, fmt.Sprintf("%.2f", summarize(ratios(row.medians(), one.medians())).Median))
	}
	if first.Mode == ModeTwo {
		cells = append(cells, strings.Join(overOne, " / "))
	}
	if first.Allocs != nil {
		cells = append(cells, fmt.Sprintf("%g", *first.Allocs))
	}
	return cells
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// writeTimes writes builds or changes, with the sizes side by side.
func (r *Result) writeTimes(w io.Writer, what string) {
	if len(r.Times) == 0 {
		return
	}
	fmt.Fprint(w, map[string]string{
		TimeBuild:  "\n## Build, us of CPU\n\n",
		TimeChange: "\n## Change of one node, us of CPU\n\nIts weight by 10 %, up or down; where there are no weights it leaves or comes back. Roost's is published by a Holder.\n\n",
	}[what])
	head := []string{""}
	for _, n := range r.Options.Nodes {
		head = append(head, fmt.Sprintf("%d nodes", n), "x roost", "KiB allocated")
	}
	var rows [][]string
	for i := range r.Times {
		first := &r.Times[i]
		if first.What != what || first.Nodes != r.Options.Nodes[0] {
			continue
		}
		cells := []string{first.Subject}
		for _, n := range r.Options.Nodes {
			row, roost := r.timesOf(first.Subject, n, what), r.timesOf("roost", n, what)
			s := summarize(row.medians())
			decimals := 1
			if s.Median >= 1000 {
				decimals = 0
			}
			ratio := summarize(ratios(row.medians(), roost.medians()))
			allocated := fmt.Sprintf("%.0f", float64(row.Allocated)/1024)
			if row.Allocated == 0 {
				allocated = ""
			}
			cells = append(cells, s.text(decimals), significant(ratio.Median), allocated)
		}
		rows = append(rows, cells)
	}
	table(w, head, rows)
}

// significant writes a ratio with two figures or more.
func significant(v float64) string {
	switch {
	case v == 0 || math.IsNaN(v):
		return "-"
	case v >= 10:
		return fmt.Sprintf("%.0f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
