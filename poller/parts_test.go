package poller

import (
	"testing"
)

// TestCastKeyReplaces: of messages with one key only the last waits at a full
// socket; other keys and other messages keep their order and are not touched.
func TestCastKeyReplaces(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode, SendBuffer: 4 << 10, Limits: []Limits{{Messages: 6, Bytes: 1 << 20}}}, h.script())
		l := p.Loops()[0]
		client, name := h.connect(t, p, 4<<10, 1, false)
		results := make(chan CastResult, 32)
		do(t, l, func(l *Loop) {
			if r := l.Conn(name).Write(frame(1, 400<<10), Reliable); r != Queued {
				t.Errorf("blocking write: %d", r)
			}
			for id, key := range []uint32{7, 0, 8, 7, 7, 0} {
				l.Cast(Cast{Frames: variants(uint32(id+1), 100, 1), Class: Droppable, Key: key, Done: func(r CastResult) { results <- r }})
			}
		})
		for range 6 {
			if r := recv(t, "result", results); r != (CastResult{Queued: 1}) {
				t.Errorf("%+v, want queued", r)
			}
		}
		if n := p.Stats().Replaced; n != 2 {
			t.Errorf("%d replaced, want 2", n)
		}
		for _, id := range []uint32{1, 2<<4 | 1, 3<<4 | 1, 5<<4 | 1, 6<<4 | 1} {
			if got := client.next(t); got != id {
				t.Errorf("frame %#x, want %#x", got, id)
			}
		}
		client.close()
		recv(t, "gone", h.gone)
	})
}

// TestWriteParts cuts frames in two at every kind of place and sends them while
// the socket takes all, some or nothing: streams stay whole, and what is refused
// leaves nothing behind.
func TestWriteParts(t *testing.T) {
	h := newCaster()
	p := start(t, Options{SendBuffer: 4 << 10, Limits: []Limits{{Messages: 20, Bytes: 300 << 10}}}, h.script())
	l := p.Loops()[0]
	client, name := h.connect(t, p, 4<<10, 1, false)
	var sent []uint32
	full := 0
	do(t, l, func(l *Loop) {
		for id := uint32(1); id <= 60; id++ {
			size := 8 + int(id*id*7919%40_000)
			f := frame(id, size)
			cut := []int{0, 1, 8, size / 2, size - 1, size, max(0, size-smallTail)}[id%7]
			switch r := l.Conn(name).WriteParts(f[:cut:cut], f[cut:]); r {
			case Written, Queued:
				sent = append(sent, id)
			case Full:
				full++
			default:
				t.Errorf("frame %d: %d", id, r)
			}
		}
		if err := l.check(); err != nil {
			t.Error(err)
		}
	})
	if full == 0 || len(sent) < 10 {
		t.Errorf("%d sent, %d refused: the test wants both", len(sent), full)
	}
	for _, id := range sent {
		if got := client.next(t); got != id {
			t.Fatalf("frame %d, want %d", got, id)
		}
	}
	client.close()
	recv(t, "gone", h.gone)
	do(t, l, func(l *Loop) {
		if r := l.Conn(name).WriteParts([]byte("a"), []byte("b")); r != Gone {
			t.Errorf("after the end: %d", r)
		}
	})
}
