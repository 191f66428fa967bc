package chart

import (
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars is a picture of named values, one horizontal bar each, the first on top,
// from zero, with the number at the end of the bar.
type Bars struct {
	Title, ValueLabel string
	Bars              []Bar
	Reference         *Mark // a line across the bars; nil for none
}

// Bar is one value. Group chooses the colour (0, 1, ...).
type Bar struct {
	Name  string
	Value float64
	Group int
}

// barHeight is the room of one bar, two thirds of it filled.
const barHeight = vg.Length(18)

// WriteSVG draws b. skipped is the number of values that could not be drawn:
// such a bar keeps its name and has "none" for a number.
func (b Bars) WriteSVG(w io.Writer) (skipped int, err error) {
	p := newPlot()
	p.X.Min, p.X.Max = 0, 0
	ticks := make([]plot.Tick, len(b.Bars))
	for i, bar := range b.Bars {
		ticks[i] = plot.Tick{Value: float64(-i), Label: label(bar.Name) + " "}
		if !drawable(bar.Value, false) {
			skipped++
			continue
		}
		p.X.Min, p.X.Max = min(p.X.Min, bar.Value), max(p.X.Max, bar.Value)
	}
	if r := b.Reference; r != nil {
		if drawable(r.Value, false) {
			p.X.Min, p.X.Max = min(p.X.Min, r.Value), max(p.X.Max, r.Value)
		} else {
			skipped++
		}
	}
	if p.X.Min == p.X.Max {
		p.X.Max = 1
	}
	// Room for the numbers.
	room := (p.X.Max - p.X.Min) / 10
	p.X.Max += room
	if p.X.Min < 0 {
		p.X.Min -= room
	}
	p.Y.Min, p.Y.Max = -float64(len(b.Bars))+0.4, 0.6
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.Tick.Length, p.Y.Tick.LineStyle.Width = 0, 0
	p.X.Label.Text = label(b.ValueLabel)
	grid := newGrid()
	grid.Horizontal.Color = nil
	p.Add(grid, b)

	svg, dc := canvas(b.Title, titleHeight+4*margin+3*labelSize+barHeight*vg.Length(len(b.Bars)+1))
	dc.Min.X, dc.Min.Y = dc.Min.X+margin, dc.Min.Y+margin
	dc.Max.X, dc.Max.Y = dc.Max.X-margin, dc.Max.Y-titleHeight-margin
	p.Draw(dc)
	return skipped, write(w, svg)
}

// Plot draws the bars.
func (b Bars) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	sty := draw.TextStyle{Color: quiet, Font: sans(tickSize), YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
	for i, bar := range b.Bars {
		y, from, text := ty(float64(-i)), tx(0), "none"
		end := from
		if drawable(bar.Value, false) {
			end, text = tx(bar.Value), number(bar.Value)
			half := (ty(0) - ty(-1)) / 3
			fill := palette[max(bar.Group, 0)%len(palette)]
			c.FillPolygon(fill, []vg.Point{{X: from, Y: y - half}, {X: end, Y: y - half}, {X: end, Y: y + half}, {X: from, Y: y + half}})
		}
		sty.XAlign = draw.XLeft
		if end < from {
			sty.XAlign, end = draw.XRight, end-6
		}
		c.FillText(sty, vg.Point{X: end + 3, Y: y}, text)
	}
	if r := b.Reference; r != nil && drawable(r.Value, false) {
		c.StrokeLine2(levelStyle, tx(r.Value), c.Min.Y, tx(r.Value), c.Max.Y)
		sty.XAlign, sty.YAlign = draw.XLeft, draw.YTop
		c.FillText(sty, vg.Point{X: tx(r.Value) + 3, Y: c.Max.Y + 10}, label(r.Name))
	}
}
