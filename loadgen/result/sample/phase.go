package sample

import (
	"math"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// phase appends a phase that goes from so many connections to others, with
// messages to all at a rate, and its part of the series.
func (m *maker) phase(name string, length time.Duration, from, to int, rate float64, warmup bool) *result.Phase {
	start := time.Duration(0)
	if n := len(m.r.Phases); n > 0 {
		start = m.r.Phases[n-1].Start + m.r.Phases[n-1].Length
	}
	p := result.Phase{Name: name, Warmup: warmup, Start: start, Length: length, Outcome: "done", Connected: to, Tally: &tally.Tally{}}
	if to > from {
		p.PlannedDials = uint64(to - from)
	}
	for g, group := range m.r.Scenario.Groups {
		p.Tally.Groups = append(p.Tally.Groups, m.group(g, group, p, from, to, rate))
	}
	m.fill(&p, from, to, rate)
	use := result.ServerUse{CPU: time.Duration(float64(length) * .62), RSS: 14<<20 + int64(271*to), PSS: 14<<20 + int64(270*to), Heap: 3<<20 + int64(182*to),
		Stacks: 500 << 10, Slab: 90<<20 + int64(7930*to), Sock: int64(4 * to), Files: 12 + to, Goroutines: 14, GCs: 3, GCPauseMax: 180 * time.Microsecond, Softirq: length / 50}
	use.User, use.System = use.CPU*4/10, use.CPU*6/10
	if len(m.r.Servers) > 0 {
		p.Servers = []result.ServerUse{use}
	}
	p.Workers = result.WorkerUse{Cores: .71, RunDelay: .006, RSS: int64(len(m.r.Workers)) * (6<<20 + int64(210*to/max(len(m.r.Workers), 1)))}
	m.r.Phases = append(m.r.Phases, p)
	m.series(len(m.r.Phases)-1, from, to, rate)
	return &m.r.Phases[len(m.r.Phases)-1]
}

// group is what one group counted in a phase.
func (m *maker) group(g int, group result.Group, p result.Phase, from, to int, rate float64) (t tally.Group) {
	share := func(n int) uint64 { return uint64(float64(n) * group.Share) }
	c := &t.Counts
	if to > from {
		c.Dials = share(to - from)
		c.Established, c.Ready = c.Dials, c.Dials
	} else {
		c.Ended = share(from - to)
	}
	messages := uint64(rate * p.Length.Seconds())
	if g == 0 {
		c.Planned, c.Sent = messages, messages
		c.BytesOut = 128 * messages
	}
	c.Expected = messages * share(to)
	c.Delivered = c.Expected
	c.BytesIn = 128 * c.Delivered
	if messages == 0 {
		return t
	}
	median, tail := 4e6, .55
	if !group.Reads {
		median, tail = 900e6, 1.1
		c.Missing = c.Expected / 50
		c.Delivered -= c.Missing
	}
	t.Hists[tally.Delivery] = m.hist(c.Delivered, median, tail)
	t.Hists[tally.DeliverySent] = m.hist(c.Delivered, median*.93, tail)
	t.Hists[tally.DeliveryKernel] = m.hist(c.Delivered/100, median*.78, tail)
	t.Hists[tally.Delivery].Miss(c.Missing)
	return t
}

// fill makes a phase's own histograms.
func (m *maker) fill(p *result.Phase, from, to int, rate float64) {
	h := &p.Tally.Hists
	h[tally.Hiccup] = m.hist(uint64(p.Length.Seconds()*1000), 60e3, .7)
	if n := uint64(max(to-from, 0)); n > 0 {
		h[tally.Connect] = m.hist(n, 700e3, .8)
		h[tally.Greeting] = m.hist(n, 1.1e6, .8)
		h[tally.DialLag] = m.hist(n, 120e3, .6)
	}
	if n := uint64(rate * p.Length.Seconds()); n > 0 {
		h[tally.SendLag] = m.hist(n, 40e3, .6)
		h[tally.PublishAck] = m.hist(n, 1.4e6, .5)
		h[tally.RxLag] = m.hist(n*20, 90e3, .8)
		h[tally.FanFirst] = m.hist(n, 600e3, .3)
		h[tally.FanMedian] = m.hist(n, 4e6, .3)
		h[tally.FanLast] = m.hist(n, 21e6, .3)
		h[tally.FanSpread] = m.hist(n, 20e6, .3)
	}
}

// hist is n values that are log-normal about a median in ns, by 4,000 draws.
func (m *maker) hist(n uint64, median, sigma float64) *tally.Hist {
	h := tally.NewHist()
	draws := min(n, 4_000)
	for i := range draws {
		each := n / draws
		if i < n%draws {
			each++
		}
		h.RecordN(int64(median*math.Exp(sigma*m.rnd.NormFloat64())), each)
	}
	return h
}

// series makes a point a second of the phase.
func (m *maker) series(phase, from, to int, rate float64) {
	p := &m.r.Phases[phase]
	seconds := int(p.Length / time.Second)
	for i := 1; i <= seconds; i++ {
		c := from + (to-from)*i/seconds
		noise := func(v, by float64) float64 { return v * math.Exp(by*m.rnd.NormFloat64()) }
		pt := result.Point{At: p.Start + time.Duration(i)*time.Second, Phase: phase, Connected: c,
			WorkerCPU: noise(.7, .06), ServerCPU: noise(.6, .06), ServerRSS: 14<<20 + int64(271*c)}
		if to > from {
			pt.DialRate = noise(float64(to-from)/float64(seconds), .02)
			pt.ReadyRate = pt.DialRate
		}
		if rate > 0 {
			pt.SentRate = rate
			pt.DeliveredRate = noise(rate*float64(c), .01)
			pt.P50, pt.P99, pt.Max = int64(noise(4e6, .1)), int64(noise(14e6, .2)), int64(noise(30e6, .3))
			pt.SendLagP99 = int64(noise(200e3, .2))
		}
		for _, e := range p.Errors {
			pt.ErrorRate += float64(e.Count) / float64(seconds)
		}
		m.r.Series = append(m.r.Series, pt)
	}
}

// storm is a run in which half of the connections are cut and come back.
func (m *maker) storm() {
	m.r.Scenario.Name = "reconnect-storm"
	m.phase("ramp", 10*time.Second, 0, m.clients, 0, false)
	m.phase("before", 20*time.Second, m.clients, m.clients, 5, false)
	p := m.phase("storm", 40*time.Second, m.clients/2, m.clients, 5, false)
	cut := uint64(m.clients / 2)
	restore := tally.NewHist()
	first := len(m.r.Series) - 40
	for i := range cut {
		q := (float64(i) + .5) / float64(cut)
		restore.Record(int64(-7e9*math.Log(1-q)) + 200e6)
	}
	for i := range 40 {
		back := 1 - math.Exp(-float64(i+1)/7)
		m.r.Series[first+i].Connected = m.clients/2 + int(back*float64(m.clients/2))
		m.r.Series[first+i].DialRate = float64(cut) / 7 * math.Exp(-float64(i)/7)
		m.r.Series[first+i].ReadyRate = m.r.Series[first+i].DialRate
	}
	p.Tally.Hists[tally.RestoreAt], p.Tally.Hists[tally.Restore] = restore, restore
	c := &p.Tally.Groups[0].Counts
	c.Dials, c.Redials, c.Restored, c.Resumed, c.Gap = cut+cut/8, cut+cut/8, cut, cut*9/10, 1820
	c.Delivered -= c.Gap
	c.Lost = 0
	at := func(q float64) time.Duration { return time.Duration(restore.Quantile(q)) }
	p.Storm = &result.Storm{Cut: cut, Restored: cut, T50: at(.5), T90: at(.9), T99: at(.99), T100: time.Duration(restore.Max()),
		DialsPerRestored: 1.125, PeakDials: uint64(cut / 7), ResumedShare: .9, Gap: 1820}
	m.r.Thresholds = []result.Threshold{{Text: "storm.t99 < 40s", Value: float64(p.Storm.T99), State: "pass"}}
}
