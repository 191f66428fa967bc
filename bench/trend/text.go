package trend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"roost/bench/compare"
)

// Text writes the trend for a terminal: a line for each series, and its steps.
func (t *Trend) Text(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d runs, %d of them not valid and left out\n", t.Runs, t.Invalid)
	heading, still := "", 0
	for i := range t.Series {
		s := &t.Series[i]
		if h := s.heading(); h != heading {
			fmt.Fprintf(&b, "\n%s\n", h)
			heading = h
		}
		if s.constant() {
			still++
			continue
		}
		fmt.Fprintf(&b, "  %-24s %4d runs  now %-14s %s\n", s.Metric, len(s.Points), compare.Format(s.level(), s.Unit), s.spark(40))
		for k := range s.Steps {
			fmt.Fprintf(&b, "    %s\n", s.sentence(&s.Steps[k]))
		}
	}
	if still > 0 {
		fmt.Fprintf(&b, "\n%d series never changed and are left out.\n", still)
	}
	for _, p := range t.Problems {
		fmt.Fprintf(&b, "not read: %s\n", p)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// JSON writes the trend whole.
func (t *Trend) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(t)
}

var bars = []rune("▁▂▃▄▅▆▇█")

// spark draws the series in so many characters, each the largest of its
// stretch; what never came is a cross.
func (s *Series) spark(width int) string {
	n := len(s.Points)
	width = min(width, n)
	lo, hi := math.Inf(1), math.Inf(-1)
	tops := make([]float64, width)
	for i := range tops {
		tops[i] = math.Inf(-1)
		for _, p := range s.Points[i*n/width : (i+1)*n/width] {
			tops[i] = max(tops[i], float64(p.Value))
		}
		if !math.IsInf(tops[i], 0) {
			lo, hi = min(lo, tops[i]), max(hi, tops[i])
		}
	}
	line := make([]rune, width)
	for i, v := range tops {
		switch {
		case math.IsInf(v, 1):
			line[i] = '×'
		case hi <= lo:
			line[i] = bars[0]
		default:
			line[i] = bars[int((v-lo)/(hi-lo)*float64(len(bars)-1)+0.5)]
		}
	}
	return string(line)
}
