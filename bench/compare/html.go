package compare

import (
	"bytes"
	_ "embed" // the page
	"html/template"
	"io"

	"roost/loadgen/report/svg"
)

//go:embed page.gohtml
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"class": func(v Verdict) string {
		switch v {
		case Improved, WithinNoise:
			return "pass"
		case Regressed, Invalid:
			return "fail"
		}
		return "unknown"
	},
	"isText": func(s *sheet, i int) bool { return s.isText(i) },
}).Parse(pageText))

// pageData is what the page shows.
type pageData struct {
	*Comparison
	Title                                         string
	FactRows, EnvironmentRows, Bad, Metrics, Rest *sheet
	FloorRows                                     *sheet
	Legend                                        string
	Style                                         template.CSS
	Dots                                          template.HTML
	Curves                                        []curveData
}

// curveData is one histogram's part.
type curveData struct {
	Name    string
	Table   *sheet
	Picture template.HTML
}

// Head and Rows are for the page.
func (s *sheet) Head() []string   { return s.head }
func (s *sheet) Rows() [][]string { return s.rows }

// HTML writes the comparison as one page that needs nothing else: no script, no
// font, no network.
func (c *Comparison) HTML(w io.Writer) error {
	d := pageData{Comparison: c, Style: template.CSS(svg.Style), Title: c.title(), FactRows: c.differences(c.Facts), EnvironmentRows: c.differences(c.Environment), Bad: c.badRuns()}
	if len(c.Tested) > 0 {
		d.Metrics, d.FloorRows, d.Rest, d.Legend, d.Dots = c.metrics(c.Tested, true), c.floorRows(), c.metrics(c.Shown, false), c.legend(), c.dots()
	}
	for i := range c.Latency {
		d.Curves = append(d.Curves, curveData{c.Latency[i].Name, c.latency(&c.Latency[i]), c.percentileCurves(i)})
	}
	var b bytes.Buffer
	if err := page.Execute(&b, d); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
