package live

import (
	"math"
	"strings"

	"github.com/guptarohit/asciigraph"

	"roost/loadgen/report/svg"
)

// spark is a curve in one line: the last n values, from 0 to the largest. What
// is not a number leaves a gap.
func spark(values []float64, n int, m *marks) string {
	values = values[max(len(values)-n, 0):]
	top := largest(values)
	var b strings.Builder
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			b.WriteByte(' ')
		case top <= 0:
			b.WriteString(m.steps[0])
		default:
			b.WriteString(m.steps[min(int(max(v, 0)/top*float64(len(m.steps))), len(m.steps)-1)])
		}
	}
	return b.String()
}

// largest ignores what is not a number; 0 if nothing is.
func largest(values []float64) (top float64) {
	for _, v := range values {
		if v > top {
			top = v
		}
	}
	return top
}

// Sizes of a plot.
const (
	axisWidth = 14 // of the labels at the left, with the axis
	minPlot   = 20 // columns and values from which on a plot says something
)

// plot is a curve of height lines with an axis in unit; nil if there is no room
// for it, or nothing to see yet.
func plot(values []float64, unit svg.Unit, width, height int, ascii bool) []string {
	values = values[max(len(values)-(width-axisWidth), 0):]
	seen := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			seen++
		}
	}
	if width < axisWidth+minPlot || height < 3 || seen < 2 {
		return nil
	}
	options := []asciigraph.Option{asciigraph.Height(height - 1), asciigraph.LowerBound(0),
		asciigraph.YAxisValueFormatter(func(v float64) string { return svg.Format(v, unit) })}
	if ascii {
		options = append(options, asciigraph.SeriesChars(asciigraph.CreateCharSet("*")))
	}
	text := asciigraph.Plot(values, options...)
	if ascii {
		text = strings.NewReplacer("┤", "|", "┼", "+").Replace(text)
	}
	return strings.Split(text, "\n")
}
