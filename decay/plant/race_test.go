//go:build race

package plant

const raceDetector = true
