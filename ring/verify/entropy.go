package verify

import "math"

// entropy sets the entropy and what a perfect hash has of it.
func (c *cells) entropy(s *Spread) {
	e := &s.Entropy
	filled, short := 0.0, 0.0
	for i, n := range c.counts {
		t := c.targetOf(i)
		if t <= 0 {
			continue
		}
		e.Most -= t * math.Log2(t)
		if n > 0 {
			p := n / s.Total
			e.Bits -= p * math.Log2(p)
			short += p * math.Log2(p/t)
			filled++
		}
	}
	e.Bits = max(e.Bits, 0)
	if e.Most < 1e-12 {
		e.Most, e.Share = 0, 1 // one cell
	} else {
		e.Share = e.Bits / e.Most
	}
	e.Corrected = min(e.Bits+(filled-1)/(2*c.effective*math.Ln2), math.Log2(float64(s.Cells)))
	e.Short.Value = max(short, 0)
	e.Short.Perfect = c.shortChance().mean
}

// shortChance returns the distribution of Entropy.Short under a perfect hash.
//
// Short is the sum of g(c) / n over the cells, g(c) = c log2(c / (n target)), less
// nothing: the counts c sum to n. It is worked out for counts that are Poisson
// distributed and independent, of mean m each, and then made right for their known
// sum: the mean by n/2 times its second derivative in n (Poisson counts have a
// sum that varies), variance and third moment by leaving out what follows the sum
// (Holst, Ann. Math. Statist. 43, 1972), and of a cell of share p its part p, which
// the other cells say. With many ids a cell this is 1 / (2 n ln 2) times a chi-square
// variable, as it must be.
func (c *cells) shortChance() chance {
	n := c.effective
	mean, within, third, slope := 0.0, 0.0, 0.0, 0.0
	cells, parts := make([]moments, 0, len(c.counts)), make([]float64, 0, len(c.counts))
	var of moments
	lastMean, lastWant := -1.0, -1.0
	for i := range c.counts {
		t, p := c.targetOf(i), c.shareOf(i)
		if t <= 0 || p <= 0 {
			continue
		}
		if m, want := n*p, n*t; m != lastMean || want != lastWant {
			of, lastMean, lastWant = momentsOf(m, want), m, want
		}
		mean += of.mean - n/2*p*p*of.bend
		within += (1 - p) * of.rest
		third += (1 - p) * of.third
		slope += p * of.slope
		cells = append(cells, of)
		parts = append(parts, p)
	}
	between := 0.0
	for i, of := range cells {
		m, d := n*parts[i], of.slope-slope
		between += m * d * d
		third += 3*d*of.square + 3*d*d*of.along + m*d*d*d
	}
	variance := within + between
	if variance <= 0 {
		return chance{mean: max(mean/n, 0)}
	}
	out := chance{mean: max(mean/n, 0), sd: math.Sqrt(variance) / n, skew: max(third/(variance*math.Sqrt(variance)), 0)}
	if k := float64(len(parts)); c.share == nil && n >= 2 && k > 1 {
		like := equalCells(k, n)
		out.skew, out.grain = like.skew, 2/n // a pair adds 2 log2(2)
	}
	return out
}

// moments are those of g(c) = c log2(c / want) for c Poisson distributed.
type moments struct {
	mean  float64 // of g
	slope float64 // covariance of g and c, by the variance of c
	bend  float64 // second derivative of the mean of g in the mean of c
	rest  float64 // variance of r = g - slope c
	third float64 // third central moment of r
	// square and along are the covariances of r^2 with c, and of r with (c - m)^2.
	square, along float64
}

// fewIDs is the mean below which moments are summed up; above it their series in
// 1/m are right to 4 digits.
const fewIDs = 50

func momentsOf(m, want float64) moments {
	if m > fewIDs {
		r := math.Log(m / want)
		// The rest is (c-m)^2 / (2 m ln 2): a chi-square variable by 2 ln 2.
		const ln2 = math.Ln2
		return moments{(m*r + 0.5 + 1/(12*m)) / ln2, (r + 1) / ln2, 1 / (m * ln2), 0.5 / (ln2 * ln2), 1 / (ln2 * ln2 * ln2), 2 / (ln2 * ln2), m / ln2}
	}
	g := func(c float64) float64 {
		if c == 0 {
			return 0
		}
		return c * math.Log2(c/want)
	}
	var o moments
	most := m + 12*math.Sqrt(m) + 20
	p, g0, g1 := math.Exp(-m), g(0), g(1)
	for c := 0.0; c < most; c++ {
		g2 := g(c + 2)
		o.mean += p * g0
		o.slope += p * (g1 - g0)
		o.bend += p * (g2 - 2*g1 + g0)
		g0, g1 = g1, g2
		p *= m / (c + 1)
	}
	p = math.Exp(-m)
	for c := 0.0; c < most; c++ {
		d := g(c) - o.mean - o.slope*(c-m)
		o.rest += p * d * d
		o.third += p * d * d * d
		o.square += p * d * d * (c - m)
		o.along += p * d * (c - m) * (c - m)
		p *= m / (c + 1)
	}
	return o
}
