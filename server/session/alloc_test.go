//go:build !race

package session

import "testing"

func TestNoAllocs(t *testing.T) {
	r, id := NewRegistry(), []byte("device-0000001")
	out, _ := r.Register(id, 0, 1, 1, 1)
	if n := testing.AllocsPerRun(100, func() { r.Lookup(id) }); n != 0 {
		t.Errorf("Lookup allocates %v times", n)
	}
	buf := make([]byte, 0, MaxID)
	if n := testing.AllocsPerRun(100, func() { r.AppendID(buf, out.Ref, 1) }); n != 0 {
		t.Errorf("AppendID allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		out, _ := r.Register(id, 0, 2, 2, 1)
		r.Unregister(out.Ref, 2)
	}); n != 0 {
		t.Errorf("a reconnect allocates %v times", n)
	}
}
