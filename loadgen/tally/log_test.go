package tally

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// TestLogIsRead: the library's own reader finds what was written.
func TestLogIsRead(t *testing.T) {
	h := NewHist()
	for i := range 1000 {
		h.Record(int64(i+1) * 1_000_000)
	}
	h.Miss(3)
	var b bytes.Buffer
	start := time.Date(2026, 11, 27, 2, 17, 0, 250e6, time.UTC)
	entries := []LogEntry{{"hold.some group,1.delivery", 10 * time.Second, time.Minute, h}, {"empty", 0, 0, nil}, {"also empty", 0, 0, NewHist()}}
	if err := WriteLog(&b, start, []string{"run\n x"}, entries); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if !strings.HasPrefix(text, "#run x\n") || !strings.Contains(text, "#[Misses: 3 of hold.some_group_1.delivery") {
		t.Errorf("%s", text)
	}
	r := hdrhistogram.NewHistogramLogReader(&b)
	got, err := r.NextIntervalHistogram()
	if err != nil || got == nil {
		t.Fatal(got, err)
	}
	if got.Tag() != "hold.some_group_1.delivery" || got.TotalCount() != 1000 || got.ValueAtQuantile(50) != h.h.ValueAtQuantile(50) {
		t.Errorf("%s: %d values, median %d", got.Tag(), got.TotalCount(), got.ValueAtQuantile(50))
	}
	if at := got.StartTimeMs(); at != start.Add(10*time.Second).UnixMilli() || got.EndTimeMs()-at != 60_000 {
		t.Errorf("from %d to %d", at, got.EndTimeMs())
	}
	if again, _ := r.NextIntervalHistogram(); again != nil {
		t.Errorf("another one: %v", again.Tag())
	}
	if h.h.Tag() != "" || h.Count() != 1003 {
		t.Error("the histogram was changed")
	}
}
