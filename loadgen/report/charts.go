package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"time"

	"roost/loadgen/report/svg"
	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// Bounds of what is drawn; tables have everything.
const (
	maxPercentileCharts = 6
	maxChartGroups      = 6
	maxNines            = 1e6 // 99.9999 %
)

// nines is the axis of percentiles: 1/(1-q), logarithmic, so that 90 %, 99 %
// and 99.9 % are as far apart.
func nines(largest float64) (svg.Axis, []float64) {
	top := math.Min(math.Max(largest, 100), maxNines)
	axis := svg.Axis{Log: true, Min: 1, Max: top, Label: "share of deliveries", Name: func(x float64) string { return share(1-1/x) + " %" }}
	axis.Ticks = []svg.Tick{{At: 2, Name: "50 %"}}
	for x := 10.; x <= top*1.001; x *= 10 {
		axis.Ticks = append(axis.Ticks, svg.Tick{At: x, Name: share(1-1/x) + " %"})
	}
	var at []float64
	const perDecade = 24
	for i := 1; ; i++ { // from 9 % on: the smallest of all would stretch the other axis
		x := math.Pow(10, float64(i)/perDecade)
		if x >= top*.999 {
			return axis, append(at, top)
		}
		at = append(at, x)
	}
}

// share writes a share in percent with as many nines as it has.
func share(q float64) string { return strconv.FormatFloat(math.Round(q*1e10)/1e8, 'f', -1, 64) }

// percentiles are a histogram's values along the axis, as far as it has
// samples: beyond one in count there is nothing to see.
func percentiles(h *tally.Hist, at []float64) []float64 {
	y := make([]float64, len(at))
	n := float64(h.Count())
	for i, x := range at {
		switch v := h.Quantile(1 - 1/x); {
		case n == 0 || x > n*1.0001:
			y[i] = math.NaN()
		case v == tally.MissValue:
			y[i] = math.Inf(1)
		default:
			y[i] = float64(max(v, 1))
		}
	}
	return y
}

// named is a histogram with a name.
type named struct {
	name   string
	hist   *tally.Hist
	dashed bool
}

// percentileChart draws histograms over the axis of nines.
func percentileChart(title, desc, what string, hists []named) []template.HTML {
	most := uint64(0)
	for _, h := range hists {
		most = max(most, h.hist.Count())
	}
	if most == 0 {
		return nil
	}
	c := svg.Chart{Title: title, Desc: desc, Y: svg.Axis{Unit: "ns", Log: true}}
	c.X, c.At = nines(float64(most))
	c.X.Label = what
	for i, h := range hists {
		if h.hist.Count() > 0 {
			c.Lines = append(c.Lines, svg.Line{Name: h.name, Y: percentiles(h.hist, c.At), Colour: i, Dashed: h.dashed})
		}
	}
	return draw(c)
}

// percentileCharts draws each measured phase with deliveries.
func percentileCharts(r *result.Result) (charts []template.HTML) {
	for i := range r.Phases {
		p := &r.Phases[i]
		if p.Warmup || len(charts) >= maxPercentileCharts {
			continue
		}
		hists := []named{
			{"from due", r.Hist(p.Name + ".delivery"), false},
			{"from sent", r.Hist(p.Name + ".delivery_sent"), true},
			{"due to kernel", r.Hist(p.Name + ".delivery_kernel"), true},
		}
		charts = append(charts, percentileChart("Delivery in phase "+p.Name, readers(r), "share of deliveries", hists)...)
		charts = append(charts, groupChart(r, p)...)
	}
	return append(charts, connectChart(r)...)
}

// readers says whom a chart without a group is of.
func readers(r *result.Result) string {
	for _, g := range r.Scenario.Groups {
		if !g.Reads {
			return "to the groups that read"
		}
	}
	return ""
}

// groupChart draws each group's deliveries in a phase, if there are several.
func groupChart(r *result.Result, p *result.Phase) []template.HTML {
	groups := r.Scenario.Groups
	if len(groups) < 2 {
		return nil
	}
	var hists []named
	for _, g := range groups[:min(len(groups), maxChartGroups)] {
		hists = append(hists, named{g.Name, r.Hist(p.Name + "." + g.Name + ".delivery"), !g.Reads})
	}
	return percentileChart("By group in phase "+p.Name, "from due; dashed ones do not read at once", "share of deliveries", hists)
}

// connectChart is of the dials of all measured phases.
func connectChart(r *result.Result) []template.HTML {
	return percentileChart("Connecting", "from the planned dial", "share of dials", []named{
		{"upgraded", r.Hist("connect"), false}, {"ready", r.Hist("greeting"), false}, {"dial lag", r.Hist("dial_lag"), true}})
}

func fanCharts(r *result.Result) (charts []template.HTML) {
	return percentileChart("Fan-out skew", "from due, all measured phases", "share of messages", []named{
		{"first subscriber", r.Hist("fan_first"), false}, {"median one", r.Hist("fan_median"), false}, {"last one", r.Hist("fan_last"), false},
		{"first to last", r.Hist("fan_spread"), true}})
}

// stormCharts draws the share of the cut connections that were ready again,
// over the time since the storm began.
func stormCharts(r *result.Result) (charts []template.HTML) {
	for i := range r.Phases {
		p := &r.Phases[i]
		if p.Storm == nil || p.Tally == nil {
			continue
		}
		h := p.Tally.Hists[tally.RestoreAt]
		cut := float64(max(p.Storm.Cut, h.Count(), 1))
		c := svg.Chart{Title: "Restored in phase " + p.Name, Desc: "share of the connections that were cut, since the storm began",
			X: svg.Axis{Unit: "ns", Zero: true, Label: "since the storm began"}, Y: svg.Axis{Unit: "share", Min: 0, Max: 1}}
		c.At, c.Lines = []float64{0}, []svg.Line{{Name: "restored", Y: []float64{0}}}
		sum := 0.
		h.Each(func(v int64, n uint64) {
			sum += float64(n)
			c.At = append(c.At, float64(v))
			c.Lines[0].Y = append(c.Lines[0].Y, sum/cut)
		})
		charts = append(charts, draw(c)...)
	}
	return charts
}

// series is a chart over time.
type series struct {
	title, desc string
	y           svg.Axis
	lines       []seriesLine
	always      bool // drawn though all is zero
}

type seriesLine struct {
	name string
	of   func(*result.Point) float64
}

// quantileOf is a quantile of a point: 0 is none.
func quantileOf(of func(*result.Point) int64) func(*result.Point) float64 {
	return func(p *result.Point) float64 {
		switch v := of(p); v {
		case 0:
			return math.NaN()
		case tally.MissValue:
			return math.Inf(1)
		default:
			return float64(v)
		}
	}
}

var overTime = []series{
	{"Connections", "ready", svg.Axis{Unit: "1", Zero: true}, []seriesLine{{"connected", func(p *result.Point) float64 { return float64(p.Connected) }}}, true},
	{"Delivery", "p50, p99 and largest of each interval, from due", svg.Axis{Unit: "ns", Log: true}, []seriesLine{
		{"p50", quantileOf(func(p *result.Point) int64 { return p.P50 })},
		{"p99", quantileOf(func(p *result.Point) int64 { return p.P99 })},
		{"max", quantileOf(func(p *result.Point) int64 { return p.Max })},
		{"send lag p99", quantileOf(func(p *result.Point) int64 { return p.SendLagP99 })}}, false},
	{"Deliveries", "a second", svg.Axis{Unit: "1", Zero: true}, []seriesLine{{"delivered", func(p *result.Point) float64 { return p.DeliveredRate }}}, false},
	{"Sent", "messages a second", svg.Axis{Unit: "1", Zero: true}, []seriesLine{{"sent", func(p *result.Point) float64 { return p.SentRate }}}, false},
	{"Dials", "a second", svg.Axis{Unit: "1", Zero: true}, []seriesLine{
		{"dials", func(p *result.Point) float64 { return p.DialRate }}, {"ready", func(p *result.Point) float64 { return p.ReadyRate }}}, false},
	{"Errors", "a second", svg.Axis{Unit: "1", Zero: true}, []seriesLine{{"errors", func(p *result.Point) float64 { return p.ErrorRate }}}, false},
	{"CPU", "cores in use at both ends", svg.Axis{Unit: "1", Zero: true}, []seriesLine{
		{"server", func(p *result.Point) float64 { return p.ServerCPU }}, {"generator", func(p *result.Point) float64 { return p.WorkerCPU }}}, false},
	{"Server memory", "resident", svg.Axis{Unit: "B", Zero: true}, []seriesLine{{"server", func(p *result.Point) float64 { return float64(p.ServerRSS) }}}, false},
}

// timeCharts draws the series, each over the same time.
func timeCharts(r *result.Result) (charts []template.HTML) {
	if len(r.Series) == 0 {
		return nil
	}
	end := r.Series[len(r.Series)-1].At
	var bands []svg.Band
	for i := range r.Phases {
		p := &r.Phases[i]
		bands = append(bands, svg.Band{Name: p.Name, From: float64(p.Start), To: float64(p.Start + p.Length), Dim: p.Warmup})
		end = max(end, p.Start+p.Length)
	}
	for _, s := range overTime {
		c := svg.Chart{Title: s.title, Desc: s.desc, Bands: bands, Y: s.y, X: svg.Axis{Unit: "ns", Min: 0, Max: float64(max(end, time.Nanosecond)), Name: sinceStart}}
		some := s.always
		for k := range r.Series {
			c.At = append(c.At, float64(r.Series[k].At))
		}
		for i, l := range s.lines {
			line := svg.Line{Name: l.name, Colour: i}
			anything := false
			for k := range r.Series {
				v := l.of(&r.Series[k])
				line.Y = append(line.Y, v)
				anything = anything || v > 0
			}
			if anything || s.always {
				c.Lines = append(c.Lines, line)
			}
			some = some || anything
		}
		if some {
			charts = append(charts, draw(c)...)
		}
	}
	return charts
}

// sinceStart writes a time of the run.
func sinceStart(v float64) string {
	d := time.Duration(v).Round(100 * time.Millisecond)
	if d < 2*time.Minute {
		return svg.Format(float64(d), "ns")
	}
	return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
}
