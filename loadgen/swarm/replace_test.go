package swarm

import (
	"testing"
	"time"

	"roost/loadgen/dialect"
	"roost/loadgen/scenario"
	"roost/server/ws"
)

// moving is the plain dialect with a server that sends its clients elsewhere: at
// the message "away" they make a new connection before the old one ends.
type moving struct {
	dialect.Dialect
	connected map[uint32]bool
}

func (m *moving) Opened(i uint32, _ uint8, _ time.Duration, s dialect.Sink) {
	s.Ready(true)
	if m.connected[i] {
		s.Replaced()
	}
	m.connected[i] = true
}

func (m *moving) Message(i uint32, c uint8, now time.Duration, op ws.OpCode, payload []byte, s dialect.Sink) {
	if string(payload) == "away" {
		s.Redial(5 * time.Millisecond)
		return
	}
	m.Dialect.Message(i, c, now, op, payload, s)
}

func (m *moving) Closed(uint32, uint8, time.Duration, dialect.End) time.Duration { return -1 }

// TestConnectionsAreReplacedWithoutAGap: both connections count, and no message
// that came on the old one or the new one is lost.
func TestConnectionsAreReplacedWithoutAGap(t *testing.T) {
	f := newFake(t, &fake{})
	s := f.plain(20, ramp(20), publish(scenario.ToAll, 300, 400*time.Millisecond))
	s.Reconnect.Policy = scenario.PolicyDialect
	r := newRig(t, s, 1)
	w := r.workers[0]
	w.do(func() { w.d = &moving{w.d, map[uint32]bool{}} })
	r.run(0)
	r.begin(1)
	r.await("begin", func() bool { return r.tick().Total().Delivered > 100 })
	f.mu.Lock()
	for i, c := range f.conns {
		if i%2 == 0 {
			c.Write(ws.AppendFrame(nil, ws.OpText, []byte("away")))
		}
	}
	f.mu.Unlock()
	r.await("replacement", func() bool { return r.progress().PlanDone && r.tick().Total().Ready == 30 })
	// The old ones are still there; the server lets them go, or has two seconds.
	f.cut(func(i int) bool { return i < 10 && i%2 == 0 })
	await(t, "ends", func() bool { return f.alive() == 20 }, f.alive)
	r.await("ends", func() bool { return r.tick().Total().Ended == 10 })
	r.finish(r.settled())
	c := r.sum.Total()
	r.conserve(c)
	if c.Redials != 10 || c.Restored != 10 || c.Resumed != 10 || c.Lost != 0 || r.progress().Connected != 20 {
		t.Errorf("%+v", c)
	}
	if c.Expected != 20*120 || c.Delivered != 20*120 {
		t.Errorf("%+v", c)
	}
}
