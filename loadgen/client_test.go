package loadgen

import (
	"io"
	"testing"
	"unsafe"
)

// TestConnectionIsSmall: what a connection costs beside the poller's 32 bytes.
func TestConnectionIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(connState{}); n > 48 {
		t.Errorf("a connection has %d bytes, want at most 48", n)
	}
}

// TestSlowConnectionsMayBeCut: they are not the server's failure.
func TestSlowConnectionsMayBeCut(t *testing.T) {
	c := &client{s: &swarm{notify: make(chan struct{}, 1)}, lost: map[string]int{}, failed: map[string]int{}}
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

func TestWelcomeBeat(t *testing.T) {
	for msg, want := range map[string]uint32{
		`{"t":"welcome","sid":"x","hb":55000,"max":1}`: 55000,
		"\x01{\"hb\":30000}":                           30000,
		`{"t":"welcome","sid":"x"}`:                    0,
		`{"t":"msg","hb":5}`:                           0,
		`{"t":"welcome","hb":x,}`:                      0,
		`{"t":"welcome","hb":7`:                        0,
	} {
		beat, ok := welcomeBeat([]byte(msg))
		if ok != (want != 0) || ok && beat != want {
			t.Errorf("%q: %d, %v; want %d", msg, beat, ok, want)
		}
	}
}
