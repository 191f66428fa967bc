package experiment

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestServe: a server by itself, ended in either way, and twice.
func TestServe(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	o := options(t, "")
	for _, kill := range []bool{false, true} {
		r, err := Serve(t.Context(), &o.Servers[0], filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		if words := r.Command(); r.PID() <= 0 || r.Ready() <= 0 || slices.Contains(words, "127.0.0.1:{port}") || len(words) != len(o.Servers[0].Command) {
			t.Errorf("process %d, ready after %v: %q", r.PID(), r.Ready(), words)
		}
		if kill {
			err = r.Kill()
		} else {
			_, err = r.Stop()
		}
		if err != nil {
			t.Error(err)
		}
		if end := r.Exit(); (end != nil) != kill {
			t.Errorf("killed %t, ended with %v", kill, end)
		}
		if remark, err := r.Stop(); remark != "" || err != nil || r.Kill() != nil {
			t.Errorf("once more: %q, %v", remark, err)
		}
	}
	if left := leftovers(t); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
