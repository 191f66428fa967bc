package redisinbox

import "testing"

// TestLatestRead: a value that was read before another one was set does not take its place, also where reads overlap; one that is
// read afterwards does.
func TestLatestRead(t *testing.T) {
	var l latest
	l.init(1 << 10)
	has := func(want string) {
		t.Helper()
		if got := l.values["fw"]; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	l.begin()
	l.read("fw", "0000one")
	has("0000one")
	l.told("fw", "0000two")
	l.read("fw", "0000one")
	has("0000two")
	l.begin()
	l.end()
	l.read("fw", "0000one")
	has("0000two")
	l.told("fw", "") // removed
	l.read("fw", "0000two")
	has("")
	l.end()
	l.told("fw", "0000three")
	l.begin()
	l.read("fw", "0000four")
	has("0000four")
	if l.end(); len(l.newer) != 0 || l.reading != 0 {
		t.Errorf("%+v is left", l)
	}
}
