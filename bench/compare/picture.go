package compare

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"roost/loadgen/tally"
)

// drawing is an inline SVG under way. Colours are classes of the page's style,
// so that they follow its light and dark.
type drawing struct {
	strings.Builder
}

func (d *drawing) f(format string, args ...any) { fmt.Fprintf(&d.Builder, format, args...) }

// text writes a label; what it says is escaped.
func (d *drawing) text(x, y float64, class, s string) {
	d.f(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, template.HTMLEscapeString(s))
}

// begin opens a picture in a form, with a name for those who do not see it.
func (d *drawing) begin(f form, height float64, name string) {
	d.f(`<svg class="%s" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, f.class, f.width, height, template.HTMLEscapeString(name))
}

// form is the room for a picture: beside text, or on a phone. svg.Style shows one
// of them.
type form struct {
	class         string
	width, height float64
	label         float64 // width of names beside rows; 0: above them
}

var forms = []form{{"wide", 720, 320, 190}, {"narrow", 340, 260, 0}}

// figure draws a picture in all forms.
func figure(draw func(form) string) template.HTML {
	var b strings.Builder
	for _, f := range forms {
		b.WriteString(draw(f))
	}
	if b.Len() == 0 {
		return ""
	}
	return template.HTML(`<figure class="chart ratios">` + b.String() + `</figure>`)
}

// scale maps a logarithm's range onto a stretch of the picture.
type scale struct {
	lo, hi   float64 // of values
	from, to float64 // of the picture
}

func (s scale) at(v float64) float64 {
	v = min(max(v, s.lo), s.hi)
	return s.from + (s.to-s.from)*math.Log(v/s.lo)/math.Log(s.hi/s.lo)
}

// dots draws every pair's ratio of the tested metrics, with the interval of the
// median and the band in which nothing counts. Ratios beyond the picture are at
// its edge.
func (c *Comparison) dots() template.HTML {
	var rows []*Row
	far := 1.02
	for i := range c.Tested {
		r := &c.Tested[i]
		if len(r.Ratios) == 0 || r.constant() {
			continue
		}
		rows = append(rows, r)
		far = max(far, 1+2*r.MinEffect)
		for _, x := range r.Ratios {
			if v := max(float64(x), 1/float64(x)); !math.IsInf(v, 0) {
				far = max(far, min(v, 4))
			}
		}
	}
	if len(rows) == 0 {
		return ""
	}
	return figure(func(f form) string { return dotRows(f, rows, far*1.02) })
}

// dotRows draws the rows in a form; ratios up to far fit.
func dotRows(f form, rows []*Row, far float64) string {
	high, middle := 30.0, 15.0 // of a row, and where its dots are
	if f.label == 0 {
		high, middle = 44, 30
	}
	x := scale{1 / far, far, f.label + 8, f.width - 12}
	height := high*float64(len(rows)) + 40
	d := &drawing{}
	d.begin(f, height, "ratios B/A of every pair, by metric")
	room := f.width / 70
	for i, tick := range ticks(far) {
		d.f(`<line class="grid" x1="%.1f" x2="%.1f" y1="4" y2="%.1f"/>`, x.at(tick), x.at(tick), height-26)
		if float64(len(ticks(far))) <= room || i%2 == 0 {
			d.text(x.at(tick), height-10, "tick middle", Signed(tick))
		}
	}
	for i, r := range rows {
		y := high*float64(i) + middle + 6
		if f.label > 0 {
			d.text(f.label, y+4, "end", r.Metric)
		} else {
			d.text(8, y-14, "start", r.Metric)
		}
		d.row(r, x, y)
	}
	d.f(`<line class="axis" x1="%.1f" x2="%.1f" y1="4" y2="%.1f"/></svg>`, x.at(1), x.at(1), height-26)
	return d.String()
}

// row draws one metric around y.
func (d *drawing) row(r *Row, x scale, y float64) {
	d.f(`<rect class="still" x="%.1f" width="%.1f" y="%.1f" height="18"/>`, x.at(1-r.MinEffect), x.at(1+r.MinEffect)-x.at(1-r.MinEffect), y-9)
	d.f(`<line class="interval" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, x.at(float64(r.Lo)), x.at(float64(r.Hi)), y, y)
	for k, v := range r.Ratios {
		// Equal ones would cover each other.
		d.f(`<circle cx="%.1f" cy="%.1f" r="3.2"><title>pair %d: %s</title></circle>`, x.at(float64(v)), y+float64(k%3-1)*3.5, k+1, Signed(float64(v)))
	}
	d.f(`<line class="median" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"><title>median %s</title></line>`, x.at(float64(r.Ratio)), x.at(float64(r.Ratio)), y-10, y+10, Signed(float64(r.Ratio)))
}

// ticks are ratios around 1, of a step that fits.
func ticks(far float64) (list []float64) {
	step := 0.01
	for _, s := range []float64{0.02, 0.05, 0.1, 0.2, 0.5, 1, 2} {
		if (far-1)/step > 4 {
			step = s
		}
	}
	for v := 1.0; v < far; v += step {
		list = append(list, v)
	}
	for v := 1 - step; v > 1/far; v -= step {
		list = append(list, v)
	}
	return list
}

// percentileCurves draws the distributions of both sides, x = 1/(1-q): every run
// thin, all of a side thick. A line that ends early ends at its first miss.
func (c *Comparison) percentileCurves(i int) template.HTML {
	k, l := &c.curves[i], &c.Latency[i]
	most := max(k.a.Count(), k.b.Count())
	nines := 1.0
	for n := uint64(10); n < most && nines < 6; n *= 10 {
		nines++
	}
	lo, hi := math.Inf(1), 0.0
	for _, h := range slices.Concat([]*tally.Hist{k.a, k.b}, k.eachA, k.eachB) {
		lo = min(lo, max(float64(h.Quantile(0.01)), tally.MinValue))
		for q := 1.0; q <= nines; q += 0.5 {
			if v := value(h.Quantile(1 - math.Pow(10, -q))); !math.IsInf(v, 1) {
				hi = max(hi, v)
			}
		}
	}
	if hi <= 0 || math.IsInf(lo, 1) {
		return ""
	}
	return figure(func(f form) string { return k.draw(f, l.Name, nines, lo/1.1, max(hi, lo*2)*1.1) })
}

// draw draws the curves in a form, up to so many nines and from lo to hi.
func (k *curves) draw(f form, name string, nines, lo, hi float64) string {
	const left = 64
	right, bottom := f.width-32, f.height-34
	x, y := scale{1, math.Pow(10, nines), left, right}, scale{lo, hi, bottom, 10}
	d := &drawing{}
	d.begin(f, f.height, name+": latency by percentile, of both sides")
	for n := 0.0; n <= nines; n++ {
		v := math.Pow(10, n)
		d.f(`<line class="grid" x1="%.1f" x2="%.1f" y1="10" y2="%.1f"/>`, x.at(v), x.at(v), bottom)
		if f.label > 0 || int(n)%2 == 0 {
			d.text(x.at(v), bottom+18, "tick middle", percentile(n))
		}
	}
	for decade := math.Pow(10, math.Floor(math.Log10(y.lo))); decade <= y.hi; decade *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if v := decade * m; v >= y.lo && v <= y.hi {
				d.f(`<line class="grid" x1="%d" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, right, y.at(v), y.at(v))
				d.text(left-6, y.at(v)+4, "tick end", Format(v, "ns"))
			}
		}
	}
	for _, side := range []struct {
		class string
		all   *tally.Hist
		each  []*tally.Hist
	}{{"a", k.a, k.eachA}, {"b", k.b, k.eachB}} {
		for _, h := range side.each {
			d.curve(h, x, y, nines, "thin "+side.class)
		}
		d.curve(side.all, x, y, nines, "thick "+side.class)
	}
	d.f(`<line class="axis" x1="%d" x2="%.1f" y1="%.1f" y2="%.1f"/></svg>`, left, right, bottom, bottom)
	return d.String()
}

// curve draws one distribution, 24 points for each nine.
func (d *drawing) curve(h *tally.Hist, x, y scale, nines float64, class string) {
	var points strings.Builder
	for n := 0.0; n <= nines; n += 1.0 / 24 {
		v := value(h.Quantile(1 - math.Pow(10, -n)))
		if math.IsInf(v, 1) {
			break
		}
		fmt.Fprintf(&points, "%.1f,%.1f ", x.at(math.Pow(10, n)), y.at(max(v, y.lo)))
	}
	d.f(`<polyline class="%s" points="%s"/>`, class, strings.TrimSpace(points.String()))
}

// percentile names the place of so many nines.
func percentile(nines float64) string {
	switch nines {
	case 0:
		return "0 %"
	case 1:
		return "90 %"
	case 2:
		return "99 %"
	}
	return "99." + strings.Repeat("9", int(nines)-2) + " %"
}
