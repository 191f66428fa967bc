package ring

import (
	"math"
	"testing"

	"github.com/zeebo/xxh3"
)

// FuzzHash: ours is XXH3-64.
func FuzzHash(f *testing.F) {
	f.Add([]byte("device-000000001"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := range min(len(b), 20) {
			checkHash(t, b[:n])
		}
		checkHash(t, b)
	})
}

func checkHash(t *testing.T, b []byte) {
	if want := xxh3.Hash(b); HashBytes(b) != want || Hash(string(b)) != want {
		t.Fatalf("%q: %x and %x, XXH3-64 is %x", b, HashBytes(b), Hash(string(b)), want)
	}
}

// TestHashOfAllLengths hashes many keys of the lengths that are hashed here.
func TestHashOfAllLengths(t *testing.T) {
	b := make([]byte, 300)
	x := uint64(1)
	for n := range b {
		for range 200 {
			for i := range b[:n] {
				x = x*6364136223846793005 + 1442695040888963407
				b[i] = byte(x >> 56)
			}
			checkHash(t, b[:n])
		}
	}
}

// TestPointHash: the first outputs of SplitMix64 with seed 1234567, from the
// test vectors of its reference implementation.
func TestPointHash(t *testing.T) {
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		if got := pointHash(1234567, uint32(i)); got != want {
			t.Errorf("output %d is %d, want %d", i, got, want)
		}
	}
	if a, b := pointHash(math.MaxUint64, 0), pointHash(golden-1, 0); a == b {
		t.Error("seeds do not matter")
	}
}
