package verify

import (
	"fmt"
	"math"
)

// Verdict is what to think of a number. The larger is the worse.
type Verdict int

// Info is a number that is not judged.
const (
	Info Verdict = iota
	OK
	Look // look into it
	Bad
)

var verdictNames = [...]string{"info", "ok", "look", "bad"}

// String returns info, ok, look or bad.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdictNames) {
		return fmt.Sprintf("Verdict(%d)", int(v))
	}
	return verdictNames[v]
}

// MarshalText returns what String does.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads it.
func (v *Verdict) UnmarshalText(b []byte) error {
	for i, name := range verdictNames {
		if string(b) == name {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("verdict %q: want info, ok, look or bad", b)
}

// judge sets the verdict by the limits, and one of three sentences.
func (m *Measure) judge(look, bad float64, ok, over, far string) {
	m.Look, m.Bad, m.Verdict, m.Says = look, bad, OK, ok
	switch {
	case bad > 0 && m.Value > bad:
		m.Verdict, m.Says = Bad, far
	case m.Value > look:
		m.Verdict, m.Says = Look, over
	}
}

// A verdict is look where a perfect hash would give as much once in 1,000 times,
// and bad where it would once in a million times; but never where the deviation is
// too small to matter, which with enough ids it always shows. What matters is in
// the limits of each kind of cells.
const (
	rare     = 1e-3
	veryRare = 1e-6
)

// limits are what matters, over and above chance.
type limits struct {
	// unevenLook and unevenBad are standard deviations / mean of the true shares.
	unevenLook, unevenBad float64
	// farLook and farBad are multiples of what a perfect hash has at the largest.
	farLook, farBad float64
	words           *words
	judged          judged
}

// judged is what of a Spread is judged.
type judged uint8

const (
	everything  judged = iota
	onlyChi            // and that never bad
	onlyLargest        // ratio, against chance, and farLook and farBad as they are
)

// Slots are many and small: 10 % more or less in one harms nobody, but shows a
// hash that does not fit the ids. Nodes are few, and each percent is load. Load
// that is not the same for all ids falls on slots as a few hot ids fall; what is
// judged of it is what it does to nodes.
var (
	slotLimits     = limits{unevenLook: 0.02, unevenBad: 0.10, farLook: 1.1, farBad: 1.5, words: &slotWords}
	nodeLimits     = limits{unevenLook: 0.02, unevenBad: 0.10, farLook: 1.05, farBad: 1.25, words: &nodeWords}
	slotLoadLimits = limits{unevenLook: 0.02, words: &slotWords, judged: onlyChi}
	nodeLoadLimits = limits{farLook: 1.25, farBad: 2, words: &loadWords, judged: onlyLargest}
)

// judge gives the verdicts.
func (l limits) judge(s *Spread, c *cells) {
	if l.words == nil || s.Cells < 2 {
		return
	}
	if l.judged != everything {
		// Some ids have more load than others; how the ends scatter is then theirs.
		s.Entropy.Short.Perfect, s.Sigma.Perfect, s.Max.Perfect = 0, 0, 0
	}
	switch w := l.words; l.judged {
	case onlyLargest:
		b := c.bins()
		look, bad, ok := max(c.lumps.limit(b, rare), l.farLook), max(c.lumps.limit(b, veryRare), l.farBad), w.maxOK
		if s.Max.Value > l.farLook {
			ok = fewIDsANode
		}
		s.Max.judge(look, bad, ok, w.max, w.max)
	case onlyChi:
		chi := c.chiChance(s.Chi.Freedom)
		s.Chi.judge(max(chi.limit(rare), chi.mean+c.effective*l.unevenLook*l.unevenLook), 0, w.chiOK, w.chi, w.chi)
	default:
		l.shape(s, c)
		l.ends(s, c)
	}
}

// shape judges what all cells together make.
func (l limits) shape(s *Spread, c *cells) {
	w, n := l.words, c.effective
	look, bad := l.unevenLook*l.unevenLook, l.unevenBad*l.unevenBad

	chi := c.chiChance(s.Chi.Freedom)
	s.Chi.judge(max(chi.limit(rare), chi.mean+n*look), max(chi.limit(veryRare), chi.mean+n*bad), w.chiOK, w.chi, w.chi)
	switch {
	case s.Chi.Verdict == OK && s.Chi.P > 1-veryRare && s.Chi.Freedom > 0:
		s.Chi.Says = tooEven
	case s.Chi.Verdict == OK && s.Chi.P < rare:
		s.Chi.Says = tooLittle
	}
	short := c.shortChance()
	s.Entropy.Short.judge(max(short.limit(rare), short.mean+look/(2*math.Ln2)), max(short.limit(veryRare), short.mean+bad/(2*math.Ln2)), w.entropyOK, w.entropy, w.entropy)

	square := c.squareChance()
	s.StdDev.judge(math.Sqrt(max(square.limit(rare), square.mean+look)), math.Sqrt(max(square.limit(veryRare), square.mean+bad)), w.stdDevOK, w.stdDev, w.stdDev)
}

// ends judges the fullest and the emptiest cell.
func (l limits) ends(s *Spread, c *cells) {
	w, b := l.words, c.bins()
	s.Max.judge(max(b.highLimit(rare), l.farLook*s.Max.Perfect), max(b.highLimit(veryRare), l.farBad*s.Max.Perfect), w.maxOK, w.max, w.max)
	span := func(p float64) float64 { return b.highLimit(p/2) - b.lowLimit(p/2) }
	s.Sigma.judge(max(span(rare), l.farLook*s.Sigma.Perfect), max(span(veryRare), l.farBad*s.Sigma.Perfect), w.sigmaOK, w.sigma, w.sigma)
}

// squareChance returns the distribution of StdDev squared under a perfect hash.
func (c *cells) squareChance() chance {
	n := c.effective
	if c.share == nil {
		x := c.chiChance(len(c.counts) - 1)
		return chance{mean: x.mean / n, sd: x.sd / n, skew: x.skew, grain: x.grain / n}
	}
	mean, variance, third, k := 0.0, 0.0, 0.0, 0.0
	for i := range c.counts {
		t := c.targetOf(i) * n
		if t <= 0 {
			continue
		}
		m := c.shareOf(i) * n
		d := m - t
		t2 := t * t
		mean += (m*(1-c.shareOf(i)) + d*d) / t2
		// Of (count - t)^2, where the count is Poisson distributed.
		variance += m * (2*m + 1 + 4*d*d + 4*d) / (t2 * t2)
		third += m * (8*m*m + 22*m + 1 + 6*d*(8*m+1) + 12*d*d*(2*m+1) + 8*d*d*d) / (t2 * t2 * t2)
		k++
	}
	if variance <= 0 {
		return chance{mean: mean / k}
	}
	return chance{mean: mean / k, sd: math.Sqrt(variance) / k, skew: max(third/(variance*math.Sqrt(variance)), 0)}
}
