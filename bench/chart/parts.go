package chart

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bands shades ranges of x.
type bands struct {
	list  []Band
	named bool
}

var bandColors = []color.RGBA{{0xF3, 0xEE, 0xDC, 0xFF}, {0xE4, 0xEC, 0xF5, 0xFF}}

func (b bands) Plot(c draw.Canvas, p *plot.Plot) {
	tx, _ := p.Transforms(&c)
	sty := draw.TextStyle{Color: quiet, Font: sans(tickSize), YAlign: draw.YTop, Handler: plot.DefaultTextHandler}
	for i, band := range b.list {
		from, to := max(band.From, p.X.Min), min(band.To, p.X.Max)
		if !(from < to) {
			continue
		}
		x0, x1 := tx(from), tx(to)
		c.FillPolygon(bandColors[i%len(bandColors)], []vg.Point{
			{X: x0, Y: c.Min.Y}, {X: x1, Y: c.Min.Y}, {X: x1, Y: c.Max.Y}, {X: x0, Y: c.Max.Y}})
		if b.named {
			c.FillText(sty, vg.Point{X: x0 + 3, Y: c.Max.Y - 2}, label(band.Label))
		}
	}
}

// level is a thin dashed line at a value of y.
type level float64

var levelStyle = draw.LineStyle{Color: quiet, Width: 0.8, Dashes: []vg.Length{2, 2}}

func (l level) Plot(c draw.Canvas, p *plot.Plot) {
	_, ty := p.Transforms(&c)
	c.StrokeLine2(levelStyle, c.Min.X, ty(float64(l)), c.Max.X, ty(float64(l)))
}

func newGrid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical = draw.LineStyle{Color: gridColor, Width: 0.5}
	g.Horizontal = g.Vertical
	return g
}

// unlabelled are the ticks of an x axis whose numbers stand below another panel.
type unlabelled struct{}

func (unlabelled) Ticks(lo, hi float64) []plot.Tick {
	ticks := niceTicks{}.Ticks(lo, hi)
	for i := range ticks {
		ticks[i].Label = " " // an empty one would be a minor tick, which has no grid line
	}
	return ticks
}
