package measure

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

func (r *Result) writeMemory(w io.Writer) {
	if len(r.Memory) == 0 {
		return
	}
	fmt.Fprint(w, "\n## Memory\n\nBytes of heap that a built ring keeps, in KiB, without the nodes' names. Hot: what lookups touch.\n\n")
	head := []string{""}
	for _, n := range r.Options.Nodes {
		head = append(head, fmt.Sprintf("%d nodes", n), "hot")
	}
	var rows [][]string
	for _, first := range r.Memory {
		if first.Nodes != r.Options.Nodes[0] {
			continue
		}
		cells := []string{first.Subject}
		for _, n := range r.Options.Nodes {
			heap, hot := "-", ""
			for _, m := range r.Memory {
				if m.Subject == first.Subject && m.Nodes == n {
					heap = fmt.Sprintf("%.1f", float64(m.Heap)/1024)
					hot = count(m.Hot / 1024)
				}
			}
			cells = append(cells, heap, hot)
		}
		rows = append(rows, cells)
	}
	table(w, head, rows)
}

// writeBalance writes a table for each size.
func (r *Result) writeBalance(w io.Writer) {
	if len(r.Balance) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## Balance, and what changes move\n\n%d random keys. Moved: share of all keys in %%, in parentheses those that move between two nodes\n"+
		"that have not changed; means over %d nodes, one for the added. Exact: the largest share of the table over its target.\n",
		r.Options.Balance, r.Options.Changed)
	kinds := []string{MoveRemove, MoveAdd, MoveUp, MoveDown}
	for _, n := range r.Options.Nodes {
		ideal := map[string]float64{}
		var rows [][]string
		for _, b := range r.Balance {
			if b.Nodes != n {
				continue
			}
			cells := []string{b.Subject, fmt.Sprintf("%.3f", b.MaxAvg), fmt.Sprintf("%.1f", 100*b.Std), ""}
			if b.TableMax > 0 {
				cells[3] = fmt.Sprintf("%.4f", b.TableMax)
			}
			for _, kind := range kinds {
				m, ok := b.Moves[kind]
				if !ok {
					cells = append(cells, "-")
					continue
				}
				ideal[kind] = m.Ideal
				cells = append(cells, percents(m))
			}
			rows = append(rows, cells)
		}
		head := []string{fmt.Sprintf("%d nodes", n), "max/avg", "std %", "exact"}
		for _, kind := range kinds {
			head = append(head, fmt.Sprintf("%s (ideal %.3g)", kind, 100*ideal[kind]))
		}
		fmt.Fprintln(w)
		table(w, head, rows)
	}
}

// percents writes what is moved, and the collateral in parentheses.
func percents(m MoveFact) string {
	collateral := "0"
	if m.Collateral > 0 {
		collateral = fmt.Sprintf("%.3g", 100*m.Collateral)
	}
	return fmt.Sprintf("%.3g (%s)", 100*m.Moved, collateral)
}

// writeReweights writes what it moves to change every node's weight.
func (r *Result) writeReweights(w io.Writer) {
	if len(r.Reweights) == 0 {
		return
	}
	fmt.Fprint(w, `
## The weight of each node changed in turn

Roost's ring, counted over the whole table. A node's weight is a number of points, and a tenth of it is 16 of 160: what
one node moves depends on where these lie, the mean over all nodes does not.

`)
	var rows [][]string
	for i := range r.Reweights {
		row := &r.Reweights[i]
		sorted := slices.Sorted(slices.Values(row.Moved))
		at := func(p int) string { return fmt.Sprintf("%.2f", float64(sorted[p*(len(sorted)-1)/100])/row.Ideal) }
		rows = append(rows, []string{
			fmt.Sprintf("%d x %d, weight x %v", row.Nodes, row.Points, row.Factor), fmt.Sprintf("%.1f", row.Ideal),
			fmt.Sprintf("%.3f", 1+row.MeanOff()), strings.Join([]string{at(0), at(5), at(50), at(95), at(100)}, " / "),
			fmt.Sprint(row.Collateral), fmt.Sprint(row.Unlike),
		})
	}
	table(w, []string{"", "ideal, slots", "mean / ideal", "least / 5 % / median / 95 % / most", "collateral, slots", "not the change of the share"}, rows)
}

func (r *Result) writeNotes(w io.Writer) {
	fmt.Fprint(w, "\n## Who is who\n\n")
	for _, s := range r.Subjects {
		if s.Note == "" && s.Module == "" {
			continue
		}
		name := s.Name
		if s.Version != "" {
			name += " (" + s.Module + " " + s.Version + ")"
		}
		fmt.Fprintf(w, "- %s: %s.\n", name, s.Note)
	}
	fmt.Fprint(w, "- Ring.Lookup and the others that answer an index are roost's; a program keeps what it knows of a node by index. Names and entries are what the peers answer.\n")
	kept, tried := 0, 0
	for i := range r.Lookups {
		k, t := r.Lookups[i].kept()
		kept, tried = kept+k, tried+t
	}
	if tried > 0 {
		fmt.Fprintf(w, "- %d windows of lookups tried, %d kept.\n", tried, kept)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "- %s.\n", n)
	}
}
