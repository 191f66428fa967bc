package live

import (
	"errors"
	"strings"
	"testing"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

func frame() *Frame {
	return &Frame{At: 12300 * time.Millisecond, Scenario: "fan-out", Workers: 2, Phase: "hold", Index: 1, Phases: 3,
		State: "under way", Clients: 1000, Connected: 990, Goal: 1000, Point: result.Point{SentRate: 10, DeliveredRate: 9900, P50: 1_234_567, P99: 12_345_678, Max: tally.MissValue, ErrorRate: 2},
		Errors:     []result.ErrorLine{{Stage: "dial", Class: "ECONNREFUSED", Text: "connection refused", Count: 2, Advice: "start the server"}},
		Validity:   []result.Check{{Name: "send lag", Value: 42e6, Limit: 1e6, Unit: "ns", State: "fail", Text: "sent too late"}, {Name: "cpu", State: "pass", Text: "fine"}},
		Thresholds: []result.Threshold{{Text: "delivery.p99 < 50ms", Value: 60e6, State: "fail"}, {Text: "lost == 0", State: "pass"}}, Units: []string{"ns", "1"}}
}

// TestPlainSaysEachThingOnce: a line a second, and errors and failing checks
// when they are new.
func TestPlainSaysEachThingOnce(t *testing.T) {
	var b strings.Builder
	p := NewPlain(&b)
	p.Show(frame())
	p.Show(frame())
	if err := p.Done(nil); err != nil {
		t.Fatal(err)
	}
	line := "  12.3s hold  connected 990/1000  sent 10/s  delivered 9900/s  p50 1.23ms p99 12.3ms max never  errors 2/s\n"
	want := "phase 2/3 hold\n" + line +
		"  dial ECONNREFUSED: connection refused: start the server\n" +
		"  not valid so far: send lag 42 ms, want at most 1 ms: sent too late\n" +
		"  does not hold so far: delivery.p99 < 50ms, now 60 ms\n" + line
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// TestPlainReportsWhatItCouldNotWrite: at the end, once.
func TestPlainReportsWhatItCouldNotWrite(t *testing.T) {
	p := NewPlain(broken{})
	p.Show(frame())
	if err := p.Done(nil); err == nil || err.Error() != "disk full" {
		t.Errorf("got %v", err)
	}
}
