package decaysim

import (
	"math"
	"time"

	"roost/decay"
	"roost/decay/window"
)

// rateModel estimates the rate of arrivals from the arrivals.
type rateModel interface {
	// arrive takes a request at time now; times ascend.
	arrive(now time.Duration)
	// rate returns the estimate at now, requests/s.
	rate(now time.Duration) float64
}

// model is a model by name.
type model struct {
	Name string
	Note string
	make func(l load) rateModel
}

// trueRate names the model that is told.
const trueRate = "true rate"

// models are the rows of the comparison, the two given ones first.
var models = []model{
	{"decay 0.1/s", "given: lambda times a sum that decays by 0.1/s", newExpModel(decay.GivenLambda)},
	{"window 20 x 50 ms", "given: the rate of a window of one second, its oldest slot by phase", newWindowModel(window.Span{})},
	{"decay 2/s", "the decay that has the memory of a one-second window, 2/lambda", newExpModel(2)},
	{"last slot", "raw: the count of the last complete 50 ms", newLastModel(50 * time.Millisecond)},
	{"last second", "raw: the count of the last complete second", newLastModel(time.Second)},
	{"window, then decay 30 s", "recommended for placing connections: the window's rate each second, averaged with tau 30 s", newPlacementModel},
	{"window, newest slots", "recommended for limiting: the window's rate, or that of its newest 2 slots while these differ by 4 sigma", newNewestModel},
	{"no limiter", "lets everything in", newFixedModel(0)},
	{trueRate, "knows the rate: what no model can do better", newTrueModel},
}

// expModel is a decayed sum.
type expModel struct{ sum decay.DecayingSum }

func newExpModel(lambda float64) func(load) rateModel {
	return func(load) rateModel {
		s, err := decay.NewDecayingSum(lambda)
		if err != nil {
			panic(err) // lambda is a constant of this file
		}
		return &expModel{s}
	}
}

func (m *expModel) arrive(now time.Duration)       { m.sum.Add(now, 1) }
func (m *expModel) rate(now time.Duration) float64 { return m.sum.Rate(now) }

// windowModel is the window alone.
type windowModel struct {
	span window.Span
	c    window.Counter
}

func newWindowModel(s window.Span) func(load) rateModel {
	return func(load) rateModel { return &windowModel{span: s} }
}

func (m *windowModel) arrive(now time.Duration)       { m.c.Inc(m.span.Epoch(now)) }
func (m *windowModel) rate(now time.Duration) float64 { return m.span.Rate(&m.c, now) }

// lastModel is the count of the last complete slice of time.
type lastModel struct {
	slice   time.Duration
	begin   time.Duration
	n, last int
}

func newLastModel(slice time.Duration) func(load) rateModel {
	return func(load) rateModel { return &lastModel{slice: slice} }
}

func (m *lastModel) turn(now time.Duration) {
	for now-m.begin >= m.slice {
		m.begin += m.slice
		m.n, m.last = 0, m.n
	}
}

func (m *lastModel) arrive(now time.Duration) {
	m.turn(now)
	m.n++
}

func (m *lastModel) rate(now time.Duration) float64 {
	m.turn(now)
	return float64(m.last) / m.slice.Seconds()
}

// placementModel samples a window each second into an average.
type placementModel struct {
	windowModel
	mean decay.EWMA
	next time.Duration
}

func newPlacementModel(load) rateModel { return &placementModel{next: time.Second} }

func (m *placementModel) rate(now time.Duration) float64 {
	for now >= m.next {
		m.mean.Add(m.next, m.windowModel.rate(m.next))
		m.next += time.Second
	}
	return m.mean.Value()
}

// newestModel reads one window at two lengths.
type newestModel struct{ windowModel }

func newNewestModel(load) rateModel { return &newestModel{} }

// newest is the short length: two slots, of which at least one is complete.
var newest, _ = window.NewSpan(2, window.DefaultWidth)

func (m *newestModel) rate(now time.Duration) float64 {
	long, short := m.windowModel.rate(now), newest.Rate(&m.c, now)
	// The short count has the variance of a Poisson count at the long rate.
	length := 2 * window.DefaultWidth.Seconds()
	if math.Abs(short-long)*length > 4*math.Sqrt(long*length) {
		return short
	}
	return long
}

// fixedModel says the same always.
type fixedModel float64

func newFixedModel(rate float64) func(load) rateModel {
	return func(load) rateModel { return fixedModel(rate) }
}

func (m fixedModel) arrive(time.Duration)       {}
func (m fixedModel) rate(time.Duration) float64 { return float64(m) }

// trueModel knows the load.
type trueModel struct{ load load }

func newTrueModel(l load) rateModel { return trueModel{l} }

func (m trueModel) arrive(time.Duration)           {}
func (m trueModel) rate(now time.Duration) float64 { return m.load.rateAt(now) }
