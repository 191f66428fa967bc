package probe

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"roost/loadgen/result"
)

func TestParseMetrics(t *testing.T) {
	const page = `# HELP go_goroutines x
# TYPE go_goroutines gauge
go_goroutines 12
go_goroutines_other 99
process_cpu_seconds_total 1.5 1395066363000
process_resident_memory_bytes{job="a} b"} 1.2e+07
go_gc_pauses_seconds_bucket{le="0.001"} 3
go_gc_pauses_seconds_bucket{le="+Inf",x="y"} 4
go_gc_pauses_seconds_bucket{vmrange="1...2"} 4
go_gc_duration_seconds_count NaN
go_memstats_heap_alloc_bytes
go_memstats_stack_inuse_bytes x
go_gc_heap_live_bytes{

`
	got, err := parseMetrics(strings.NewReader(page))
	want := metrics{"go_goroutines": 12, "process_cpu_seconds_total": 1.5, "process_resident_memory_bytes": 1.2e7,
		pauseBuckets + " 0.001": 3, pauseBuckets + " +Inf": 4}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if _, err := parseMetrics(strings.NewReader(strings.Repeat("x", 2<<20))); err == nil {
		t.Error("a line without end was taken")
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add(`go_gc_pauses_seconds_bucket{le="0.001"} 3`)
	f.Add("process_cpu_seconds_total 1.5 1395066363000")
	f.Add("go_goroutines{} }")
	f.Fuzz(func(t *testing.T, line string) {
		name, value, ok := parseLine(line)
		if ok && (name == "" || math.IsNaN(value)) {
			t.Errorf("%q: %q %v", line, name, value)
		}
	})
}

func TestLevelsOfMetrics(t *testing.T) {
	for _, c := range []struct {
		m    metrics
		heap int64
	}{
		{metrics{"go_memstats_heap_alloc_bytes": 9}, 9},
		{metrics{"go_memstats_heap_alloc_bytes": 9, "go_gc_heap_live_bytes": 5}, 5},
		{metrics{"go_memstats_heap_alloc_bytes": math.Inf(1)}, -1},
		{metrics{"go_memstats_heap_alloc_bytes": -3}, -1},
		{nil, -1},
	} {
		l := unknown()
		if l.fromMetrics(c.m); l.Heap != c.heap || l.Goroutines != -1 {
			t.Errorf("%v: %+v", c.m, l)
		}
	}
}

func TestLongestPause(t *testing.T) {
	page := func(counts ...float64) metrics {
		m := metrics{}
		for i, bound := range []string{"0.0001", "0.001", "0.01", "+Inf"} {
			m[pauseBuckets+" "+bound] = counts[i]
		}
		return m
	}
	for _, c := range []struct {
		from, to metrics
		want     time.Duration
	}{
		{nil, nil, 0},
		{nil, page(0, 0, 0, 0), 0},
		{page(1, 2, 3, 4), page(1, 2, 3, 4), 0},
		{page(1, 2, 3, 4), page(2, 3, 4, 5), 100 * time.Microsecond},
		{page(1, 2, 3, 4), page(1, 3, 4, 5), time.Millisecond},
		{page(1, 2, 3, 4), page(5, 6, 8, 9), 10 * time.Millisecond},
		{page(1, 2, 3, 4), page(1, 2, 3, 5), 10 * time.Millisecond}, // longer than the last bound: at least it
		{nil, page(0, 1, 1, 1), time.Millisecond},
	} {
		if got := longestPause(c.from, c.to); got != c.want {
			t.Errorf("%v to %v: %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

// TestDifference: sums are from the begin after one collection to the end before
// the next; another process began with nothing.
func TestDifference(t *testing.T) {
	before := reading{ok: true, pid: 1, started: 5, end: sums{cpu: 1}, begin: sums{cpu: 10, softirq: 3, gcs: 2}, levels: levels{RSS: 7}}
	after := reading{ok: true, pid: 1, started: 5, end: sums{cpu: 110, softirq: 4, gcs: 5}, begin: sums{cpu: 999}, levels: levels{RSS: 8}}
	if u := difference(&before, &after); u.CPU != 100 || u.Softirq != 1 || u.GCs != 3 || u.RSS != 8 {
		t.Errorf("%+v", u)
	}
	after.started = 6
	if u := difference(&before, &after); u.CPU != 110 || u.Softirq != 1 || u.GCs != 5 {
		t.Errorf("another process: %+v", u)
	}
	before.ok = false
	if u := difference(&before, &after); u.CPU != 0 || u.RSS != 8 {
		t.Errorf("not read before: %+v", u)
	}
	if u := difference(&reading{}, &reading{}); u.RSS != -1 || u.Files != -1 {
		t.Errorf("never read: %+v", u)
	}
}

// TestSlope: what a server occupies without connections drops out.
func TestSlope(t *testing.T) {
	use := func(n int) result.ServerUse {
		return result.ServerUse{RSS: int64(10e6 + 300*n), PSS: -1, Heap: int64(2e6 + 100*n), Stacks: 500_000, Slab: int64(8100 * n), Sock: 0}
	}
	counts := []int{0, 1000, 5000, 5000}
	var uses []result.ServerUse
	for _, n := range counts {
		uses = append(uses, use(n))
	}
	got := Slope(counts, uses)
	for kind, want := range map[string]float64{"rss": 300, "heap": 100, "stacks": 0, "slab": 8100, "sock": 0} {
		if math.Abs(got[kind]-want) > 1e-6 {
			t.Errorf("%s: %v, want %v", kind, got[kind], want)
		}
	}
	if _, there := got["pss"]; there || len(got) != 5 {
		t.Errorf("%v", got)
	}
	if Slope([]int{1, 2, 2}, uses) != nil || Slope(nil, nil) != nil {
		t.Error("two counts make a slope")
	}
}
