package probe

import "testing"

// TestBelow: a path in the working directory is told without it, others whole.
func TestBelow(t *testing.T) {
	t.Chdir("/usr")
	for path, want := range map[string]string{"/usr/bin/roostd": "bin/roostd", "/usrbin/roostd": "/usrbin/roostd", "/opt/roostd": "/opt/roostd", "": ""} {
		if got := below(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}
