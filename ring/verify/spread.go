package verify

import "math"

// Spread says how evenly ids, or their load, lie over cells: the slots of the
// hash, or the nodes of a ring. A ratio is what a cell has, divided by what its
// target is: 1 is right.
type Spread struct {
	Cells int     `json:"cells"` // those with a target
	Empty int     `json:"empty"` // of them, those that got nothing
	Total float64 `json:"total"` // ids, or load
	// Effective is how many ids of equal load would scatter as much as these: the
	// number of ids if all have the same, else (sum of loads)^2 / sum of squares.
	Effective float64   `json:"effective"`
	Entropy   Entropy   `json:"entropy"`
	Chi       ChiSquare `json:"chiSquare"`
	// ChiTarget, of nodes only, is chi-square against what the weights ask for: it
	// has the ring's own unevenness in it, and with enough ids it always shows.
	ChiTarget *ChiSquare `json:"chiSquareTarget,omitempty"`
	// Sigma is the largest ratio minus the smallest: (max - min) / avg.
	Sigma Measure `json:"sigma"`
	// StdDev is the root of the mean of (ratio - 1)^2: standard deviation / mean.
	StdDev Measure `json:"stdDev"`
	// Max is the largest ratio: max / avg.
	Max Measure `json:"maxOverAvg"`
}

// Measure is a number with what it should be.
type Measure struct {
	Value float64 `json:"value"`
	// Perfect is what a perfect hash gives on average with as many ids, through the
	// same ring; 0 where that is unknown.
	Perfect float64 `json:"perfect"`
	// Above Look the verdict is look, above Bad it is bad. Both 0: it is not judged.
	Look    float64 `json:"look,omitempty"`
	Bad     float64 `json:"bad,omitempty"`
	Verdict Verdict `json:"verdict"`
	Says    string  `json:"says,omitempty"` // what it means and what to do
}

// Entropy is that of the shares of cells.
type Entropy struct {
	Bits float64 `json:"bits"` // as counted
	Most float64 `json:"most"` // that of the targets: log2 of the cells if they are equal
	// Share is Bits / Most.
	Share float64 `json:"share"`
	// Corrected is Bits plus (cells not empty - 1) / (2 n ln 2), Miller and Madow's
	// correction: few ids have less entropy by chance. It is good from a few ids a
	// cell on, and never above log2 of the cells; Short.Perfect is right for any number.
	Corrected float64 `json:"corrected"`
	// Short is how many bits are missing: the relative entropy of the shares to the
	// targets, which is Most - Bits if the targets are equal.
	Short Measure `json:"short"`
}

// ChiSquare is Pearson's: n times the sum of (share - expected)^2 / expected. Its
// Perfect is the degrees of freedom.
type ChiSquare struct {
	Measure
	Freedom int `json:"freedom"`
	// P is the chance that a perfect hash gives as much or more.
	P float64 `json:"p"`
	// Excess is the part of the unevenness that is no chance, as standard deviation
	// / mean of the cells' true shares: the root of (chi-square - freedom) / n, and 0
	// if chance gives as much more than once in 1,000 times. P says whether it is
	// there, Excess whether it matters.
	Excess float64 `json:"excess"`
}

// cells is what a Spread is made from.
type cells struct {
	counts []float64
	share  []float64 // what a perfect hash gives each; sums to 1; nil: equal
	target []float64 // what each should have; sums to 1; nil: equal
	// effective is Spread.Effective.
	effective float64
	lumps     lumps // of load; 0 for ids
}

func (c *cells) shareOf(i int) float64 {
	if c.share == nil {
		return 1 / float64(len(c.counts))
	}
	return c.share[i]
}

func (c *cells) targetOf(i int) float64 {
	if c.target == nil {
		return 1 / float64(len(c.counts))
	}
	return c.target[i]
}

// spread measures. It is nil if there is nothing to measure: no cell with a
// target, or nothing in them.
func (c *cells) spread(rule limits) *Spread {
	s := &Spread{Effective: c.effective}
	for i, n := range c.counts {
		if c.targetOf(i) > 0 {
			s.Cells++
			s.Total += n
			if n == 0 {
				s.Empty++
			}
		}
	}
	if s.Total == 0 {
		return nil
	}
	c.ratios(s)
	c.entropy(s)
	s.Chi = c.chiSquare(s.Total, c.shareOf)
	if c.share != nil {
		target := c.chiSquare(s.Total, c.targetOf)
		s.ChiTarget = &target
	}
	rule.judge(s, c)
	return s
}

// ratios sets what is made from ratios, and what a perfect hash has of it.
func (c *cells) ratios(s *Spread) {
	low, high, square, perfect := math.Inf(1), 0.0, 0.0, 0.0
	for i, n := range c.counts {
		t := c.targetOf(i)
		if t <= 0 {
			continue
		}
		ratio := n / (s.Total * t)
		low, high = min(low, ratio), max(high, ratio)
		square += (ratio - 1) * (ratio - 1)
		p := c.shareOf(i)
		perfect += p*(1-p)/(c.effective*t*t) + (p/t-1)*(p/t-1)
	}
	k := float64(s.Cells)
	s.Sigma.Value, s.Max.Value = high-low, high
	s.StdDev.Value, s.StdDev.Perfect = math.Sqrt(square/k), math.Sqrt(perfect/k)
	b := c.bins()
	s.Max.Perfect = b.highest()
	s.Sigma.Perfect = max(s.Max.Perfect-b.lowest(), 0)
}

// bins returns what a perfect hash fills with as many ids.
func (c *cells) bins() (b bins) {
	if c.share == nil && c.target == nil {
		mean := c.effective / float64(len(c.counts))
		return bins{{mean, mean, float64(len(c.counts))}}
	}
	for i := range c.counts {
		if t := c.targetOf(i); t > 0 {
			b = append(b, binGroup{c.effective * c.shareOf(i), c.effective * t, 1})
		}
	}
	if len(b) > mostBins {
		b.roundMeans()
	}
	return b.merge()
}

// chiSquare compares with expected shares. Cells of which fewer than 5 are
// expected are taken together, except where all are equal: there the distribution
// is known for any number (see equalCells).
func (c *cells) chiSquare(total float64, expected func(i int) float64) (x ChiSquare) {
	n, groups := c.effective, 0
	rest, restGot := 0.0, 0.0
	add := func(share, got float64) {
		d := got/total - share
		x.Value += n * d * d / share
		groups++
	}
	for i, got := range c.counts {
		switch p := expected(i); {
		case c.share != nil && n*p < 5:
			rest += p
			restGot += got
		case p > 0:
			add(p, got)
		}
	}
	if rest > 0 {
		add(rest, restGot)
	}
	x.Freedom = max(groups-1, 0)
	x.Perfect = float64(x.Freedom)
	x.P = c.chiChance(x.Freedom).above(x.Value)
	if x.P < rare {
		x.Excess = math.Sqrt(max(x.Value-x.Perfect, 0) / n)
	}
	return x
}

// chiChance returns the distribution of chi-square under a perfect hash.
func (c *cells) chiChance(freedom int) chance {
	df := float64(freedom)
	if freedom == 0 {
		return chance{}
	}
	if c.share == nil {
		return equalCells(df+1, c.effective)
	}
	return chance{mean: df, sd: math.Sqrt(2 * df), skew: math.Sqrt(8 / df)}
}

// equalCells is the distribution of chi-square for n ids over k equal cells. Chi-
// square counts the pairs of ids that share a cell: it is 2k/n pairs + k - n. The
// pairs have the mean m = n(n-1)/2k and the variance m (1 - 1/k), exactly, because
// two pairs are independent; their skewness is 1/sqrt(m) + sqrt(8/k), where the
// second part comes from triples. With many ids a cell this is the chi-square
// distribution, with few it is Poisson's.
func equalCells(k, n float64) chance {
	if n < 2 {
		return chance{mean: k - 1}
	}
	pairs := n * (n - 1) / (2 * k)
	return chance{mean: k - 1, sd: math.Sqrt(2 * (k - 1) * (1 - 1/n)), skew: 1/math.Sqrt(pairs) + math.Sqrt(8/k), grain: 2 * k / n}
}
