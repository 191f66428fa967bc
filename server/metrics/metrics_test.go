package metrics

import (
	"regexp"
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
