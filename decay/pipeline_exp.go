package decay

import "math"

// powers holds 2^(k/128).
var powers = func() (t [128]float64) {
	for k := range t {
		t[k] = math.Exp2(float64(k) / 128)
	}
	return t
}()

// exp is e^x for |x| <= 700 with a relative error below 1e-11, in a fraction of
// math.Exp's time: x = k ln2/128 + r with |r| <= ln2/256, and e^r by three terms
// of its series. Adding magic rounds to an integer and leaves it in the lowest
// bits; conversions would cost more than all the rest.
func exp(x float64) float64 {
	const magic = 3 << 51
	t := x*(128/math.Ln2) + magic
	k := int64(math.Float64bits(t))
	r := x - (t-magic)*(math.Ln2/128)
	series := 1 + r*(1+r*(1./2+r*(1./6)))
	return powers[k&127] * series * math.Float64frombits(uint64(1023+k<<13>>20)<<52)
}
