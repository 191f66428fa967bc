package verify

import "math"

// gammaQ returns the regularised upper incomplete gamma function Q(a, x) for a >
// 0 and x >= 0: the chance that a gamma variable of shape a is above x. gammaP is
// 1 - Q, exact where Q is near 1.
//
// Below a + 1 it is the power series, above it the continued fraction by Lentz's
// method; both need about 9 sqrt(a) terms at worst. Source: NIST Digital Library
// of Mathematical Functions, 8.7.1 and 8.9.2. Beyond mostShape the cube root of a
// gamma variable is normal to 7 digits (Wilson and Hilferty, 1931).
func gammaQ(a, x float64) float64 {
	if x < a+1 {
		return 1 - gammaP(a, x)
	}
	if a > mostShape {
		return normalTail(cubeRoot(a, x))
	}
	return gammaFraction(a, x)
}

func gammaP(a, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= a+1:
		return 1 - gammaQ(a, x)
	case a > mostShape:
		return normalTail(-cubeRoot(a, x))
	}
	return gammaSeries(a, x)
}

// mostShape bounds the work of a series: 9,000 terms, some 50 us.
const mostShape = 1e6

// gammaSeries is P(a, x) = x^a e^-x / Gamma(a+1) * (1 + x/(a+1) + ...).
func gammaSeries(a, x float64) float64 {
	sum, term := 1.0, 1.0
	for n := 1.0; term > sum*1e-17; n++ {
		term *= x / (a + n)
		sum += term
	}
	return min(sum*gammaFront(a, x)/a, 1)
}

// gammaFraction is Q(a, x) = x^a e^-x / Gamma(a) * 1/(x+1-a - 1(1-a)/(x+3-a - ...)).
func gammaFraction(a, x float64) float64 {
	const tiny = 1e-300
	b := x + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for n := 1.0; n < 1e5; n++ {
		step := n * (a - n)
		b += 2
		if d = b + step*d; math.Abs(d) < tiny {
			d = tiny
		}
		if c = b + step/c; math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		h *= c * d
		if math.Abs(c*d-1) < 1e-15 {
			break
		}
	}
	return min(h*gammaFront(a, x), 1)
}

// gammaFront is x^a e^-x / Gamma(a).
func gammaFront(a, x float64) float64 {
	lg, _ := math.Lgamma(a)
	return math.Exp(a*math.Log(x) - x - lg)
}

// cubeRoot returns the standard normal variable that x is, taken for the value of
// a gamma variable of shape a.
func cubeRoot(a, x float64) float64 {
	return (math.Cbrt(x/a) - 1 + 1/(9*a)) * 3 * math.Sqrt(a)
}

// normalTail returns the chance that a standard normal variable is above z.
func normalTail(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// poissonAbove returns the chance that a Poisson variable of mean m is above x, a
// whole number or -1: P(x+1, m). Where a few digits of a chance are enough it is
// the cube root again, for speed.
func poissonAbove(x, m float64) float64 {
	switch {
	case x < 0:
		return 1
	case m <= 0:
		return 0
	case m > 50:
		return normalTail(-cubeRoot(x+1, m))
	}
	return gammaP(x+1, m)
}
