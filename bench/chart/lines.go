package chart

import (
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lines is a picture of series over a common x, in one panel or several that
// are stacked.
type Lines struct {
	Title, XLabel string
	Panels        []Panel
	Bands         []Band
}

// Panel is one pair of axes.
type Panel struct {
	YLabel   string
	LogY     bool
	FromZero bool // the y axis includes 0 (not with LogY)
	Height   int  // px; default 320, or 220 where there are several panels
	Series   []Series
	Marks    []Mark
}

// Series is a line through (X[i], Y[i]); the longer slice is cut. X ascends.
type Series struct {
	Name   string // "" has no legend
	X, Y   []float64
	Steps  bool // Y[i] holds until X[i+1]
	Dashed bool
}

// Band shades the x range [From, To] of all panels.
type Band struct {
	From, To float64
	Label    string // written at the top of the first panel
}

// Mark is a named level, drawn as a thin dashed line.
type Mark struct {
	Name  string
	Value float64
}

// WriteSVG draws l. skipped is the number of values that could not be drawn.
func (l Lines) WriteSVG(w io.Writer) (skipped int, err error) {
	rows := make([][]*plot.Plot, len(l.Panels))
	height := titleHeight + 2*margin
	xmin, xmax, legend := math.Inf(1), math.Inf(-1), vg.Length(0)
	for i, panel := range l.Panels {
		p, n := panel.plot(bands{l.Bands, i == 0})
		rows[i] = []*plot.Plot{p}
		skipped += n
		xmin, xmax = min(xmin, p.X.Min), max(xmax, p.X.Max)
		legend = max(legend, p.Legend.Rectangle(draw.Canvas{}).Size().X)
		px := panel.Height
		if px <= 0 {
			px = map[bool]int{true: 320, false: 220}[len(l.Panels) == 1]
		}
		height += vg.Length(px) * 0.75
	}
	svg, dc := canvas(l.Title, height)
	if len(rows) == 0 {
		return 0, write(w, svg)
	}
	for i, row := range rows {
		p := row[0]
		p.X.Min, p.X.Max = xmin, xmax
		widen(&p.X, false)
		if i == len(rows)-1 {
			p.X.Label.Text = label(l.XLabel)
		} else {
			p.X.Tick.Marker = unlabelled{}
		}
	}
	legend = min(legend, width/3)
	tiles := draw.Tiles{Rows: len(rows), Cols: 1, PadTop: titleHeight + margin, PadBottom: margin,
		PadLeft: margin + 2*labelSize, PadRight: legend + 2*margin, PadY: margin}
	// The labels of y are drawn here: gonum's own take room for the place where
	// they would be on a linear axis.
	side := draw.TextStyle{Color: color.Black, Font: sans(labelSize), Rotation: math.Pi / 2,
		XAlign: draw.XCenter, YAlign: draw.YTop, Handler: plot.DefaultTextHandler}
	for i, row := range plot.Align(rows, tiles, dc) {
		p, c := rows[i][0], row[0]
		names := p.Legend
		p.Legend = plot.NewLegend()
		p.Draw(c)
		data := p.DataCanvas(c)
		dc.FillText(side, vg.Point{X: margin, Y: (data.Min.Y + data.Max.Y) / 2}, label(l.Panels[i].YLabel))
		c.Min.X, c.Max.X = dc.Max.X-margin-legend, dc.Max.X
		names.Draw(c)
	}
	return skipped, write(w, svg)
}

// plot returns a panel without its x range, which all panels share.
func (panel Panel) plot(behind bands) (p *plot.Plot, skipped int) {
	p = newPlot()
	if panel.LogY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decadeTicks{}
	}
	p.Add(behind, newGrid())
	for i, s := range panel.Series {
		style := draw.LineStyle{Color: palette[i%len(palette)], Width: 1.3}
		if s.Dashed || i >= len(palette) {
			style.Dashes = []vg.Length{4, 2}
		}
		runs, n := s.runs(panel.LogY)
		skipped += n
		for _, run := range runs {
			line := &plotter.Line{XYs: run, LineStyle: style}
			if s.Steps {
				line.StepStyle = plotter.PostStep
			}
			p.Add(line)
		}
		if s.Name != "" {
			p.Legend.Add(label(s.Name), &plotter.Line{LineStyle: style})
		}
	}
	for _, m := range panel.Marks {
		if !drawable(m.Value, panel.LogY) {
			skipped++
			continue
		}
		p.Y.Min, p.Y.Max = min(p.Y.Min, m.Value), max(p.Y.Max, m.Value)
		p.Add(level(m.Value))
		p.Legend.Add(label(m.Name), &plotter.Line{LineStyle: levelStyle})
	}
	if panel.FromZero && !panel.LogY {
		p.Y.Min, p.Y.Max = min(p.Y.Min, 0), max(p.Y.Max, 0)
	}
	widen(&p.Y, panel.LogY)
	return p, skipped
}

// runs returns the series as unbroken lines, thinned, and the number of values
// that have no place.
func (s Series) runs(logY bool) (runs []plotter.XYs, skipped int) {
	n := min(len(s.X), len(s.Y))
	var run plotter.XYs
	for k := range n {
		if drawable(s.X[k], false) && drawable(s.Y[k], logY) {
			run = append(run, plotter.XY{X: s.X[k], Y: s.Y[k]})
			continue
		}
		skipped++
		if len(run) > 0 {
			runs, run = append(runs, run), nil
		}
	}
	if len(run) > 0 {
		runs = append(runs, run)
	}
	if n > maxPoints {
		for i, run := range runs {
			runs[i] = thin(run, n)
		}
	}
	return runs, skipped
}

// maxPoints is the number of points up to which all of them are drawn.
const maxPoints = 1500

// thin keeps of each group of points the lowest and the highest, in order, and
// the ends, so that of n points about maxPoints stay.
func thin(run plotter.XYs, n int) plotter.XYs {
	size := 2 * (n + maxPoints - 1) / maxPoints
	out := plotter.XYs{run[0]}
	for at := 1; at < len(run)-1; at += size {
		group := run[at:min(at+size, len(run)-1)]
		lo, hi := 0, 0
		for i, v := range group {
			if v.Y < group[lo].Y {
				lo = i
			}
			if v.Y > group[hi].Y {
				hi = i
			}
		}
		out = append(out, group[min(lo, hi)])
		if lo != hi {
			out = append(out, group[max(lo, hi)])
		}
	}
	if len(run) > 1 {
		out = append(out, run[len(run)-1])
	}
	return out
}
