package decaysim

import (
	"path/filepath"
	"time"

	"roost/bench/chart"
)

// drawnModels are the models in the pictures; nine lines would be too many.
var drawnModels = []string{"decay 0.1/s", "window 20 x 50 ms", "decay 2/s", "last slot", "window, newest slots", "true rate"}

// watched is a model whose estimates are kept, one every 4 ms.
type watched struct {
	rateModel
	from, to, next time.Duration
	x, y           []float64 // ms since from, requests/s
}

func (w *watched) rate(now time.Duration) float64 {
	r := w.rateModel.rate(now)
	if now >= w.next && now < w.to {
		w.next = now + 4*time.Millisecond
		w.x = append(w.x, float64(now-w.from)/1e6)
		w.y = append(w.y, r)
	}
	return r
}

// pictures draws the estimates around a burst, and P95 by second.
func (x *modelsRun) pictures() error {
	l := x.cases[0].Load
	l.Seed = 1
	t := l.draw()
	const before, after = 200 * time.Millisecond, 1500 * time.Millisecond
	begin := l.burst(0)
	estimates := chart.Lines{
		Title: "What each model takes the rate for, around a burst", XLabel: "time [ms]; the burst is shaded",
		Panels: []chart.Panel{{YLabel: "requests/s", FromZero: true, Height: 420, Marks: []chart.Mark{{Name: "target", Value: l.target()}}}},
		Bands:  []chart.Band{{From: before.Seconds() * 1e3, To: (before + l.Burst).Seconds() * 1e3, Label: "burst"}},
	}
	p95 := chart.Lines{Title: "P95 of the requests let in, by second", XLabel: "time [s]; " + x.cases[0].Name + " every 5 s"}
	for _, name := range append([]string{"no limiter"}, drawnModels...) {
		m := modelNamed(name)
		w := &watched{rateModel: m.make(l), from: begin - before, next: begin - before, to: begin + after}
		o := replay(t, w)
		if name != "no limiter" {
			estimates.Panels[0].Series = append(estimates.Panels[0].Series, chart.Series{Name: name, X: w.x, Y: w.y, Steps: true, Dashed: name == "true rate"})
		}
		if name == "no limiter" || name == "decay 2/s" || name == "last slot" {
			continue
		}
		shown := min(len(o.P95), 60)
		p95.Panels = append(p95.Panels, chart.Panel{YLabel: "ms", Height: 150, Series: []chart.Series{{Name: name, X: o.Seconds[:shown], Y: o.P95[:shown], Steps: true}}})
	}
	sameScale(p95.Panels)
	if err := x.draw("estimates.svg", estimates); err != nil {
		return err
	}
	return x.draw("p95.svg", p95)
}

// sameScale gives all panels the same range of y, by a mark at its ends.
func sameScale(panels []chart.Panel) {
	highest := 0.0
	for _, p := range panels {
		for _, y := range p.Series[0].Y {
			highest = max(highest, y)
		}
	}
	for i := range panels {
		panels[i].FromZero = true
		panels[i].Marks = []chart.Mark{{Name: "highest of all", Value: highest}}
	}
}

// draw writes a picture and names it in the report.
func (x *modelsRun) draw(name string, picture chart.Lines) error {
	if err := writePicture(filepath.Join(x.opt.Out, name), picture); err != nil {
		return err
	}
	x.printf("\n![%s](%s)\n", picture.Title, name)
	return nil
}

// modelNamed returns the model of a name of models.
func modelNamed(name string) model {
	for _, m := range models {
		if m.Name == name {
			return m
		}
	}
	panic("BUG: no model " + name)
}
