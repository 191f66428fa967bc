package svg

import (
	"math"
	"strings"
)

// span is the part of an axis that is shown, and its ticks.
type span struct {
	lo, hi float64
	log    bool
	ticks  []Tick
}

// at is where v is, 0 to 1.
func (s *span) at(v float64) float64 {
	if s.log {
		return math.Log(math.Max(v, 1e-300)/s.lo) / math.Log(s.hi/s.lo)
	}
	return (v - s.lo) / (s.hi - s.lo)
}

// What is nearer to 0 is 0, and what is larger is not shown: the differences
// and ratios of others are finite.
const tiny, huge = 1e-140, 1e140

// bounds finds the smallest and largest finite value that is shown; ok is
// false without any. On a log axis only positive ones can be.
func (a *Axis) bounds(values ...[]float64) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, list := range values {
		for _, v := range list {
			if math.Abs(v) < tiny {
				v = 0
			}
			if math.IsNaN(v) || math.Abs(v) > huge || a.Log && v <= 0 {
				continue
			}
			lo, hi, ok = min(lo, v), max(hi, v), true
		}
	}
	return lo, hi, ok
}

// span chooses what is shown of the axis, with about so many ticks.
func (a *Axis) span(ticks int, exact bool, values ...[]float64) span {
	lo, hi, ok := a.bounds(values...)
	if a.Min != 0 || a.Max != 0 {
		lo, hi, ok = a.Min, a.Max, true
	}
	if !ok {
		lo, hi = 1, 10
		if !a.Log {
			lo, hi = 0, 1
		}
	}
	if a.Zero && !a.Log {
		lo = min(lo, 0)
	}
	if a.Log {
		hi = max(hi, 1e-280)
		lo = max(lo, hi*1e-20) // 20 decades: more can be of no use
	}
	s := span{lo: lo, hi: hi, log: a.Log}
	if a.Log {
		s.logarithmic(a.Unit, exact)
	} else {
		s.linear(a.Unit, ticks, exact)
	}
	if a.Ticks != nil {
		s.ticks = nil
		for _, t := range a.Ticks {
			if f := s.at(t.At); f >= -1e-9 && f <= 1+1e-9 {
				s.ticks = append(s.ticks, t)
			}
		}
	}
	return s
}

// logarithmic widens to whole steps of 1, 2, 5 and puts ticks there, or at
// powers of ten if these are many.
func (s *span) logarithmic(unit Unit, exact bool) {
	if s.hi <= s.lo {
		s.hi = s.lo * 10
	}
	steps := []float64{1, 2, 5}
	if s.hi/s.lo > 300 {
		steps = steps[:1]
	}
	var all []float64
	for e := math.Floor(math.Log10(s.lo)) - 1; e <= math.Ceil(math.Log10(s.hi))+1; e++ {
		for _, k := range steps {
			all = append(all, k*math.Pow(10, e))
		}
	}
	first, last := 0, len(all)-1
	for first+1 < len(all) && all[first+1] <= s.lo*1.000001 {
		first++
	}
	for last > 0 && all[last-1] >= s.hi*.999999 {
		last--
	}
	if !exact {
		s.lo, s.hi = all[first], all[last]
	}
	every := 1
	if len(steps) == 1 && last-first > 8 {
		every = (last-first)/8 + 1
	}
	for i := first; i <= last; i += every {
		if v := all[i]; v >= s.lo*.999999 && v <= s.hi*1.000001 {
			s.ticks = append(s.ticks, Tick{v, Format(v, unit)})
		}
	}
}

// linear widens to whole steps, about n of them.
func (s *span) linear(unit Unit, n int, exact bool) {
	if s.hi <= s.lo {
		s.hi = s.lo + math.Max(math.Abs(s.lo)*.1, 1e-9)
		if s.lo == 0 {
			s.hi = 1
		}
	}
	step := nice((s.hi-s.lo)/float64(max(n, 1)), unit)
	if !exact {
		s.lo, s.hi = math.Floor(s.lo/step+1e-9)*step, math.Ceil(s.hi/step-1e-9)*step
	}
	for i := math.Ceil(s.lo/step - 1e-9); i*step <= s.hi+step*1e-9 && len(s.ticks) < 50; i++ {
		s.ticks = append(s.ticks, Tick{i * step, Format(i*step, unit)})
	}
}

// nice is the smallest good step of at least v: 1, 2 or 5 of a power of ten,
// powers of two for bytes, and 15, 30, 60 for seconds.
func nice(v float64, unit Unit) float64 {
	if !(v > 0) {
		return 1
	}
	base, _, _ := strings.Cut(string(unit), "/")
	if base == "B" {
		return math.Pow(2, math.Ceil(math.Log2(v)-1e-9))
	}
	if base == "ns" && v > 5e9 {
		for _, s := range []float64{10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600} {
			if v <= s*1e9*(1+1e-9) {
				return s * 1e9
			}
		}
		return math.Ceil(v/3600e9) * 3600e9
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, k := range []float64{1, 2, 5} {
		if v <= k*power*(1+1e-9) {
			return k * power
		}
	}
	return 10 * power
}
