package trend

import (
	"bytes"
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"math"

	"roost/bench/compare"
	"roost/loadgen/report/svg"
)

//go:embed page.gohtml
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// pageGroup is what runs that can be compared have.
type pageGroup struct {
	Heading string
	Series  []pageSeries
}

type pageSeries struct {
	Chart template.HTML
	Steps []pageStep
}

type pageStep struct {
	Class string
	Text  string
}

// HTML writes the trend as one page that needs nothing else.
func (t *Trend) HTML(w io.Writer) error {
	var groups []pageGroup
	for i := range t.Series {
		s := &t.Series[i]
		if s.constant() {
			continue
		}
		if h := s.heading(); len(groups) == 0 || groups[len(groups)-1].Heading != h {
			groups = append(groups, pageGroup{Heading: h})
		}
		g := &groups[len(groups)-1]
		p := pageSeries{Chart: s.chart().HTML()}
		for k := range s.Steps {
			class := "fail"
			if s.Steps[k].Is == compare.Improved {
				class = "pass"
			}
			p.Steps = append(p.Steps, pageStep{class, s.sentence(&s.Steps[k])})
		}
		g.Series = append(g.Series, p)
	}
	var b bytes.Buffer
	err := page.Execute(&b, map[string]any{"T": t, "Groups": groups, "Style": template.CSS(svg.Style), "Script": template.JS(svg.Script)})
	if err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// chart draws the runs as dots and the levels between steps as a line.
func (s *Series) chart() *svg.Chart {
	n := len(s.Points)
	c := &svg.Chart{Title: s.Metric, Desc: fmt.Sprintf("%d runs, now %s", n, compare.Format(s.level(), s.Unit)),
		Y:     svg.Axis{Unit: svg.Unit(s.Unit)},
		Lines: []svg.Line{{Name: "run", Dots: true}, {Name: "level", Colour: 1, Steps: true}}}
	levels := s.levels()
	for i, p := range s.Points {
		c.At = append(c.At, float64(i))
		c.Lines[0].Y = append(c.Lines[0].Y, float64(p.Value))
		c.Lines[1].Y = append(c.Lines[1].Y, levels[i])
	}
	name := func(v float64) string {
		return s.Points[min(max(int(math.Round(v)), 0), n-1)].At.UTC().Format("01-02 15:04")
	}
	c.X.Name = name
	for i := 0; i < n; i += max((n+4)/5, 1) {
		c.X.Ticks = append(c.X.Ticks, svg.Tick{At: float64(i), Name: s.Points[i].At.UTC().Format("01-02")})
	}
	return c
}

// levels is the level at each point.
func (s *Series) levels() []float64 {
	v := make([]float64, len(s.Points))
	next := 0
	level := s.level()
	if len(s.Steps) > 0 {
		level = float64(s.Steps[0].Before)
	}
	for i := range v {
		if next < len(s.Steps) && i == s.Steps[next].At {
			level = float64(s.Steps[next].After)
			next++
		}
		v[i] = level
	}
	return v
}
