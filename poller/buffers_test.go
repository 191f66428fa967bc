package poller

import "testing"

// TestBuffersTrim: what is in use stays from trim to trim, what is not goes.
func TestBuffersTrim(t *testing.T) {
	var p Buffers
	var all [][]byte
	for range 10 {
		all = append(all, p.Get(1000))
	}
	for _, b := range all {
		p.Put(b)
	}
	p.trim() // all were in use since the last one
	if p.kept != 10 {
		t.Fatalf("%d kept, want 10", p.kept)
	}
	for range 3 { // from now on two at a time
		a, b := p.Get(1000), p.Get(1000)
		p.Put(a)
		p.Put(b)
		p.trim()
	}
	if p.kept != 2 {
		t.Errorf("%d kept, want the 2 in use", p.kept)
	}
	p.trim()
	if p.kept != 0 || p.free[10] != nil {
		t.Errorf("%d kept, want none", p.kept)
	}
}
