package main

import (
	"fmt"

	"roost/ring/preview"
)

// writeOutcome writes what was planned beside what was measured.
func writeOutcome(t terminal, o preview.Outcome) error {
	rows := newTable("node", "devices>", "after>", "gained>", "planned>", "difference>")
	for _, n := range o.Nodes {
		if !n.Known {
			rows.add(n.ID, "-", "-", "-", fmt.Sprintf("%+.0f", n.Planned), "-")
			continue
		}
		rows.add(n.ID, whole(n.Before), whole(n.After), fmt.Sprintf("%+.0f", n.Gained), fmt.Sprintf("%+.0f", n.Planned), fmt.Sprintf("%+.0f", n.Gained-n.Planned))
	}
	if err := rows.write(t.out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.out, "moved %.0f devices, %.0f were planned; nodes are off by %.0f together\n", o.Moved, o.Planned, o.Off)
	return err
}
