package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"roost/bench/compare"
)

// How many lines of each kind Text shows.
const (
	mostMoves     = 15
	mostFunctions = 25
)

// Text writes the explanation for a terminal.
func (x *Explanation) Text(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s against %s\n\n%s: %s\n", x.Scenario, x.B, x.A, strings.ToUpper(string(x.Verdict)), x.Reason)
	x.moves(&b, x.Primary+" by phase", x.Phases)
	x.moves(&b, "What moved most", x.Moves[:min(len(x.Moves), mostMoves)])
	if len(x.Functions) > 0 {
		x.functionsText(&b)
	}
	for i, n := range x.Notes {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "Note: %s\n", n)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (x *Explanation) moves(b *bytes.Buffer, heading string, list []Move) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", heading)
	for _, m := range list {
		doubt := ""
		if !m.Clear {
			doubt = "  (may be chance)"
		}
		fmt.Fprintf(b, "  %-36s %9s  %14s -> %-14s%s\n", m.Metric, compare.Signed(float64(m.Ratio)),
			compare.Format(float64(m.A), m.Unit), compare.Format(float64(m.B), m.Unit), doubt)
	}
}

func (x *Explanation) functionsText(b *bytes.Buffer) {
	unit, scale := "ns per message", 1.0
	if !x.PerMsg {
		unit, scale = "% of all CPU", 100
	}
	fmt.Fprintf(b, "\nCPU by function, %s, of %s against %s\n", unit, strings.Join(x.RunsB, " "), strings.Join(x.RunsA, " "))
	fmt.Fprintf(b, "  %9s %8s %9s %9s %9s %9s\n", "own B-A", "+-", "own A", "own B", "whole A", "whole B")
	for i, f := range x.Functions {
		if i >= mostFunctions {
			fmt.Fprintf(b, "  ... and %d more\n", len(x.Functions)-i)
			break
		}
		if !f.Beyond() {
			fmt.Fprintf(b, "  what is left, %d functions, is within the error of counting\n", len(x.Functions)-i)
			break
		}
		fmt.Fprintf(b, "  %+9.1f %8.1f %9.1f %9.1f %9.1f %9.1f  %s\n", scale*f.Change, scale*f.Error, scale*f.OwnA, scale*f.OwnB, scale*f.WholeA, scale*f.WholeB, f.Name)
	}
}

// JSON writes the explanation whole.
func (x *Explanation) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(x)
}
