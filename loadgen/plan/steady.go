package plan

import (
	"math"
	"slices"
)

// Trend is what MannKendall finds in a series.
type Trend struct {
	// Z is how many standard deviations the series is from having none; positive
	// ones rise.
	Z float64
	// P is the probability of a |Z| as large without a trend, two-sided.
	P float64
	// Slope is the median of the slopes between all pairs of points (Theil, Sen),
	// in units of the series a point.
	Slope float64
}

// maxTrend bounds the points that MannKendall compares pair by pair: longer
// series are thinned to medians of equal stretches, of which there are then at
// least half as many.
const maxTrend = 1000

// MannKendall tests a series for a monotonic trend, whatever its distribution
// (Mann 1945, Kendall 1975), with the variance corrected for ties and, since
// points a second apart are not independent, for the serial correlation of the
// ranks (Hamed, Rao 1998). Points that are no numbers are left out. With fewer
// than 8 points, or all alike, there is no trend: P is 1.
func MannKendall(series []float64) Trend {
	x := slices.DeleteFunc(slices.Clone(series), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	stride := (len(x) + maxTrend - 1) / maxTrend
	x = thin(x, stride)
	n := len(x)
	if n < 8 {
		return Trend{P: 1}
	}
	s := 0
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range x {
		for j := i + 1; j < n; j++ {
			slopes = append(slopes, (x[j]-x[i])/float64((j-i)*stride))
			switch {
			case x[j] > x[i]:
				s++
			case x[j] < x[i]:
				s--
			}
		}
	}
	t := Trend{P: 1, Slope: median(slopes)}
	variance := kendallVariance(x) * serialFactor(x, t.Slope*float64(stride))
	if s == 0 || variance <= 0 {
		return t
	}
	t.Z = (float64(s) - math.Copysign(1, float64(s))) / math.Sqrt(variance)
	t.P = math.Erfc(math.Abs(t.Z) / math.Sqrt2)
	return t
}

// kendallVariance is that of the statistic without a trend: n(n-1)(2n+5)/18,
// less t(t-1)(2t+5)/18 for each tie of t points.
func kendallVariance(x []float64) float64 {
	term := func(n int) float64 { return float64(n) * float64(n-1) * float64(2*n+5) }
	v := term(len(x))
	sorted := slices.Sorted(slices.Values(x))
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		v -= term(j - i)
		i = j
	}
	return v / 18
}

// serialFactor is what the variance grows by when neighbours resemble each
// other: by the autocorrelation of the ranks of what is left without the slope,
// where it is significant at 5 %. It is at least 1: points that alternate do
// not make a trend surer.
func serialFactor(x []float64, slope float64) float64 {
	n := len(x)
	rest := make([]float64, n)
	for i := range x {
		rest[i] = x[i] - slope*float64(i)
	}
	r := ranks(rest)
	mean, power := float64(n+1)/2, 0.0
	for _, v := range r {
		power += (v - mean) * (v - mean)
	}
	if power == 0 {
		return 1
	}
	sum := 0.0
	for lag := 1; lag < n-2; lag++ {
		c := 0.0
		for i := range n - lag {
			c += (r[i] - mean) * (r[i+lag] - mean)
		}
		rho := c / power
		if math.Abs(rho) <= 1.96/math.Sqrt(float64(n)) {
			break // those further off are noise
		}
		sum += float64(n-lag) * float64(n-lag-1) * float64(n-lag-2) * rho
	}
	return max(1, 1+2*sum/(float64(n)*float64(n-1)*float64(n-2)))
}

// ranks returns the rank of each value, from 1; ties share their mean.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return a - b
	})
	out := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+j+1) / 2
		}
		i = j
	}
	return out
}

// thin replaces each stride points by their median.
func thin(x []float64, stride int) []float64 {
	if stride <= 1 {
		return x
	}
	out := make([]float64, 0, len(x)/stride+1)
	for part := range slices.Chunk(x, stride) {
		out = append(out, median(slices.Clone(part)))
	}
	return out
}

// median sorts x. Of nothing it is 0.
func median(x []float64) float64 {
	n := len(x)
	if n == 0 {
		return 0
	}
	slices.Sort(x)
	return x[(n-1)/2]/2 + x[n/2]/2
}

// Steady reports whether a series of points, one a second or so, neither rises
// nor falls: no trend at 1 %, or one that over the whole series changes it by
// less than share of its median. That is what a phase should be before its
// percentiles are believed.
func Steady(series []float64, share float64) (steady bool, change float64) {
	t := MannKendall(series)
	mid := math.Abs(median(slices.DeleteFunc(slices.Clone(series), math.IsNaN)))
	if change = t.Slope * float64(len(series)-1); mid > 0 {
		change /= mid
	}
	return t.P > .01 || math.Abs(change) < share, change
}
