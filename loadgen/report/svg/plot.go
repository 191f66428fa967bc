package svg

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// plot is a chart in a form: the room between the margins, and both spans.
type plot struct {
	c                        *Chart
	f                        form
	left, top, right, bottom float64 // edges of the plot, px
	x, y                     span
}

func newPlot(c *Chart, f form) *plot {
	p := &plot{c: c, f: f}
	var ys [][]float64
	for _, l := range c.Lines {
		ys = append(ys, l.Y)
	}
	for _, r := range c.Rules {
		ys = append(ys, []float64{r.At})
	}
	p.y = c.Y.span(5, false, ys...)
	xTicks := 8
	if f.inside {
		xTicks = 4
	}
	p.x = c.X.span(xTicks, true, c.At)
	widest := 0
	for _, t := range p.y.ticks {
		widest = max(widest, utf8.RuneCountInString(t.Name))
	}
	p.left = float64(widest)*letter + 10
	if !f.inside {
		p.left = max(p.left, minLeft) // so that charts above each other agree
	}
	p.right, p.top, p.bottom = f.width-12, 10, f.height-24
	if c.X.Label != "" {
		p.bottom -= lineHeight
	}
	if len(c.Bands) > 0 {
		p.top += 12
	}
	if f.inside {
		p.top += lineHeight * float64(len(p.legendRows()))
		return p
	}
	longest := 0
	for _, l := range c.Lines {
		longest = max(longest, utf8.RuneCountInString(l.Name))
	}
	p.right -= max(min(float64(longest), 22)*letter+6, minRight)
	return p
}

// px and py are where values are in the picture, to a tenth of a pixel.
func (p *plot) px(v float64) float64 { return tenth(p.left + p.x.at(v)*(p.right-p.left)) }
func (p *plot) py(v float64) float64 { return tenth(p.bottom - p.y.at(v)*(p.bottom-p.top)) }

func tenth(v float64) float64 { return math.Round(v*10) / 10 }

// draw writes the picture.
func (p *plot) draw(b *strings.Builder) {
	fmt.Fprintf(b, "<svg class=\"%s\" viewBox=\"0 0 %v %v\" role=\"img\" aria-label=\"%s\">\n", p.f.class, p.f.width, p.f.height,
		escape(strings.TrimRight(p.c.Title+". "+p.c.Desc, ". ")))
	p.bands(b)
	p.axes(b)
	fmt.Fprintf(b, "<rect class=\"plot\" x=\"%v\" y=\"%v\" width=\"%v\" height=\"%v\"/>\n", tenth(p.left), tenth(p.top), tenth(p.right-p.left), tenth(p.bottom-p.top))
	p.rules(b)
	for _, l := range p.c.Lines {
		p.line(b, l)
	}
	if p.f.inside {
		p.drawLegend(b)
	} else {
		p.labels(b)
	}
	b.WriteString("</svg>\n")
}

func (p *plot) bands(b *strings.Builder) {
	for i, band := range p.c.Bands {
		from, to := max(p.px(band.From), tenth(p.left)), min(p.px(band.To), tenth(p.right))
		if to <= from {
			continue
		}
		class := "band"
		if i%2 == 1 {
			class = "band odd"
		}
		if band.Dim {
			class += " dim"
		}
		fmt.Fprintf(b, "<rect class=\"%s\" x=\"%v\" y=\"%v\" width=\"%v\" height=\"%v\"><title>%s</title></rect>\n", class, from, tenth(p.top-14), tenth(to-from),
			tenth(p.bottom-p.top+14), escape(band.Name))
		if name := short(band.Name, (to-from-4)/letter); name != "" {
			text(b, "band-name", from+3, p.top-3, "start", name)
		}
	}
}

// axes draws grid and ticks; a name that would run into the one before it is
// left out.
func (p *plot) axes(b *strings.Builder) {
	for _, t := range p.y.ticks {
		y := p.py(t.At)
		fmt.Fprintf(b, "<path class=\"grid\" d=\"M%v %vH%v\"/>\n", tenth(p.left), y, tenth(p.right))
		text(b, "tick", p.left-6, y+4, "end", t.Name)
	}
	free := math.Inf(-1)
	for _, t := range p.x.ticks {
		x, half := p.px(t.At), float64(utf8.RuneCountInString(t.Name))*letter/2
		fmt.Fprintf(b, "<path class=\"grid\" d=\"M%v %vV%v\"/>\n", x, tenth(p.bottom), tenth(p.bottom+4))
		if x-half < free || x+half > p.f.width {
			continue
		}
		free = x + half + 6
		text(b, "tick", x, p.bottom+17, "middle", t.Name)
	}
	if p.c.X.Label != "" {
		text(b, "label", p.right, p.bottom+17+lineHeight, "end", p.c.X.Label)
	}
}

func (p *plot) rules(b *strings.Builder) {
	for _, r := range p.c.Rules {
		if f := p.y.at(r.At); !p.shown(r.At) || f < 0 || f > 1 || math.IsNaN(f) {
			continue
		}
		y := p.py(r.At)
		fmt.Fprintf(b, "<path class=\"rule\" d=\"M%v %vH%v\"/>\n", tenth(p.left), y, tenth(p.right))
		text(b, "label", p.left+4, y-4, "start", r.Name)
	}
}

// line draws a line. It breaks where there is no value, and goes straight up
// and out where what it is about never came.
func (p *plot) line(b *strings.Builder, l Line) {
	if l.Dots {
		for i, x := range p.c.At {
			if v := value(l, i); p.shown(v) {
				fmt.Fprintf(b, "<circle class=\"dot s%d\" cx=\"%v\" cy=\"%v\" r=\"3.5\"/>\n", l.Colour%6, p.px(x), p.py(v))
			}
		}
		return
	}
	var d, out strings.Builder
	pen := false
	for i, x := range p.c.At {
		v := value(l, i)
		switch {
		case p.shown(v) && pen && l.Steps:
			fmt.Fprintf(&d, "H%vV%v", p.px(x), p.py(v))
		case p.shown(v) && pen:
			fmt.Fprintf(&d, "L%v %v", p.px(x), p.py(v))
		case p.shown(v):
			fmt.Fprintf(&d, "M%v %v", p.px(x), p.py(v))
			if !p.shown(value(l, i+1)) { // a point alone
				d.WriteString("h1")
			}
		case math.IsInf(v, 1) && pen:
			fmt.Fprintf(&out, "M%v %vV%v", p.px(p.c.At[i-1]), p.py(value(l, i-1)), tenth(p.top))
		}
		pen = p.shown(v)
	}
	class := fmt.Sprintf("line s%d", l.Colour%6)
	if l.Dashed {
		class += " dashed"
	}
	if d.Len() > 0 {
		fmt.Fprintf(b, "<path class=\"%s\" d=\"%s\"/>\n", class, d.String())
	}
	if out.Len() > 0 {
		fmt.Fprintf(b, "<path class=\"line s%d out\" d=\"%s\"><title>never came</title></path>\n", l.Colour%6, out.String())
	}
}

// shown reports whether a value has a place in the picture.
func (p *plot) shown(v float64) bool {
	return !math.IsNaN(v) && math.Abs(v) <= huge && (!p.y.log || v >= tiny)
}

// labels writes the lines' names beside their ends, moved apart where they
// would cover each other.
func (p *plot) labels(b *strings.Builder) {
	type label struct {
		y    float64
		line Line
	}
	var list []label
	for _, l := range p.c.Lines {
		y, some := p.bottom, false
		for i := range p.c.At {
			if v := value(l, i); p.shown(v) {
				y, some = p.py(v), true
			} else if math.IsInf(v, 1) {
				y, some = p.top, true
			}
		}
		if some && l.Name != "" {
			list = append(list, label{y, l})
		}
	}
	slices.SortStableFunc(list, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	for i := 1; i < len(list); i++ {
		list[i].y = max(list[i].y, list[i-1].y+lineHeight)
	}
	for i, floor := len(list)-1, p.bottom; i >= 0; i, floor = i-1, floor-lineHeight {
		list[i].y = min(list[i].y, floor)
	}
	for _, l := range list {
		text(b, fmt.Sprintf("name s%d", l.line.Colour%6), p.right+6, l.y+4, "start", short(l.line.Name, 22))
	}
}

// legendRows breaks the names into rows.
func (p *plot) legendRows() (rows [][]Line) {
	room := 0.0
	for _, l := range p.c.Lines {
		w := float64(utf8.RuneCountInString(l.Name))*letter + 34
		if len(rows) == 0 || w > room {
			rows = append(rows, nil)
			room = p.f.width - 12
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], l)
		room -= w
	}
	return rows
}

func (p *plot) drawLegend(b *strings.Builder) {
	for i, row := range p.legendRows() {
		x, y := 8.0, 12+lineHeight*float64(i)
		for _, l := range row {
			dashed := ""
			if l.Dashed {
				dashed = " dashed"
			}
			fmt.Fprintf(b, "<path class=\"line s%d%s\" d=\"M%v %vh14\"/>\n", l.Colour%6, dashed, tenth(x), tenth(y-4))
			name := short(l.Name, (p.f.width-x-20)/letter)
			text(b, fmt.Sprintf("name s%d", l.Colour%6), x+18, y, "start", name)
			x += float64(utf8.RuneCountInString(l.Name))*letter + 34
		}
	}
}

// escape makes s text. Characters that XML cannot hold are replaced.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c == 0xfffe || c == 0xffff {
			return utf8.RuneError
		}
		return c
	}, s))
}

func text(b *strings.Builder, class string, x, y float64, anchor, s string) {
	fmt.Fprintf(b, "<text class=\"%s\" x=\"%v\" y=\"%v\" text-anchor=\"%s\">%s</text>\n", class, tenth(x), tenth(y), anchor, escape(s))
}

// short cuts a name to so many characters, "" if that would say nothing.
func short(s string, room float64) string {
	if n := utf8.RuneCountInString(s); float64(n) <= room {
		return s
	} else if room < 4 {
		return ""
	}
	return string([]rune(s)[:int(room)-1]) + "…"
}
