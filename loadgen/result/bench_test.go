package result_test

import (
	"bytes"
	"testing"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
)

// BenchmarkLookup is what a threshold costs each second of a run: it merges
// the histograms of the phases, 0.3 ms each.
func BenchmarkLookup(b *testing.B) {
	r := sample.Make("storm")
	for b.Loop() {
		if _, ok, reason := r.Lookup("delivery.p99"); !ok {
			b.Fatal(reason)
		}
	}
}

// BenchmarkMetrics is all of them.
func BenchmarkMetrics(b *testing.B) {
	r := sample.Make("storm")
	for b.Loop() {
		r.Metrics()
	}
}

// BenchmarkDecode is what reading a file costs.
func BenchmarkDecode(b *testing.B) {
	var file bytes.Buffer
	if err := result.Encode(&file, sample.Make("million")); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		if _, err := result.Decode(bytes.NewReader(file.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
