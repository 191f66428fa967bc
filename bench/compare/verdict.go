package compare

import (
	"fmt"
	"math"
)

// Verdict is a word for what was found.
type Verdict string

// Verdicts.
const (
	Improved      Verdict = "improved"
	Regressed     Verdict = "regressed"
	WithinNoise   Verdict = "within noise"
	Inconclusive  Verdict = "inconclusive"
	Invalid       Verdict = "invalid"
	NotComparable Verdict = "not comparable"
	Untested      Verdict = "" // shown only
)

// Exit codes of a comparison. 1 is an error: no comparison was made.
const (
	ExitOK            = 0 // improved or within noise
	ExitRegressed     = 2
	ExitInvalid       = 3
	ExitInconclusive  = 4
	ExitNotComparable = 5
)

// ExitCode is the exit code that stands for the verdict.
func (v Verdict) ExitCode() int {
	switch v {
	case Improved, WithinNoise:
		return ExitOK
	case Regressed:
		return ExitRegressed
	case Invalid:
		return ExitInvalid
	case NotComparable:
		return ExitNotComparable
	}
	return ExitInconclusive
}

// Worst is the exit code of several comparisons: what forbids a conclusion comes
// first, then a regression, then doubt.
func Worst(cs []*Comparison) int {
	for _, code := range []int{ExitNotComparable, ExitInvalid, ExitRegressed, ExitInconclusive} {
		for _, c := range cs {
			if c.Verdict.ExitCode() == code {
				return code
			}
		}
	}
	return ExitOK
}

// evidence is what there is about one metric.
type evidence struct {
	pairs      int
	missing    int // pairs, or runs, that have no value on one side or both
	ratio      float64
	lo, hi     float64
	coverage   float64 // of lo to hi
	p          float64 // corrected
	confidence float64 // that was asked for
	alpha      float64
	effect     float64 // the least that counts
	better     string  // lower or higher
}

// judge applies the rule.
func (e evidence) judge() (Verdict, string) {
	far := math.Abs(e.ratio-1) >= e.effect
	switch {
	case e.pairs == 0:
		return Inconclusive, "there is no run with a value on both sides"
	case e.missing > 0:
		return Inconclusive, fmt.Sprintf("%d of %d have no value: what is missing may be the difference", e.missing, e.pairs+e.missing)
	case e.pairs == 1:
		return Inconclusive, "one pair proves nothing"
	case e.coverage < e.confidence:
		return Inconclusive, fmt.Sprintf("%d are too few for an interval of %.0f %%", e.pairs, 100*e.confidence)
	case e.p < e.alpha && far && (e.ratio > 1) == (e.better == "higher"):
		return Improved, ""
	case e.p < e.alpha && far:
		return Regressed, ""
	case e.lo > 1-e.effect && e.hi < 1+e.effect:
		return WithinNoise, ""
	case e.hi-e.lo > 2*e.effect:
		return Inconclusive, fmt.Sprintf("the interval is wider than %s", percent(2*e.effect))
	case e.lo > 1 || e.hi < 1:
		return Inconclusive, "there seems to be a difference, of a size that is not clear"
	}
	return WithinNoise, ""
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }
