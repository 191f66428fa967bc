//go:build !race

package stamp

import "testing"

// TestAllocPerMessage: nothing is allocated per message.
func TestAllocPerMessage(t *testing.T) {
	s := Stamp{Run: 1, Number: 2}
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(1000, func() { buf = Append(buf[:0], &s, 300) }); n != 0 {
		t.Errorf("Append allocates %v times", n)
	}
	frame := append([]byte(`{"m":"`), buf...)
	if n := testing.AllocsPerRun(1000, func() {
		p := Find(frame)
		if _, err := Parse(p, 1); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Find and Parse allocate %v times", n)
	}
}
