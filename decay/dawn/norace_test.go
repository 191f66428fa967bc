//go:build !race

package dawn

const raceEnabled = false
