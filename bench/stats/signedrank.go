package stats

import (
	"cmp"
	"math"
	"slices"
)

// MaxPairs bounds the exact test, which takes a tenth of a second for so many.
const MaxPairs = 500

// SignedRank is Wilcoxon's exact signed-rank test of whether differences are
// as often and as far above 0 as below. p is two-sided, 1 if all are 0.
//
// Ranks are those of the absolute values, ties share the middle of theirs.
// Zeros are ranked with the others and then left out (Pratt). Given the ranks,
// each of the 2^n patterns of signs is as likely as another; they are counted by
// their sum, which takes n^3 steps. Infinite differences are the largest; NaN
// are left out. Of more than MaxPairs only the first are looked at.
func SignedRank(differences []float64) (p float64) {
	ranks := signedRanks(differences)
	total, positive := 0, 0
	for _, r := range ranks {
		if r > 0 {
			positive += r
		}
		total += max(r, -r)
	}
	if total == 0 {
		return 1
	}
	// share[s] is the share of patterns whose positive ranks add up to s.
	share := make([]float64, total+1)
	share[0] = 1
	top := 0
	for _, r := range ranks {
		r = max(r, -r)
		for s := top; s >= 0; s-- {
			half := share[s] / 2
			share[s] -= half
			share[s+r] += half
		}
		top += r
	}
	tail := 0.0
	for s := range min(positive, total-positive) + 1 {
		tail += share[s]
	}
	return min(2*tail, 1)
}

// signedRanks returns twice the rank of each difference but 0, with its sign:
// middle ranks are halves.
func signedRanks(differences []float64) []int {
	var d []float64
	for _, x := range differences {
		if !math.IsNaN(x) && len(d) < MaxPairs {
			d = append(d, x)
		}
	}
	slices.SortFunc(d, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	var ranks []int
	for i := 0; i < len(d); {
		j := i
		for j < len(d) && math.Abs(d[j]) == math.Abs(d[i]) {
			j++
		}
		for k := i; k < j && d[i] != 0; k++ {
			rank := i + 1 + j // twice the middle of i+1..j
			if d[k] < 0 {
				rank = -rank
			}
			ranks = append(ranks, rank)
		}
		i = j
	}
	return ranks
}

// LeastP is the smallest p that SignedRank can give to n pairs, 2^(1-n): with 5
// pairs nothing is significant at 0.05, with 10 up to 25 metrics can be tested
// together.
func LeastP(n int) float64 { return min(1, math.Exp2(float64(1-n))) }

// Holm corrects p values that are looked at together, in their order: a metric
// is significant at alpha if its corrected value is below, and the chance that
// any of those without a difference is, is at most alpha. NaN stay and do not
// count.
func Holm(ps []float64) []float64 {
	order := make([]int, 0, len(ps))
	for i, p := range ps {
		if !math.IsNaN(p) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(ps[i], ps[j]) })
	out := slices.Clone(ps)
	least := 0.0
	for k, i := range order {
		least = max(least, min(1, ps[i]*float64(len(order)-k)))
		out[i] = least
	}
	return out
}
