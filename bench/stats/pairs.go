package stats

import "math"

// Paired is what pairs of numbers that are 0 or more say about the ratio b/a.
// None of it is ever NaN.
type Paired struct {
	// Ratios are b/a of each pair, 0 to +Inf; two zeros or two infinite ones are 1.
	Ratios []float64
	Median float64 // of Ratios, the middle two joined geometrically; 1 if there are none
	// Interval is of the median ratio.
	Interval Interval
	P        float64 // SignedRank of the logarithms
}

// Compare compares pairs (a[i], b[i]); both have the same length and hold
// numbers from 0 to +Inf.
func Compare(a, b []float64, confidence float64) Paired {
	logs := make([]float64, len(a))
	p := Paired{Ratios: make([]float64, len(a)), Median: 1, P: 1, Interval: Interval{Lo: 1, Hi: 1}}
	for i := range a {
		p.Ratios[i] = Ratio(a[i], b[i])
		if a[i] != b[i] {
			logs[i] = math.Log(b[i]) - math.Log(a[i]) // the ratio may overflow
		}
	}
	if len(a) == 0 {
		return p
	}
	p.Median = math.Exp(Median(logs))
	in := MedianInterval(logs, confidence)
	p.Interval = Interval{Lo: math.Exp(in.Lo), Hi: math.Exp(in.Hi), Coverage: in.Coverage}
	p.P = SignedRank(logs)
	return p
}

// Ratio is b/a, 1 if both are 0 or both infinite.
func Ratio(a, b float64) float64 {
	switch {
	case a == b:
		return 1
	case a == 0 || math.IsInf(b, 1):
		return math.Inf(1)
	case b == 0 || math.IsInf(a, 1):
		return 0
	}
	return b / a
}

// Normal quantiles of what PairsNeeded plans for.
const (
	zPower     = 0.8416 // power 80 %
	efficiency = 0.955  // of signed ranks beside a t test, for normal noise
)

// MostPairs is where PairsNeeded stops: more are no plan.
const MostPairs = MaxPairs

// PairsNeeded says about how many pairs it takes to find a ratio of 1 + effect
// in 80 % of experiments at alpha, if pairs scatter as these do:
//
//	n = ((z(1-alpha/2) + z(0.8)) s / ln(1+effect))^2 / 0.955
//
// where s is the standard deviation of the logarithms. It is at least what
// alpha takes with no noise at all, at most MostPairs, and 0 if that cannot be
// said: fewer than 3 pairs, or a ratio of 0 or +Inf.
func PairsNeeded(ratios []float64, effect, alpha float64) int {
	n := len(ratios)
	if n < 3 || effect <= 0 || alpha <= 0 || alpha >= 1 {
		return 0
	}
	sum, squares := 0.0, 0.0
	for _, r := range ratios {
		l := math.Log(r)
		sum += l
		squares += l * l
	}
	variance := (squares - sum*sum/float64(n)) / float64(n-1)
	if math.IsNaN(variance) || math.IsInf(variance, 0) {
		return 0
	}
	z := math.Sqrt2*math.Erfinv(1-alpha) + zPower
	d := math.Log1p(effect)
	need := math.Ceil(z * z * max(variance, 0) / (d * d) / efficiency)
	least := 1
	for LeastP(least) >= alpha {
		least++
	}
	return int(min(max(need, float64(least)), MostPairs))
}
