package svg

import (
	_ "embed"
	"encoding/json"
	"math"
)

// Style is the look of pages: colours for the light and the dark, type, tables
// and charts. It needs nothing else.
//
//go:embed style.css
var Style string

// Script shows the values under the pointer. A page is complete without it.
//
//go:embed hover.js
var Script string

// hover is what Script shows: for each point where it is, its x, and the value
// of each line ("" where there is none).
func (c *Chart) hover() string {
	type line struct {
		Name   string   `json:"n"`
		Colour int      `json:"c"`
		Values []string `json:"v"`
	}
	h := struct {
		At    []float64 `json:"f"` // share of the width
		X     []string  `json:"x"`
		Lines []line    `json:"l"`
	}{At: []float64{}, X: []string{}, Lines: []line{}}
	x := c.X.span(8, true, c.At)
	for _, v := range c.At {
		f := x.at(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 0
		}
		h.At = append(h.At, math.Round(f*1e4)/1e4)
		h.X = append(h.X, c.X.name(v))
	}
	for _, l := range c.Lines {
		hl := line{Name: l.Name, Colour: l.Colour % 6}
		for i := range c.At {
			name := ""
			if v := value(l, i); !math.IsNaN(v) {
				name = Format(v, c.Y.Unit)
			}
			hl.Values = append(hl.Values, name)
		}
		h.Lines = append(h.Lines, hl)
	}
	b, err := json.Marshal(h)
	if err != nil { // numbers are finite and all else is text
		return "{}"
	}
	return string(b)
}

// name writes a place on the axis.
func (a *Axis) name(v float64) string {
	if a.Name != nil {
		return a.Name(v)
	}
	return Format(v, a.Unit)
}
