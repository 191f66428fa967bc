package main

import (
	"testing"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
)

// TestSearchFollowsRestarts: whichever process a server was named by, and however
// often it was restarted, the next run probes the one that is there.
func TestSearchFollowsRestarts(t *testing.T) {
	var s searching
	named := []int{10, 20}
	for _, left := range [][]int{{10, 20}, {11, 20}, {12, 20}, {12, 21}} {
		sc := &scenario.Scenario{Server: scenario.Server{PIDs: s.current(named)}}
		res := &result.Result{}
		for _, pid := range left {
			res.Servers = append(res.Servers, result.Server{PID: pid})
		}
		s.follow(sc, res)
		if got := s.current(named); got[0] != left[0] || got[1] != left[1] {
			t.Errorf("after a run that left %v: %v", left, got)
		}
	}
}
