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

// TestWorkerToldLate: what comes of a phase before the worker is told of it is of that phase: nothing is missing.
func TestWorkerToldLate(t *testing.T) {
	f := newFake(t, &fake{})
	r := newRig(t, f.plain(40, ramp(40), publish(scenario.ToAll, 300, 200*time.Millisecond)), 2)
	r.run(0)
	at := r.clock.Now() + int64(5*time.Millisecond)
	if err := r.workers[0].Begin(1, at); err != nil {
		t.Fatal(err)
	}
	await(t, "messages", func() bool { return f.sent(10) }, r.progress)
	behind, conns := f.pingAll()
	await(t, "everybody has them", func() bool { return f.answers(behind) == conns }, r.progress)
	if err := r.workers[1].Begin(1, at); err != nil {
		t.Fatal(err)
	}
	r.await("plan of phase", func() bool { return r.progress().PlanDone })
	r.finish(r.settled())
	c := r.sum.Total()
	r.conserve(c)
	if c.Expected != 40*60 || c.Delivered != c.Expected || c.Late != 0 || c.Stray != 0 {
		t.Errorf("%+v", c)
	}
}
