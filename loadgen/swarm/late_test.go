package swarm

import (
	"bytes"
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

// TestLateIsMissing: what comes after its deadline is a miss, and counts once.
func TestLateIsMissing(t *testing.T) {
	var held [][]byte
	f := &fake{}
	f.cast = func(conn, message int, payload []byte) [][]byte {
		switch {
		case conn == 0 && message == 3:
			held = append(held, bytes.Clone(payload))
			return nil
		case conn == 0 && message == 39:
			return append(held, payload)
		}
		return [][]byte{payload}
	}
	newFake(t, f)
	s := f.plain(2, ramp(2), publish(scenario.ToAll, 40, time.Second))
	s.Measure.Deadline = 500 * time.Millisecond
	r := newRig(t, s, 1)
	r.run(0)
	c := r.run(1)
	h := r.sum.Groups[0].Hists[tally.Delivery]
	if c.Late != 1 || c.Missing != 1 || c.Delivered != 79 || h.Misses != 1 || h.Count() != 80 {
		t.Errorf("%+v, %d misses of %d", c, h.Misses, h.Count())
	}
}
