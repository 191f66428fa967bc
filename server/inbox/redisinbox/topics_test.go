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

// TestLatestReread: what Redis has and devices here were not sent counts when it is read the second time, and nothing has been
// said of the topic since.
func TestLatestReread(t *testing.T) {
	var l latest
	l.init(1 << 10)
	reread := func(value string, other bool, want string) {
		t.Helper()
		if got := l.reread("fw", value); got != other || l.values["fw"] != want {
			t.Errorf("%t and %q is here, want %t, %q", got, l.values["fw"], other, want)
		}
	}
	l.told("fw", "0000one")
	reread("1111one", false, "1111one") // the same, and a second older
	reread("0000two", false, "1111one")
	reread("0000two", true, "0000two")
	reread("0000two", false, "0000two")
	reread("0000three", false, "0000two")
	l.told("fw", "0000four")
	reread("0000three", false, "0000four")
	reread("0000four", false, "0000four")
	reread("0000three", false, "0000four")
	reread("0000three", true, "0000three")
	reread("", false, "")
	reread("0000five", false, "")
	reread("0000five", true, "0000five")
	l.max = 0
	reread("0000six", false, "0000five")
	reread("0000six", false, "") // there is no room
	reread("0000six", false, "")
	if len(l.unlike) > 1 {
		t.Errorf("%q is left", l.unlike)
	}
}
