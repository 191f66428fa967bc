//go:build !race

package session

import "testing"

func TestNoAllocs(t *testing.T) {
	r := NewRegistry()
	r.Register(5+shards, 0, 1, 1, 1) // a neighbour, who keeps the chunk
	if n := testing.AllocsPerRun(100, func() {
		r.Register(5, 0, 2, 2, 1)
		r.Lookup(5)
		r.Unregister(5, 2)
	}); n != 0 {
		t.Errorf("a reconnect allocates %v times", n)
	}
}
