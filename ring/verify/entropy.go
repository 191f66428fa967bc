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
// sum that varies), the variance by leaving out what follows the sum (Holst, Ann.
// Math. Statist. 43, 1972).
func (c *cells) shortChance() chance {
	n := c.effective
	mean, within, slope := 0.0, 0.0, 0.0
	slopes := make([]float64, 0, 2*len(c.counts))
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
		within += of.rest
		slope += p * of.slope
		slopes = append(slopes, p, of.slope)
	}
	between := 0.0
	for i := 0; i < len(slopes); i += 2 {
		between += n * slopes[i] * (slopes[i+1] - slope) * (slopes[i+1] - slope)
	}
	out := chance{mean: max(mean/n, 0), sd: math.Sqrt(max(within+between, 0)) / n}
	if k := float64(len(slopes) / 2); c.share == nil && n >= 2 && k > 1 {
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
	rest  float64 // variance of g - slope c
}

// fewIDs is the mean below which moments are summed up; above it their series in
// 1/m are right to 4 digits.
const fewIDs = 50

func momentsOf(m, want float64) moments {
	if m > fewIDs {
		r := math.Log(m / want)
		return moments{(m*r + 0.5 + 1/(12*m)) / math.Ln2, (r + 1) / math.Ln2, 1 / (m * math.Ln2), 0.5 / (math.Ln2 * math.Ln2)}
	}
	g := func(c float64) float64 {
		if c == 0 {
			return 0
		}
		return c * math.Log2(c/want)
	}
	var o moments
	square := 0.0
	p := math.Exp(-m)
	for c := 0.0; c < m+12*math.Sqrt(m)+20; c++ {
		g0, g1, g2 := g(c), g(c+1), g(c+2)
		o.mean += p * g0
		square += p * g0 * g0
		o.slope += p * (g1 - g0)
		o.bend += p * (g2 - 2*g1 + g0)
		p *= m / (c + 1)
	}
	o.rest = max(square-o.mean*o.mean-o.slope*o.slope*m, 0)
	return o
}
