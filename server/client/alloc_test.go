//go:build !race

package client

import (
	"strconv"
	"testing"

	"roost/server/wire"
)

// TestNoAllocs: what comes often costs no garbage.
func TestNoAllocs(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e", 0)
	live := wire.AppendMessage(nil, wire.JSON, &wire.Message{Channel: []byte("all"), Payload: []byte(`{"v":1}`)})
	if n := testing.AllocsPerRun(100, func() {
		if r.on(c, live).Kind != Deliver {
			t.Fatal("not delivered")
		}
		r.s.Handled(r.now)
	}); n != 0 {
		t.Errorf("a live message: %v", n)
	}
	seq, buf, out := uint64(0), make([]byte, 0, 256), make([]byte, 0, 64)
	m := wire.Message{TTL: 60, ID: []byte("m1"), Payload: []byte("1")}
	for range 2 * remembered { // until the memory of ids is full
		m.ID = strconv.AppendUint(append(m.ID[:0], 'm'), seq, 10)
		seq++
		r.kept(c, seq, string(m.ID))
	}
	if n := testing.AllocsPerRun(100, func() {
		m.ID = strconv.AppendUint(append(m.ID[:0], 'n'), seq, 10)
		seq++
		m.Seq = seq
		buf = wire.AppendMessage(buf[:0], wire.JSON, &m)
		if r.on(c, buf).Kind != Deliver {
			t.Fatal("not delivered")
		}
		r.s.Handled(r.now)
		r.now = max(r.now, r.s.NextDeadline())
		if out, _ = r.s.OnTime(r.now, out[:0]); len(out) == 0 {
			t.Fatal("not acknowledged")
		}
	}); n != 0 {
		t.Errorf("a kept message and its acknowledgement: %v", n)
	}
}
