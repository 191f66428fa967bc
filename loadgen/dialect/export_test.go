package dialect

import (
	"slices"
	"testing"
)

// SubjectNames returns the names of all real servers.
func SubjectNames() (names []string) {
	for name := range subjects() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// StartSubject runs one of them until the test ends, for tests that see this
// package from outside. url is where clients connect, api is empty without one.
func StartSubject(t *testing.T, name string) (dialect, format, url, api string) {
	s := subjects()[name](t)
	return s.dialect, s.cfg.Format, "ws://" + s.addr + s.cfg.Path, s.cfg.API
}
