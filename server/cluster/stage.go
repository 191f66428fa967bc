package cluster

import "time"

// Stage is a part of the way from an event in etcd to routes that readers see.
type Stage uint8

// The stages. What a watch has brought is looked at as soon as it is there, so the
// clock starts with Capture.
const (
	Capture Stage = iota // event -> view
	Compute              // view -> rings built, reads of snapshots that the watch did not bring included
	Swap                 // rings -> the pointer that readers load
	Whole                // event -> swapped, what lay between the stages included
	NumStages
)

// String returns the stage's name.
func (s Stage) String() string {
	return [...]string{"capture", "compute", "swap", "whole", "?"}[min(s, NumStages)]
}

// StageFunc is told how long a stage took, from the goroutine of the watcher
// (Capture) or the router; it must not block. Nil is nobody.
type StageFunc func(Stage, time.Duration)

func (f StageFunc) took(s Stage, d time.Duration) {
	if f != nil {
		f(s, d)
	}
}
