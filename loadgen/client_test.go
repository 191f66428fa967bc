package loadgen

import (
	"io"
	"testing"
	"unsafe"

	device "roost/server/client"
)

// TestConnectionIsSmall: what a connection costs beside the poller's 32 bytes,
// and a device beside its name.
func TestConnectionIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(connState{}); n > 48 {
		t.Errorf("a connection has %d bytes, want at most 48", n)
	}
	if n := unsafe.Sizeof(device.Session{}); n > 176 {
		t.Errorf("a device has %d bytes more, want at most 176", n)
	}
}

// TestSlowConnectionsMayBeCut: they are not the server's failure.
func TestSlowConnectionsMayBeCut(t *testing.T) {
	c := &client{s: &swarm{opt: &Options{Mode: ModeEcho}, notify: make(chan struct{}, 1)}, lost: map[string]int{}, failed: map[string]int{}}
	slow, quick := connState{stage: stageReady, slow: true}, connState{stage: stageReady}
	for range 2 { // each ends once
		c.over(&slow, io.ErrUnexpectedEOF)
		c.over(&quick, io.ErrUnexpectedEOF)
	}
	if c.n.cut.Load() != 1 || c.n.lost.Load() != 1 || len(c.failed) != 0 || c.lost[io.ErrUnexpectedEOF.Error()] != 1 {
		t.Errorf("%d cut, %d lost %v, failed %v", c.n.cut.Load(), c.n.lost.Load(), c.lost, c.failed)
	}
}

func TestSlowShareIsEven(t *testing.T) {
	opt := Options{Slow: 0.1}
	s := &swarm{opt: &opt}
	n := 0
	for id := range uint32(1000) {
		if s.isSlow(id) {
			n++
		}
	}
	if n != 100 {
		t.Errorf("%d of 1000 are slow, want 100", n)
	}
}
