package compare

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"roost/bench/stats"
	"roost/loadgen/result"
)

// Compare compares B with A. The error is for what cannot be asked: no runs, a
// primary metric that is not there. Sides that must not be compared, and runs
// that are invalid, are an outcome.
func Compare(a, b Side, o Options) (*Comparison, error) {
	if len(a.Runs) == 0 || len(b.Runs) == 0 {
		return nil, errors.New("a comparison takes at least one run of each side")
	}
	if o.Alpha <= 0 {
		o.Alpha = 0.05
	}
	c := &Comparison{
		Scenario: a.Runs[0].Result.Scenario.Name,
		Paired:   !o.Unpaired && len(a.Runs) == len(b.Runs),
		A:        describe(a), B: describe(b),
		Environment: environment(a, b),
		Notes:       slices.Clone(o.Notes),
	}
	same := false
	if c.Facts, same = facts(a, b, &o); !same {
		c.Verdict = NotComparable
		c.Reason = "the runs differ in what a comparison depends on"
		return c, nil
	}
	t := newTable(a, b)
	primary, err := t.primary(&o, a.Runs[0].Result)
	if err != nil {
		return nil, err
	}
	c.rows(t, primary, &o)
	c.Latency, c.curves = latencies(a, b)
	c.conclude()
	return c, nil
}

// rows compares every metric. Those that are equal in all pairs are no test:
// nothing could have come of it (Tarone 1990), so Holm's correction does not
// count them, and neither does the limit of what the pairs can tell.
func (c *Comparison) rows(t *table, primary string, o *Options) {
	most := len(secondary)
	if c.Paired {
		most = int(o.Alpha / stats.LeastP(len(c.A.Runs)))
	}
	c.Tested = []Row{c.row(t, primary, Primary, o)}
	ps := []float64{math.NaN()} // the primary one is not corrected
	tests, cut := 0, 0
	for _, name := range secondary {
		m := t.kinds[name]
		if m == nil || m.Better == "" || name == primary {
			continue
		}
		r, p := c.row(t, name, Secondary, o), math.NaN()
		switch {
		case r.constant():
		case tests == most:
			cut++
			continue
		default:
			tests++
			p = r.P
		}
		c.Tested, ps = append(c.Tested, r), append(ps, p)
	}
	if cut > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d pairs can tell %d secondary metrics from chance: %d more are shown without a verdict", len(c.A.Runs), most, cut))
	}
	for i, p := range stats.Holm(ps) {
		if !math.IsNaN(p) {
			c.Tested[i].Holm = p
		}
		c.judge(&c.Tested[i], o, tests)
	}
	for _, name := range t.order {
		if !slices.ContainsFunc(c.Tested, func(r Row) bool { return r.Metric == name }) {
			c.Shown = append(c.Shown, c.row(t, name, Shown, o))
		}
	}
	c.floor(t, o)
}

// constant says that every run has the same value.
func (r *Row) constant() bool {
	for _, v := range slices.Concat(r.ValuesA, r.ValuesB) {
		if v != r.ValuesA[0] {
			return false
		}
	}
	return len(r.ValuesA) > 0 && len(r.ValuesB) > 0
}

// row compares one metric, without a verdict.
func (c *Comparison) row(t *table, name string, role Role, o *Options) Row {
	m := t.kinds[name]
	r := Row{Metric: name, Base: m.Base, Phase: m.Phase, Unit: m.Unit, Better: m.Better, Role: role, MinEffect: o.minEffect(m)}
	a, b, missing := both(t.a[name], t.b[name], len(c.A.Runs), len(c.B.Runs), c.Paired)
	r.Missing = missing
	r.ValuesA, r.ValuesB = numbers(a), numbers(b)
	r.MedianA, r.MedianB = Number(stats.Median(a)), Number(stats.Median(b))
	if c.Paired {
		p := stats.Compare(a, b, confidence)
		r.Ratios = numbers(p.Ratios)
		r.Ratio, r.P = Number(p.Median), p.P
		r.Lo, r.Hi, r.Coverage = Number(p.Interval.Lo), Number(p.Interval.Hi), p.Interval.Coverage
	} else {
		u := stats.CompareUnpaired(a, b, confidence)
		r.Ratio, r.P = Number(u.Ratio), u.P
		r.Lo, r.Hi, r.Coverage = Number(u.Interval.Lo), Number(u.Interval.Hi), u.Interval.Coverage
	}
	r.Holm = r.P
	return r
}

// both returns the values that can be compared, and how many pairs (or, if they
// are not paired, runs) have none.
func both(a, b []float64, runsA, runsB int, paired bool) (va, vb []float64, missing int) {
	if !paired {
		va, vb = present(a), present(b)
		return va, vb, runsA - len(va) + runsB - len(vb)
	}
	for i := range runsA {
		if i < len(a) && i < len(b) && !math.IsNaN(a[i]) && !math.IsNaN(b[i]) {
			va, vb = append(va, a[i]), append(vb, b[i])
		}
	}
	return va, vb, runsA - len(va)
}

func present(v []float64) (p []float64) {
	for _, x := range v {
		if !math.IsNaN(x) {
			p = append(p, x)
		}
	}
	return p
}

// judge gives a tested row its verdict.
func (c *Comparison) judge(r *Row, o *Options, family int) {
	e := evidence{pairs: min(len(r.ValuesA), len(r.ValuesB)), missing: r.Missing, ratio: float64(r.Ratio), lo: float64(r.Lo), hi: float64(r.Hi),
		coverage: r.Coverage, p: r.Holm, confidence: confidence, alpha: o.Alpha, effect: r.MinEffect, better: r.Better}
	r.Verdict, r.Why = e.judge()
	if r.Verdict != Inconclusive || !c.Paired {
		return
	}
	alpha := o.Alpha
	if r.Role == Secondary {
		alpha /= float64(max(family, 1))
	}
	ratios := make([]float64, len(r.Ratios))
	for i, x := range r.Ratios {
		ratios[i] = float64(x)
	}
	r.MorePairs = max(stats.PairsNeeded(ratios, r.MinEffect, alpha)-len(ratios), 0)
}

// floor compares A's odd runs with its even ones.
func (c *Comparison) floor(t *table, o *Options) {
	n := len(c.A.Runs) / 2
	if n < 2 {
		return
	}
	for k := range c.Tested {
		name := c.Tested[k].Metric
		var odd, even []float64
		for i, v := range t.a[name] {
			switch {
			case i >= 2*n:
			case i%2 == 0:
				odd = append(odd, v)
			default:
				even = append(even, v)
			}
		}
		halves := &table{kinds: t.kinds, a: map[string][]float64{name: odd}, b: map[string][]float64{name: even}}
		half := &Comparison{Paired: c.Paired, A: SideInfo{Runs: c.A.Runs[:n]}, B: SideInfo{Runs: c.A.Runs[:n]}}
		r := half.row(halves, name, Shown, o)
		c.Floor = append(c.Floor, r)
		if math.Abs(float64(r.Ratio)-1) >= r.MinEffect && k == 0 {
			c.Notes = append(c.Notes, fmt.Sprintf("A's own runs differ by %s in %s: this machine is noisier than the effect that counts", Signed(float64(r.Ratio)), name))
		}
	}
}

// conclude draws the verdict over all rows.
func (c *Comparison) conclude() {
	var bad []string
	for _, side := range []*SideInfo{&c.A, &c.B} {
		for _, r := range side.Runs {
			if r.Verdict != result.Valid && r.Verdict != result.Breached {
				bad = append(bad, r.File)
			}
		}
	}
	if len(bad) > 0 {
		for i := range c.Tested {
			c.Tested[i].Verdict, c.Tested[i].Why, c.Tested[i].MorePairs = Invalid, "", 0
		}
		c.Verdict = Invalid
		c.Reason = fmt.Sprintf("%d of %d runs are not valid: their numbers are no result", len(bad), len(c.A.Runs)+len(c.B.Runs))
		return
	}
	main := &c.Tested[0]
	c.Verdict, c.Reason = main.Verdict, main.sentence(c.Paired)
	for i := 1; i < len(c.Tested) && c.Verdict != Regressed; i++ {
		if r := &c.Tested[i]; r.Verdict == Regressed {
			c.Verdict, c.Reason = Regressed, r.sentence(c.Paired)+"; the primary metric, "+main.Metric+", is "+string(main.Verdict)
		}
	}
}
