package coord

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestProcessOfAHook is found wherever it is printed, and however it is cut into
// pieces.
func TestProcessOfAHook(t *testing.T) {
	noise := strings.Repeat("starting ... \n", 10_000)
	for text, want := range map[string]int{
		"":                           0,
		"pid=4711":                   4711,
		"pid=4711\npid=4712\n":       4712,
		"roost is up (pid=99), done": 99,
		noise + "pid=5\n" + noise:    5,
		"ppid=7 pid=":                0,
		"ppidpid=7":                  0,
		"ppid=7\tpid=8 pid=x":        8,
		"pipid=1 pi pid=3":           3,
		"pid=99999999999999999999":   0,
		"pid=0":                      0,
		"pidpid=4 pid=pid=6":         6,
	} {
		var at, byByte output
		if _, err := io.WriteString(&at, text); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&byByte, iotest.OneByteReader(strings.NewReader(text))); err != nil {
			t.Fatal(err)
		}
		if at.process() != want || byByte.process() != want {
			t.Errorf("%.40q: %d and %d, want %d", text, at.process(), byByte.process(), want)
		}
		if got := at.text(); got != byByte.text() || len(got) > maxOutput+8 || !strings.HasSuffix(strings.TrimSpace(text), strings.TrimPrefix(got, "... ")) {
			t.Errorf("%.40q: the end is %.100q", text, got)
		}
	}
}
