package metrics

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSamples(t *testing.T) {
	var b strings.Builder
	w := NewWriter(&b)
	w.Sample(Closed, 2, "code", "4303")
	w.Sample(Closed, 1, "code", `od"d`)
	w.Sample(Devices, 1.5)
	want := `# HELP roost_closed_total Connections closed, by the close code that we sent (none: the peer ended it).
# TYPE roost_closed_total counter
roost_closed_total{code="4303"} 2
roost_closed_total{code="od\"d"} 1
# HELP roost_devices Devices connected now.
# TYPE roost_devices gauge
roost_devices 1.5
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
}

// TestSetIsExposition reads every line of the set by the grammar of the text
// format, and finds the histogram in it.
func TestSetIsExposition(t *testing.T) {
	s := NewSet()
	s.APIRequest("/v1/publish", 200, 3*time.Millisecond)
	s.PublishStage(1, 2500*time.Microsecond)
	s.RingStage(3, 9*time.Millisecond)
	s.RingStage(len(RingStages), time.Second) // of a later version: not counted
	var b strings.Builder
	s.Write(&b)
	line := regexp.MustCompile(`^(# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]*( .*)?|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? [-+0-9.eE]+(Inf|NaN)?)$`)
	for l := range strings.Lines(b.String()) {
		if l = strings.TrimSuffix(l, "\n"); !line.MatchString(l) {
			t.Errorf("not a line of the text format: %q", l)
		}
	}
	for _, want := range []string{
		`roost_api_request_seconds_bucket{route="/v1/publish",status="200",le="0.002"} 0`,
		`roost_api_request_seconds_bucket{route="/v1/publish",status="200",le="0.005"} 1`,
		`roost_api_request_seconds_count{route="/v1/publish",status="200"} 1`,
		`roost_publish_stage_seconds_bucket{stage="redis",le="0.002"} 0`,
		`roost_publish_stage_seconds_bucket{stage="redis",le="0.003"} 1`,
		`roost_ring_stage_seconds_count{stage="whole"} 1`,
		"# TYPE roost_ring_stage_seconds histogram",
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
}

// TestProcessMetrics: what boards and alerts ask of any process is there under the names
// that Prometheus' own client gives it, and has a value.
func TestProcessMetrics(t *testing.T) {
	var b strings.Builder
	NewSet().Write(&b)
	for _, name := range []string{"process_open_fds", "process_max_fds", "process_resident_memory_bytes", "process_cpu_seconds_total",
		"process_start_time_seconds", "go_goroutines", "go_memstats_heap_inuse_bytes"} {
		line := regexp.MustCompile(`(?m)^` + name + ` ([-+0-9.eE]+)$`).FindStringSubmatch(b.String())
		if line == nil {
			t.Errorf("no %s", name)
			continue
		}
		if v, err := strconv.ParseFloat(line[1], 64); err != nil || v < 0 || v == 0 && name != "process_cpu_seconds_total" {
			t.Errorf("%s", line[0])
		}
	}
}

// TestOpenFDs: what the kernel says is what a listing finds, and follows.
func TestOpenFDs(t *testing.T) {
	var c fdCount
	before, err := c.now()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := listed(fdFolder); err != nil || n != before+1 { // it lists its own
		t.Errorf("listed %d, %v; told %d", n, err, before)
	}
	s, err := os.Stat(fdFolder)
	if err != nil || s.Size() == 0 {
		t.Skip("this kernel does not tell the number of descriptors: they are listed")
	}
	for range 100 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if n, err := c.now(); err != nil || n != before+100 {
		t.Errorf("%d, %v; want %d more than %d", n, err, 100, before)
	}
}

func BenchmarkOpenFDs(b *testing.B) {
	var c fdCount
	for b.Loop() {
		if _, err := c.now(); err != nil {
			b.Fatal(err)
		}
	}
}
