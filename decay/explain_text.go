package decay

import (
	"math"
	"strconv"
	"time"
)

// String is AppendText's text.
func (e *Explanation) String() string {
	b, _ := e.AppendText(nil)
	return string(b)
}

// AppendText writes the explanation for a human, in one line:
//
//	node-7 at 0.62: cpu 71.0 % z +1.4, p95 4 ms z +0.2 | z +0.90 relative 0.407 | target 0.407 smoothed 0.61 | 0.62 held: within the band
func (e *Explanation) AppendText(b []byte) ([]byte, error) {
	now := e.New
	if e.Why == NotDecided {
		now = e.Target
	}
	b = append(b, e.Name...)
	b = append(b, " at "...)
	b = appendNumber(b, now)
	b = append(b, ": "...)
	if e.Status != Measured {
		b = append(b, e.Status.String()...)
		if e.Status == Expired {
			b = e.appendAge(b)
		}
		b = append(b, " | relative "...)
		b = appendNumber(b, e.Share)
		switch {
		case e.Bound == AtJoinCap:
			b = append(b, ", the join cap"...)
		case e.Unknown == HoldScore:
			b = append(b, ", held"...)
		default:
			b = append(b, ", the mean of the others"...)
		}
	} else {
		b = e.appendSignals(b)
		b = append(b, " | "...)
		if e.Form == ZScore {
			b = append(b, "z "...)
			b = appendSigned(b, e.Z, 2)
			b = append(b, ' ')
		}
		b = append(b, "relative "...)
		b = appendNumber(b, e.Relative)
		if e.Bound != Free {
			b = append(b, " bounded by "...)
			b = append(b, e.Bound.String()...)
			b = append(b, " to "...)
			b = appendNumber(b, e.Share)
		}
	}
	b = append(b, " | target "...)
	b = appendNumber(b, e.Target)
	if e.Why == NotDecided {
		return b, nil
	}
	b = append(b, " smoothed "...)
	b = appendNumber(b, e.Smooth)
	b = append(b, " | "...)
	b = appendNumber(b, e.Old)
	if e.New != e.Old {
		b = append(b, " -> "...)
		b = appendNumber(b, e.New)
	}
	b = append(b, ' ')
	return append(b, e.Why.String()...), nil
}

// appendAge writes how old the sample of an Expired node is.
func (e *Explanation) appendAge(b []byte) []byte {
	b = append(b, ", sample of "...)
	if e.Age < 0 {
		b = strconv.AppendInt(b, -int64(e.Age/time.Second), 10)
		return append(b, " s ahead"...)
	}
	b = strconv.AppendInt(b, int64(e.Age/time.Second), 10)
	return append(b, " s ago"...)
}

func (e *Explanation) appendSignals(b []byte) []byte {
	first := true
	for s := range e.Signals {
		sig := &e.Signals[s]
		if !sig.Used {
			continue
		}
		if !first {
			b = append(b, ", "...)
		}
		first = false
		b = append(b, Signal(s).String()...)
		b = append(b, ' ')
		b = appendNumber(b, sig.Smoothed)
		if u := Signal(s).Unit(); u != "" {
			b = append(b, ' ')
			b = append(b, u...)
		}
		if e.Form != ZScore {
			b = append(b, " score "...)
			b = appendNumber(b, sig.Score)
			b = append(b, " of "...)
			b = appendNumber(b, sig.AtMean)
			continue
		}
		b = append(b, " z "...)
		b = appendSigned(b, sig.Z, 1)
	}
	return b
}

// appendNumber writes v with three digits.
func appendNumber(b []byte, v float64) []byte {
	switch a := math.Abs(v); {
	case a >= 100 && a < 1e15:
		return strconv.AppendFloat(b, v, 'f', 0, 64)
	case a >= 10 && a < 100:
		return strconv.AppendFloat(b, v, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, v, 'g', 3, 64)
}

// appendSigned writes v with its sign; what rounds to 0 is +0.
func appendSigned(b []byte, v float64, digits int) []byte {
	if math.Abs(v) < 0.5*math.Pow10(-digits) {
		v = 0
	}
	if v >= 0 {
		b = append(b, '+')
	}
	return strconv.AppendFloat(b, v, 'f', digits, 64)
}
