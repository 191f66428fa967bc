//go:build race

package dawn

// raceEnabled says that tests run several times slower.
const raceEnabled = true
