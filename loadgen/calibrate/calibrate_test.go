package calibrate

import (
	"testing"
	"time"
)

// TestLoadgenTellsTheTruth is the quick calibration, with real processes. Times
// that are too long are the machine's affair here, where other work is going on:
// they are shown. What is counted, and what is shorter than it can be, fails.
func TestLoadgenTellsTheTruth(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT CALIBRATED: -short leaves out the runs against servers of known behaviour (half a minute)")
	}
	began := time.Now()
	rows, err := Run(t.Context(), tools(t), true, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteTable(t.Output(), rows); err != nil {
		t.Fatal(err)
	}
	t.Logf("it took %v", time.Since(began).Round(time.Second))
	for _, r := range rows {
		switch {
		case r.OK:
		case r.Timing && !r.Below:
			t.Logf("%s: %s is %s, expected %s: this machine is busy, or loadgen is slow", r.Case, r.What, r.Reported, r.Expected)
		default:
			t.Errorf("%s: %s is %s, expected %s (%s)", r.Case, r.What, r.Reported, r.Expected, r.Error)
		}
	}
}
