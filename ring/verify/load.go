package verify

import "math"

// lumps says how unlike the loads of ids are: with loads l, the sum of l^3 times
// the sum of l, over the square of the sum of l^2. It is 1 if all are the same, and
// 1.5 if they are exponentially distributed.
//
// What a cell of share p gets is a sum of a Poisson number of loads. Counted in
// ids of equal load that scatter as much, of which there are n (sampleFacts), it
// has mean and variance n p, and the skewness lumps / sqrt(n p): that of a Poisson
// variable only where all loads are the same.
type lumps float64

// limit returns the ratio that the fullest of the bins passes with a chance of p, if
// ids bring load as unlike as this. For loads that are all the same the bins know
// it exactly, and the skewed form is about right; the larger of both holds.
func (l lumps) limit(b bins, p float64) float64 {
	skewed := b.between(func(t float64) float64 { return 1 - l.below(b, t) }, p)
	return max(b.highLimit(p), skewed)
}

// below returns the chance that no bin's ratio is above t.
func (l lumps) below(b bins, t float64) float64 {
	sum := 0.0
	for _, g := range b {
		if g.mean <= 0 {
			continue
		}
		sd := math.Sqrt(g.mean)
		over := chance{mean: g.mean, sd: sd, skew: float64(l) / sd}.above(t * g.want)
		if sum += g.n * math.Log1p(-over); sum < -50 {
			return 0
		}
	}
	return math.Exp(sum)
}
