package decaysim

import (
	"fmt"
	"math"
	"strings"

	"roost/bench/stats"
)

// report writes the tables.
func (x *modelsRun) report() {
	l := x.cases[0].Load
	x.printf("%d requests at %g/s (Poisson) with bursts, in virtual time, the same arrivals and service times for every model; %d seeds, median [min-max].\n"+
		"Server: %d places, log-normal service times of mean %.1f ms and sd %g (of the logarithm), who finds no place waits in order. It can do %.0f/s.\n"+
		"Limiter: lets in the share target/estimate of the requests while the estimate of the rate is over the target of %.0f/s, evenly. A hard\n"+
		"limit, in two rows, models the requests it has let in, and lets in whatever comes while their rate is not over the target.\n"+
		"Bursts: every %v, the first one %.1f s after %v of base load that is not measured.\n\n"+
		"P95 is that of the latencies of the requests let in that arrived within the same second. Jitter is half of the distance between the\n"+
		"10th and the 90th percentile of these P95 over the run (+-), sd their standard deviation. A burst is seen when the estimate first\n"+
		"rises over the target while it lasts; \"on already\" are bursts that found it there. False: rises that began in no burst, nor within\n"+
		"a second after one, per minute of that time. Shed in calm: of the requests outside of bursts, how many were not let in. Memory: the model's\n"+
		"state on the heap, for one loop; 256 bytes of a window's are the ring.\n\n",
		l.Requests, l.Rate, x.opt.Seeds, l.Places, l.Service.Seconds()*1e3, l.ServiceSD, l.capacity(), l.target(), l.Every, l.Every.Seconds()/2, l.WarmUp)
	for _, m := range models {
		x.printf("- **%s**: %s\n", m.Name, m.Note)
	}
	x.mainTable()
	x.otherTable()
	x.findings()
}

// mainTable writes everything of the main load.
func (x *modelsRun) mainTable() {
	c := x.cases[0]
	x.printf("\n## Bursts of %s\n\n"+
		"| model | memory B | P95 ms | jitter +-ms | sd ms | seen after ms | seen | on already | false/min | shed %% | in calm %% |\n|---|---|---|---|---|---|---|---|---|---|---|\n", c.Name)
	for _, m := range models {
		out := c.Outcomes[m.Name]
		seen, on, bursts := burstsOf(out)
		x.printf("| %s | %.0f | %s | %s | %s | %s | %d of %d | %d | %s | %s | %s |\n", m.Name, memoryOf(m, c.Load),
			spread(out, "%.1f", func(o outcome) float64 { return o.Mean }),
			spread(out, "%.1f", func(o outcome) float64 { return o.Jitter }),
			spread(out, "%.1f", func(o outcome) float64 { return o.SD }),
			spreadOf(seen, "%.0f"), len(seen), bursts, on,
			spread(out, "%.1f", func(o outcome) float64 { return o.Alarms }),
			spread(out, "%.2f", func(o outcome) float64 { return o.Shed * 100 }),
			spread(out, "%.2f", func(o outcome) float64 { return o.ShedCalm * 100 }))
	}
}

// otherTable writes jitter and detection of every load.
func (x *modelsRun) otherTable() {
	x.printf("\n## Other bursts, other settings\n\n+-jitter in ms; median time after which bursts were seen in ms (how many %% of them; the rest lasted unseen or found the estimate high).\n\n| load |")
	for _, m := range models {
		x.printf(" %s |", m.Name)
	}
	x.printf("\n|---|%s\n", strings.Repeat("---|", len(models)))
	for _, c := range x.cases {
		x.printf("| %s |", c.Name)
		for _, m := range models {
			out := c.Outcomes[m.Name]
			var jitter []float64
			for _, o := range out {
				jitter = append(jitter, o.Jitter)
			}
			if len(out) == 0 {
				x.printf(" - |")
				continue
			}
			x.printf(" %.1f", stats.Summarize(jitter).Median)
			if seen, _, bursts := burstsOf(out); bursts > 0 && len(seen) > 0 {
				x.printf("; %.0f (%.0f)", stats.Summarize(seen).Median, 100*float64(len(seen))/float64(bursts))
			}
			x.printf(" |")
		}
		x.printf("\n")
	}
}

// findings writes what differs from the given comparison, in numbers of this run.
func (x *modelsRun) findings() {
	c := x.cases[0]
	jitter := func(model string) string {
		return spread(c.Outcomes[model], "%.1f", func(o outcome) float64 { return o.Jitter })
	}
	seen := func(model string) string {
		times, _, bursts := burstsOf(c.Outcomes[model])
		if len(times) == 0 {
			return fmt.Sprintf("none of %d bursts seen", bursts)
		}
		return fmt.Sprintf("%d of %d bursts seen after %s ms", len(times), bursts, spreadOf(times, "%.0f"))
	}
	x.printf("\n## Given, and found\n\nGiven: decay 0.1/s +-12 ms and bursts unseen, window of 20 x 50 ms +-3 ms and bursts seen within 50 ms. Here, at bursts of %s:\n\n", c.Name)
	for _, model := range []string{"decay 0.1/s", "window 20 x 50 ms", "window, newest slots", "no limiter", "true rate"} {
		x.printf("- %s: +-%s ms, %s.\n", model, jitter(model), seen(model))
	}
	x.printf("\nWhat the formulas say of a rate r that becomes f r while the target is T, with f > T/r:\n" +
		"the rate of a window of W seconds passes T after W (T/r-1)/(f-1); decay by lambda after -ln(1 - (T/r-1)/(f-1))/lambda. In ms:\n\n| burst | window 20 x 50 ms | decay 0.1/s | decay 2/s |\n|---|---|---|---|\n")
	for _, f := range []float64{1.4, 2, 3, 5, 10} {
		over := (c.Load.target()/c.Load.Rate - 1) / (f - 1)
		if over >= 1 {
			continue
		}
		x.printf("| x%g | %.0f | %.0f | %.0f |\n", f, 1e3*over, -1e3*math.Log1p(-over)/0.1, -1e3*math.Log1p(-over)/2)
	}
	if x.opt.Rate != 1200 || x.opt.Places != 100 || x.opt.Requests < 100000 {
		return // what follows is what was found at the defaults
	}
	x.printf("\nSo the rate of a whole window does not see a burst of twice the rate within 50 ms, nor one of five times: it is a mean over a second.\n" +
		"What is seen within 50 ms is seen in the newest slots of the same ring, if they are read apart: that is the row \"newest slots\". A decay\n" +
		"of 0.1/s limits nothing here (its row is that of no limiter) unless bursts raise the mean of ten seconds over the target, and then it stays\n" +
		"over it when they are gone. A decay of 2/s has the memory of the window and sees bursts sooner, because new requests weigh most in it. The raw\n" +
		"last slot keeps P95 as even as the newest slots do, at the price of false alarms. The average for placing connections is slow on purpose.\n" +
		"The true rate's jitter is that of the service times: no model goes below it.\n")
}

// burstsOf returns the times after which bursts were seen, how many were met with
// the estimate over the target, and how many there were, over all seeds.
func burstsOf(out []outcome) (seen []float64, on, bursts int) {
	for _, o := range out {
		seen = append(seen, o.Seen...)
		on += o.On
		bursts += o.Bursts
	}
	return seen, on, bursts
}

// spread writes one number of some outcomes.
func spread(out []outcome, format string, value func(outcome) float64) string {
	var v []float64
	for _, o := range out {
		v = append(v, value(o))
	}
	return spreadOf(v, format)
}

// spreadOf writes the median of v with its smallest and largest.
func spreadOf(v []float64, format string) string {
	s := stats.Summarize(v)
	switch {
	case s.N == 0:
		return "-"
	case s.Min == s.Max:
		return fmt.Sprintf(format, s.Median)
	}
	return fmt.Sprintf(format+" ["+format+"-"+format+"]", s.Median, s.Min, s.Max)
}
