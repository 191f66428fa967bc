package tally

import (
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"
)

// TestEncodeIsHdrHistograms: what is written here is what the library reads, and
// says the same as what the library writes.
func TestEncodeIsHdrHistograms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := NewHist()
		for range rapid.IntRange(0, 50).Draw(t, "n") {
			h.RecordN(rapid.Int64Range(0, 2*MaxValue).Draw(t, "value"), uint64(rapid.Int64Range(1, 1<<40).Draw(t, "times")))
		}
		ours, err := hdrhistogram.Decode(h.encode(nil))
		if err != nil {
			t.Fatal(err)
		}
		b, err := h.h.EncodeV2()
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := hdrhistogram.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !ours.Equals(theirs) || ours.TotalCount() != h.h.TotalCount() {
			t.Fatalf("%d values, read back %d, by the library %d", h.h.TotalCount(), ours.TotalCount(), theirs.TotalCount())
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	h := NewHist()
	for i := range 2000 {
		h.Record(int64(i) * 50_000)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.encode(nil)
	}
}
