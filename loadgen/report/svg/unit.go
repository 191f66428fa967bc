package svg

import (
	"math"
	"strconv"
	"strings"
)

// Unit says how numbers are written. It is a unit of result.Metric: ns,
// ns/msg, B, B/conn, share, cores, %, 1/s; others are written as they are.
type Unit string

// scale is a step of a unit: numbers of at least From are written in it.
type scale struct {
	from float64
	name string
}

var (
	timeScales = []scale{{600e9, "min"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {1, "ns"}}
	byteScales = []scale{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}}
)

// Format writes v for a reader, in three digits: 31.2 ms, 1,000,000, 271 B,
// 99.999 %. What is infinite is a miss: never. A count is written whole.
func Format(v float64, unit Unit) string {
	switch {
	case math.IsNaN(v):
		return "unknown"
	case math.IsInf(v, 1):
		return "never"
	case v == 0 && (unit == "B/conn" || unit == "ns/msg"):
		return "0 " + string(unit) // 0/conn would not say of what
	}
	base, per, _ := strings.Cut(string(unit), "/")
	if per != "" {
		per = "/" + per
	}
	switch base {
	case "ns":
		return scaled(v, timeScales) + per
	case "B":
		return scaled(v, byteScales) + per
	case "share":
		return percent(v) + " %"
	case "1", "":
		if per != "" && math.Abs(v) < 100 {
			return Digits(v) + per
		}
		if v != math.Trunc(v) && math.Abs(v) < 100 {
			return Digits(v)
		}
		return Thousands(v) + per
	}
	return Digits(v) + " " + string(unit)
}

// percent keeps the nines of a share: 99.9988, not 100.
func percent(v float64) string {
	p := 100 * v
	s := Digits(p)
	for digits := 2; p < 100 && s == "100" && digits < 10; digits++ {
		s = strconv.FormatFloat(p, 'f', digits, 64)
		if !strings.HasPrefix(s, "100") {
			break
		}
		s = "100"
	}
	return s
}

// scaled writes v in the largest scale that it reaches.
func scaled(v float64, scales []scale) string {
	if v == 0 {
		return "0"
	}
	for _, s := range scales {
		// 999.6 of one would be written 1000: it is 1 of the next.
		if math.Abs(v) >= s.from*.9995 || s.from == 1 {
			if s.name == "min" {
				return Digits(v/60e9) + " min"
			}
			return Digits(v/s.from) + " " + s.name
		}
	}
	return Digits(v)
}

// Digits writes v with three significant digits, and whole from 100 on.
func Digits(v float64) string {
	if v == 0 {
		return "0"
	}
	if a := math.Abs(v); a >= 99.95 {
		return Thousands(v)
	} else if a < 1e-6 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	decimals := max(2-int(math.Floor(math.Log10(math.Abs(v))+1e-9)), 0)
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Thousands writes v whole, its digits in threes: 1,000,000.
func Thousands(v float64) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	var b strings.Builder
	if v < 0 && s != "0" {
		b.WriteByte('-')
	}
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
