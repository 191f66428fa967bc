package coord

import (
	"slices"
	"testing"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
)

// TestNamesOfMetricsAreTaken: no phase or group can be called as metrics are, but
// for those two names that say what a phase does.
func TestNamesOfMetricsAreTaken(t *testing.T) {
	want := slices.DeleteFunc(result.FirstWords(), func(w string) bool { return w == "storm" || w == "silence" })
	got := slices.Clone(scenario.FamilyNames)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("scenario.FamilyNames has %q, and metrics begin with %q", got, want)
	}
}
