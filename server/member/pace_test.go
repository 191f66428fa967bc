package member

import (
	"errors"
	"math"
	"testing"
	"time"

	"roost/server/cluster"
)

// TestHurry: times of what the cluster does by itself are shorter, and nothing else is;
// a pace of 1 changes nothing.
func TestHurry(t *testing.T) {
	var as, fast Join
	if err := errors.Join(as.Hurry(1), fast.Hurry(10)); err != nil {
		t.Fatal(err)
	}
	if as.Control != DefaultControl() || as.Trial != (cluster.TrialSettings{}).WithDefaults() {
		t.Errorf("a pace of 1: %+v, %+v", as.Control, as.Trial)
	}
	for what, row := range map[string]struct{ got, usual time.Duration }{
		"trial":            {fast.Trial.Hold, 5 * time.Minute},
		"longest trial":    {fast.Trial.Longest, 30 * time.Minute},
		"between weights":  {fast.Plan.WeightsEvery, 5 * time.Minute},
		"after a rollback": {fast.Plan.AfterRollback, 10 * time.Minute},
		"checks of zones":  {fast.Plan.Zones.Every, 30 * time.Second},
		"zones cool":       {fast.Plan.Zones.Slots.Cool, 5 * time.Minute},
		"steps of weights": {fast.Control.Live.Update, 10 * time.Minute},
	} {
		if row.got != row.usual/10 {
			t.Errorf("%s: %v, want a tenth of %v", what, row.got, row.usual)
		}
	}
	if fast.Plan.MostGone != as.Plan.MostGone || fast.Plan.Quiet != as.Plan.Quiet || fast.Trial.Least != as.Trial.Least || fast.Plan.Share != as.Plan.Share {
		t.Errorf("more than times of changes is different: %+v, %+v", fast.Plan, fast.Trial)
	}
	if err := errors.Join(fast.Plan.Validate(), fast.Trial.Validate()); err != nil {
		t.Error(err)
	}
	for _, pace := range []float64{0, -1, 0.5, MostPace + 1, math.NaN()} {
		if err := new(Join).Hurry(pace); !errors.Is(err, cluster.ErrOptions) {
			t.Errorf("a pace of %v: %v", pace, err)
		}
	}
}
