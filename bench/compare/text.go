package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Text writes the comparison for a terminal; with all also the metrics that
// have no verdict.
func (c *Comparison) Text(w io.Writer, all bool) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n%s\n", c.title(), c.headline())
	part := func(heading string, s *sheet) {
		if len(s.rows) > 0 {
			fmt.Fprintf(&b, "\n%s\n", heading)
			s.text(&b, "  ")
		}
	}
	part("What a comparison depends on", c.differences(c.Facts))
	part("Environment", c.differences(c.Environment))
	part("Runs that are no result", c.badRuns())
	if len(c.Tested) > 0 {
		part("Metrics", c.metrics(c.Tested, true))
		fmt.Fprintf(&b, "\n  %s\n", wrap(c.legend(), 98, "\n  "))
		part("Noise floor: "+c.A.Label+" against itself", c.floorRows())
	}
	for i := range c.Latency {
		part("Latency of all runs together: "+c.Latency[i].Name, c.latency(&c.Latency[i]))
	}
	if all {
		part("All other metrics, without a verdict", c.metrics(c.Shown, false))
	}
	for i, note := range c.Notes {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "Note: %s\n", note)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Markdown writes the comparison for a pull request.
func (c *Comparison) Markdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "## %s\n\n**%s**: %s\n", c.title(), c.Verdict, c.Reason)
	part := func(heading string, s *sheet) {
		if len(s.rows) > 0 {
			fmt.Fprintf(&b, "\n### %s\n\n", heading)
			s.markdown(&b)
		}
	}
	part("What a comparison depends on", c.differences(c.Facts))
	part("Environment", c.differences(c.Environment))
	part("Runs that are no result", c.badRuns())
	if len(c.Tested) > 0 {
		part("Metrics", c.metrics(c.Tested, true))
		fmt.Fprintf(&b, "\n%s\n", c.legend())
		part("Noise floor: "+c.A.Label+" against itself", c.floorRows())
	}
	for i := range c.Latency {
		part("Latency of all runs together: "+c.Latency[i].Name, c.latency(&c.Latency[i]))
	}
	if len(c.Shown) > 0 {
		fmt.Fprintf(&b, "\n<details><summary>All other metrics, without a verdict</summary>\n\n")
		c.metrics(c.Shown, false).markdown(&b)
		fmt.Fprintf(&b, "\n</details>\n")
	}
	for i, note := range c.Notes {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "- %s\n", note)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// JSON writes the comparison whole.
func (c *Comparison) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(c)
}

// wrap breaks text at spaces so that no line is longer than width.
func wrap(text string, width int, newline string) string {
	var b bytes.Buffer
	column := 0
	for word := range bytes.FieldsSeq([]byte(text)) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			b.WriteString(newline)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.Write(word)
		column += len(word)
	}
	return b.String()
}
