package svg

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Chart is a picture of one or more lines over a common x.
type Chart struct {
	Title string
	Desc  string // what is to be seen, for those who do not see it; below the title
	X, Y  Axis
	At    []float64 // x of the points, ascending
	Lines []Line
	Bands []Band // stretches of x with a name
	Rules []Rule // levels of y with a name
}

// Axis is one direction of a chart.
type Axis struct {
	Label string // "": the ticks say enough
	Unit  Unit
	Log   bool
	Zero  bool // begins at 0
	// Min and Max bound what is shown; both 0: what the lines need.
	Min, Max float64
	Ticks    []Tick // where they are not to be chosen
	// Name writes a value where its unit is not enough; nil: Format.
	Name func(v float64) string
}

// Tick is a named place on an axis.
type Tick struct {
	At   float64
	Name string
}

// Line is one line, or dots. What is NaN is not drawn; +Inf, a miss, is drawn
// as a way out through the top.
type Line struct {
	Name   string
	Y      []float64 // of Chart.At
	Colour int       // 0 to 5
	Dashed bool
	Dots   bool // dots without a line
	Steps  bool // holds its value until the next point
}

// Band is a stretch of x.
type Band struct {
	Name     string
	From, To float64
	Dim      bool // is not part of the result
}

// Rule is a level of y, such as a threshold.
type Rule struct {
	Name string
	At   float64
}

// form is the room that a chart is drawn in: beside text, or on a phone.
type form struct {
	class         string
	width, height float64
	inside        bool // names of lines above the plot instead of beside it
}

var forms = []form{
	{"wide", 540, 280, false},
	{"narrow", 340, 270, true},
}

const (
	letter     = 6.4 // width of a character of 11.5 px, on average
	lineHeight = 15.0
	maxPoints  = 400 // of a line; more are thinned
	minLeft    = 62  // margins of the wide form
	minRight   = 92
)

// HTML draws the chart as a figure, once for wide screens and once for narrow
// ones: Style shows one of them. What the pointer shows is in an attribute for
// Script; without a script only that is missing.
func (c *Chart) HTML() template.HTML {
	c = c.thinned()
	var b strings.Builder
	fmt.Fprintf(&b, "<figure class=\"chart\" data-hover=\"%s\">\n<figcaption><strong>%s</strong>", escape(c.hover()), escape(c.Title))
	if c.Desc != "" {
		fmt.Fprintf(&b, " <span>%s</span>", escape(c.Desc))
	}
	b.WriteString("</figcaption>\n")
	for _, f := range forms {
		p := newPlot(c, f)
		p.draw(&b)
	}
	b.WriteString("<div class=\"tip\" hidden></div></figure>\n")
	return template.HTML(b.String())
}

// thinned keeps at most maxPoints a line: of each stretch the points with the
// smallest and the largest value of any line, so that a spike stays.
func (c *Chart) thinned() *Chart {
	if len(c.At) <= maxPoints {
		return c
	}
	stretch := (len(c.At)*2*max(len(c.Lines), 1) + maxPoints - 1) / maxPoints
	var keep []int
	for from := 0; from < len(c.At); from += stretch {
		chosen := map[int]bool{from: true}
		to := min(from+stretch, len(c.At))
		for _, l := range c.Lines {
			low, high := from, from
			for i := from; i < to; i++ {
				if value(l, i) < value(l, low) {
					low = i
				}
				if value(l, i) > value(l, high) {
					high = i
				}
			}
			chosen[low], chosen[high] = true, true
		}
		for i := from; i < to; i++ {
			if chosen[i] || i == len(c.At)-1 {
				keep = append(keep, i)
			}
		}
	}
	thin := *c
	thin.At, thin.Lines = nil, append([]Line(nil), c.Lines...)
	for i := range thin.Lines {
		thin.Lines[i].Y = nil
	}
	for _, k := range keep {
		thin.At = append(thin.At, c.At[k])
		for i := range thin.Lines {
			thin.Lines[i].Y = append(thin.Lines[i].Y, value(c.Lines[i], k))
		}
	}
	return &thin
}

// value is point i of a line, NaN if there is none.
func value(l Line, i int) float64 {
	if i < len(l.Y) {
		return l.Y[i]
	}
	return math.NaN()
}
