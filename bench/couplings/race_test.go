//go:build race

package couplings

const raceDetector = true
