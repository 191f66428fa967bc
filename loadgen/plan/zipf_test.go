package plan

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// weights are the probabilities that a Zipf has, added up term by term.
func weights(count int, exponent float64) []float64 {
	w, sum := make([]float64, count), 0.0
	for r := range w {
		w[r] = math.Pow(float64(r+1), -exponent)
		sum += w[r]
	}
	for r := range w {
		w[r] /= sum
	}
	return w
}

// TestZipfHasItsDistribution: chi-square at 0.1 % at fixed seeds, topics that
// are expected fewer than 10 times taken together.
func TestZipfHasItsDistribution(t *testing.T) {
	for _, count := range []int{1, 2, 10, 1000} {
		for _, exponent := range []float64{0, .5, 1, 1.1, 2, 5} {
			t.Run(fmt.Sprintf("%d of %g", count, exponent), func(t *testing.T) {
				const picks = 200_000
				z := NewZipf(count, exponent, 11)
				got := make([]float64, count)
				for k := range uint64(picks) {
					got[z.Topic(k)]++
				}
				chi, free, restGot, restWant := 0.0, -1.0, 0.0, 0.0
				for r, w := range weights(count, exponent) {
					want := w * picks
					if want < 10 {
						restGot, restWant = restGot+got[r], restWant+want
						continue
					}
					chi, free = chi+(got[r]-want)*(got[r]-want)/want, free+1
				}
				if restWant >= 10 {
					chi, free = chi+(restGot-restWant)*(restGot-restWant)/restWant, free+1
				}
				if free > 0 && chi > free+3.1*math.Sqrt(2*free)+6 {
					t.Errorf("chi-square %.1f with %.0f degrees of freedom", chi, free)
				}
			})
		}
	}
}

func TestZipfOfExtremes(t *testing.T) {
	for _, z := range []Zipf{NewZipf(0, 1, 1), NewZipf(-3, math.NaN(), 1), NewZipf(5, 1e9, 1), NewZipf(1, -4, 1)} {
		for k := range uint64(100) {
			if got := z.Topic(k); got != 0 {
				t.Fatalf("%+v: topic %d", z, got)
			}
		}
	}
	z := NewZipf(math.MaxInt64, .5, 1)
	for k := range uint64(1000) {
		z.Topic(k) // ends, and fits in 32 bits
	}
}

// TestTopicsAreDistinct, as many as asked for or as there are, the same each
// time, behind what was there.
func TestTopicsAreDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 50).Draw(t, "count")
		z := NewZipf(count, rapid.Float64Range(0, MaxExponent).Draw(t, "exponent"), rapid.Uint64().Draw(t, "seed"))
		per := rapid.IntRange(-1, 60).Draw(t, "per client")
		client := rapid.Uint32().Draw(t, "client")
		got := z.AppendTopics([]uint32{7}, client, per)
		if want := 1 + min(max(per, 0), count); len(got) != want || got[0] != 7 {
			t.Fatalf("%v: want %d", got, want)
		}
		seen := map[uint32]bool{}
		for i, topic := range got[1:] {
			if seen[topic] || int(topic) >= count {
				t.Fatalf("topic %d of %v is there twice, or outside", i, got)
			}
			seen[topic] = true
		}
		for i, topic := range z.AppendTopics(nil, client, per) {
			if topic != got[1+i] {
				t.Fatal("another time, other topics")
			}
		}
	})
}

// TestTopicsOfClientsArePopularAlike: the first topic of each client has the
// publishes' distribution.
func TestTopicsOfClientsArePopularAlike(t *testing.T) {
	const clients = 100_000
	z := NewZipf(100, 1.1, 3)
	got := make([]float64, 100)
	var buf []uint32
	for c := range uint32(clients) {
		buf = z.AppendTopics(buf[:0], c, 2)
		got[buf[0]]++
	}
	chi := 0.0
	for r, w := range weights(100, 1.1) {
		d := got[r] - w*clients
		chi += d * d / (w * clients)
	}
	if chi > 99+3.1*math.Sqrt(2*99)+6 {
		t.Errorf("chi-square %.1f with 99 degrees of freedom", chi)
	}
}

func BenchmarkZipf(b *testing.B) {
	for _, exponent := range []float64{0, 1.1} {
		b.Run(fmt.Sprintf("exponent=%g", exponent), func(b *testing.B) {
			z := NewZipf(100_000, exponent, 7)
			sum, k := uint32(0), uint64(0)
			for b.Loop() {
				sum += z.Topic(k)
				k++
			}
			_ = sum
		})
	}
}
