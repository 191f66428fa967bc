package plan

// Seed derives the seed of one thing from the scenario's and what tells the
// thing from others: phase, publish, purpose. Different parts give unrelated
// seeds; the order of parts matters.
func Seed(seed uint64, parts ...uint64) uint64 {
	for _, p := range parts {
		seed = mix(seed, p)
	}
	return seed
}

// mix is value k of the random sequence of a seed, without a state: the
// finaliser of SplitMix64 (Steele, Lea, Flood 2014) at step k+1, twice, so that
// sequences of seeds that lie near each other do not overlap.
func mix(seed, k uint64) uint64 {
	return finalise(finalise(seed) + (k+1)*0x9e3779b97f4a7c15)
}

func finalise(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit turns 64 random bits into a number in [0, 1).
func unit(bits uint64) float64 { return float64(bits>>11) * 0x1p-53 }
