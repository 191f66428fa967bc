//go:build !race

package fanout

import "testing"

func TestEnvelopeAllocs(t *testing.T) {
	e := full()
	b := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { b, _ = e.Append(b[:0]) }); n != 0 {
		t.Errorf("Append allocates %v times", n)
	}
	var d Envelope
	if n := testing.AllocsPerRun(100, func() { _ = d.Decode(b) }); n != 0 {
		t.Errorf("Decode allocates %v times", n)
	}
	s, origin := string(b), ""
	if n := testing.AllocsPerRun(100, func() { _, origin = peek(s) }); n != 0 {
		t.Errorf("peek allocates %v times", n)
	}
	if origin != "n1" {
		t.Errorf("peek says %q", origin)
	}
	r := Result{ID: 1 << 60, Status: 1}
	if n := testing.AllocsPerRun(100, func() { b = AppendResult(b[:0], r); r, _, _ = NextResult(b) }); n != 0 {
		t.Errorf("results allocate %v times", n)
	}
}
