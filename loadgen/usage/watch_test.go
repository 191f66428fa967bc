package usage

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestBackfill: a sleep that was 5 ms too long stands for four that did not
// happen.
func TestBackfill(t *testing.T) {
	for _, c := range []struct {
		late int64
		want []int64
	}{
		{-5, []int64{0}},
		{999_999, []int64{999_999}},
		{1_000_000, []int64{1_000_000}},
		{2_500_000, []int64{2_500_000, 1_500_000}},
		{5_000_000, []int64{5_000_000, 4_000_000, 3_000_000, 2_000_000, 1_000_000}},
	} {
		var got []int64
		backfill(c.late, int64(HiccupEvery), func(ns int64) { got = append(got, ns) })
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%d: %v, want %v", c.late, got, c.want)
		}
	}
}

func TestHiccupsAreRecordedUntilStopped(t *testing.T) {
	var n, sum atomic.Int64
	began := time.Now()
	enough := make(chan struct{}, 1)
	stop := WatchHiccups(HiccupEvery, func(ns int64) {
		if ns < 0 {
			t.Errorf("%d ns too late", ns)
		}
		sum.Add(ns)
		if n.Add(1) == 20 {
			enough <- struct{}{}
		}
	})
	<-enough
	stop()
	at := n.Load()
	if took := time.Since(began); took < 10*time.Millisecond {
		t.Errorf("%d sleeps in %v", at, took)
	}
	runtime.Gosched()
	if n.Load() != at {
		t.Error("it goes on after stop")
	}
}

func TestRuntimeSinceSeesTheCollector(t *testing.T) {
	before := ReadRuntime()
	nothing := func(ns int64, n uint64) { t.Errorf("nothing happened, and %d took %d ns", n, ns) }
	before.PausesSince(before, nothing)
	before.LatenciesSince(before, nothing)
	for range 3 {
		runtime.GC()
	}
	after := ReadRuntime()
	pauses, latencies, longest := uint64(0), uint64(0), int64(0)
	after.PausesSince(before, func(ns int64, n uint64) { pauses, longest = pauses+n, ns })
	after.LatenciesSince(before, func(_ int64, n uint64) { latencies += n })
	// A cycle stops all goroutines twice.
	if after.GCs < before.GCs+3 || pauses < 6 || longest <= 0 || longest > int64(time.Minute) || latencies == 0 {
		t.Errorf("%d cycles, %d pauses, the longest %d ns, %d latencies", after.GCs-before.GCs, pauses, longest, latencies)
	}
}

// TestHistogram: every bucket counts by its upper bound, and what an earlier
// reading had is left out.
func TestHistogram(t *testing.T) {
	bounds := []float64{math.Inf(-1), 0, 1e-6, 2e-6, 4e-6, 1e-3, math.Inf(1)}
	var got []string
	histogram{[]uint64{1, 2, 0, 3, 4, 5}, bounds}.each(func(ns int64, n uint64) { got = append(got, fmt.Sprintf("%dx%d", n, ns)) })
	if want := []string{"1x0", "2x1000", "3x4000", "4x1000000", "5x1000000"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.Uint64Range(0, 100), 6, 6).Draw(t, "before")
		more := rapid.SliceOfN(rapid.Uint64Range(0, 100), 6, 6).Draw(t, "more")
		sum := make([]uint64, 6)
		for i := range sum {
			sum[i] = a[i] + more[i]
		}
		if got := (histogram{sum, bounds}).sub(histogram{a, bounds}); !reflect.DeepEqual(got.counts, more) {
			t.Fatalf("%v - %v = %v", sum, a, got.counts)
		}
		if got := (histogram{sum, bounds}).sub(histogram{}); !reflect.DeepEqual(got.counts, sum) {
			t.Fatalf("%v - nothing = %v", sum, got.counts)
		}
	})
}

func TestSched(t *testing.T) {
	if r, d, ok := parseSchedstat("11 22 3\n"); r != 11 || d != 22 || !ok {
		t.Errorf("%v %v %v", r, d, ok)
	}
	for _, s := range []string{"", "1 2", "1 x 3"} {
		if _, _, ok := parseSchedstat(s); ok {
			t.Errorf("%q was taken", s)
		}
	}
	before, err := Process(0).Sched()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ { // until the scheduler has noticed that we work
		after, err := Process(os.Getpid()).Sched()
		if err != nil {
			t.Fatal(err)
		}
		if d := after.Sub(before); d.Run > 0 && d.Delay >= 0 && d.Threads > 0 {
			break
		}
	}
	if d := (Sched{1, 1, 1}).Sub(Sched{5, 5, 9}); d.Run != 0 || d.Delay != 0 || d.Threads != 1 {
		t.Errorf("%+v", d)
	}
	if _, err := Process(1 << 30).Sched(); err == nil {
		t.Error("a process that does not exist has threads")
	}
}
