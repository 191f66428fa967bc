package plan

import "math"

// Zipf picks topics by popularity: topic r comes with a probability in
// proportion to 1/(r+1)^exponent. It needs no memory and no state: pick k is the
// same wherever it is asked for. The method is rejection-inversion (Hörmann,
// Derflinger 1996), which takes any exponent from 0 on and less than 1.4 tries.
type Zipf struct {
	seed     uint64
	count    float64
	exponent float64
	low      float64 // integral of the hat from 1/2 ...
	high     float64 // ... to count+1/2, both of 1/x^exponent
	sure     float64 // so near to a whole number, a try is never rejected
}

// MaxExponent bounds exponents; beyond it everything is topic 0.
const MaxExponent = 20

// NewZipf picks among count topics, at most 2^32. Exponent 0 is all alike.
func NewZipf(count int, exponent float64, seed uint64) Zipf {
	if !(exponent > 0) {
		exponent = 0
	}
	z := Zipf{seed: finalise(seed), count: float64(min(max(count, 1), 1<<32)), exponent: min(exponent, MaxExponent)}
	z.low = z.integral(1.5) - 1
	z.high = z.integral(z.count + .5)
	z.sure = 2 - z.inverse(z.integral(2.5)-z.weight(2))
	return z
}

// Topic returns the topic of publish k.
func (z *Zipf) Topic(k uint64) uint32 { return z.pick(mix(z.seed, k)) }

// pick turns random bits into a topic. Tries after the first take further bits
// of the same sequence.
func (z *Zipf) pick(random uint64) uint32 {
	if z.exponent == 0 {
		return uint32(unit(random) * z.count)
	}
	for {
		u := z.high + unit(random)*(z.low-z.high)
		x := z.inverse(u)
		k := min(max(math.Floor(x+.5), 1), z.count)
		if k-x <= z.sure || u >= z.integral(k+.5)-z.weight(k) {
			return uint32(k) - 1
		}
		random = finalise(random + 0x9e3779b97f4a7c15)
	}
}

// AppendTopics appends the distinct topics of a client, in order of choice: as
// popular among clients as among publishes, as far as that goes without
// repeating. If the exponent is so steep that choices keep repeating, what
// lacks is filled up by the most popular.
func (z *Zipf) AppendTopics(dst []uint32, client uint32, perClient int) []uint32 {
	own := len(dst)
	want := min(perClient, int(z.count))
	has := func(t uint32) bool {
		for _, d := range dst[own:] {
			if d == t {
				return true
			}
		}
		return false
	}
	seed := mix(^z.seed, uint64(client))
	for try := 0; len(dst)-own < want && try < 16*want; try++ {
		if t := z.pick(mix(seed, uint64(try))); !has(t) {
			dst = append(dst, t)
		}
	}
	for t := uint32(0); len(dst)-own < want; t++ {
		if !has(t) {
			dst = append(dst, t)
		}
	}
	return dst
}

// weight is 1/x^exponent.
func (z *Zipf) weight(x float64) float64 { return math.Exp(-z.exponent * math.Log(x)) }

// integral is that of weight from 1 to x: (x^(1-e) - 1) / (1-e), and ln x where
// e is 1.
func (z *Zipf) integral(x float64) float64 {
	l := math.Log(x)
	return l * expm1Over((1-z.exponent)*l)
}

// inverse is that of integral.
func (z *Zipf) inverse(y float64) float64 {
	t := max(y*(1-z.exponent), -1)
	return math.Exp(y * log1pOver(t))
}

// expm1Over is (e^t - 1) / t, and 1 at 0.
func expm1Over(t float64) float64 {
	if math.Abs(t) < 1e-8 {
		return 1 + t/2
	}
	return math.Expm1(t) / t
}

// log1pOver is ln(1+t) / t, and 1 at 0.
func log1pOver(t float64) float64 {
	if math.Abs(t) < 1e-8 {
		return 1 - t/2
	}
	return math.Log1p(t) / t
}
