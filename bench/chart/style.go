package chart

import (
	"bytes"
	"image/color"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Lengths are SVG user units; 600 of them are 800 px.
const (
	width       = vg.Length(600)
	titleHeight = vg.Length(24)
	margin      = vg.Length(8)
	tickSize    = vg.Length(9)  // 12 px
	labelSize   = vg.Length(10) // 13 px
	titleSize   = vg.Length(13) // 17 px
)

// palette is that of Okabe and Ito, told apart by the colour-blind, without
// yellow, which white swallows. Past its end lines are dashed.
var palette = []color.RGBA{
	{0x00, 0x72, 0xB2, 0xFF}, {0xD5, 0x5E, 0x00, 0xFF}, {0x00, 0x9E, 0x73, 0xFF},
	{0xB0, 0x58, 0x90, 0xFF}, {0x33, 0x33, 0x33, 0xFF}, {0xE6, 0x9F, 0x00, 0xFF}, {0x3A, 0x9B, 0xD9, 0xFF},
}

var (
	gridColor = color.RGBA{0xE2, 0xE2, 0xE2, 0xFF}
	quiet     = color.RGBA{0x55, 0x55, 0x55, 0xFF}
)

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// newPlot returns an empty plot in the house style.
func newPlot() *plot.Plot {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = sans(labelSize)
		a.Tick.Label.Font = sans(tickSize)
		a.Tick.Marker = niceTicks{}
		a.Width, a.Tick.Width = 0.6, 0.6
		a.Padding = 2
		// The range is what add has seen; plot's own starts from nothing.
		a.Min, a.Max = math.Inf(1), math.Inf(-1)
	}
	p.Legend.TextStyle.Font = sans(tickSize)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.ThumbnailWidth, p.Legend.Padding = 16, 3
	return p
}

// widen makes an axis of no or tiny extent one that can be drawn.
func widen(a *plot.Axis, log bool) {
	if a.Min > a.Max {
		a.Min, a.Max = 1, 2
	}
	if log {
		if a.Max/a.Min < 1.5 {
			a.Min, a.Max = a.Min/1.5, a.Max*1.5
		}
		return
	}
	if size := max(math.Abs(a.Min), math.Abs(a.Max), 1e-300); a.Max-a.Min < 1e-9*size {
		a.Min, a.Max = a.Min-size/10, a.Max+size/10
	}
}

// drawable reports whether v has a place on an axis.
func drawable(v float64, log bool) bool {
	return math.Abs(v) <= 1e300 && (!log || v >= 1e-300)
}

// label makes s fit for XML: control characters and broken UTF-8 become spaces.
func label(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
}

// number writes v shortly: 0.25, 9500, 20k, 1.5M.
func number(v float64) string {
	v += 0 // -0 becomes 0
	// Four digits first: what rounds to 10,000 is 10k.
	if short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64); err == nil {
		v = short
	}
	suffix := ""
	switch a := math.Abs(v); {
	case a >= 1e13:
	case a >= 1e9:
		v, suffix = v/1e9, "G"
	case a >= 1e6:
		v, suffix = v/1e6, "M"
	case a >= 1e4:
		v, suffix = v/1e3, "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64) + suffix
}

// niceTicks puts about six labelled ticks at multiples of 1, 2 or 5 x 10^k.
type niceTicks struct{}

func (niceTicks) Ticks(lo, hi float64) []plot.Tick {
	raw := (hi - lo) / 7
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	switch r := raw / step; {
	case r > 5:
		step *= 10
	case r > 2:
		step *= 5
	case r > 1:
		step *= 2
	}
	var ticks []plot.Tick
	for i := math.Ceil(lo / step); i <= math.Floor(hi/step+1e-9) && len(ticks) < 20; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: number(i * step)})
	}
	return ticks
}

// decadeTicks labels powers of ten, at most about eight of them; where they are
// few, also 2 and 5 times them; within less than a decade it is niceTicks.
type decadeTicks struct{}

func (decadeTicks) Ticks(lo, hi float64) []plot.Tick {
	if hi/lo < 8 {
		return niceTicks{}.Ticks(lo, hi)
	}
	first, last := math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))
	stride := max(1, math.Ceil((last-first)/8))
	var ticks []plot.Tick
	// A tick beyond the axis is not drawn, but takes room.
	add := func(v float64, label string) {
		if v >= lo && v <= hi {
			ticks = append(ticks, plot.Tick{Value: v, Label: label})
		}
	}
	for e := first; e <= last; e += stride {
		v := math.Pow(10, e)
		add(v, number(v))
		for _, m := range []float64{2, 5} {
			switch {
			case stride > 1:
			case last-first <= 3:
				add(m*v, number(m*v))
			default:
				add(m*v, "")
			}
		}
	}
	return ticks
}

// write ends a picture: what is needed for viewers without the Liberation
// fonts is put in.
func write(w io.Writer, c *vgsvg.Canvas) error {
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	const family = "font-family:Liberation Sans"
	_, err := w.Write(bytes.ReplaceAll(b.Bytes(), []byte(family), []byte(family+",Arial,Helvetica,sans-serif")))
	return err
}

// canvas begins a picture of the given height on white, with its title.
func canvas(title string, height vg.Length) (*vgsvg.Canvas, draw.Canvas) {
	svg := vgsvg.New(width, height)
	dc := draw.New(svg)
	dc.FillPolygon(color.White, []vg.Point{dc.Min, {X: dc.Max.X, Y: dc.Min.Y}, dc.Max, {X: dc.Min.X, Y: dc.Max.Y}})
	sty := draw.TextStyle{Color: color.Black, Font: sans(titleSize), YAlign: draw.YTop, Handler: plot.DefaultTextHandler}
	dc.FillText(sty, vg.Point{X: margin, Y: dc.Max.Y - margin}, label(title))
	return svg, dc
}
