//go:build !race

package swarm

import (
	"strings"
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/loadgen/stamp"
	"roost/server"
	"roost/server/wire"
	"roost/server/ws"
)

// TestAllocDelivery: taking a message, reading it, comparing every byte and
// accounting for it costs no allocation, whether or not it is the same as the
// last one.
func TestAllocDelivery(t *testing.T) {
	node := startRoost(t)
	s := roostScenario([]*server.Server{node}, 2, ramp(2), publish(scenario.ToAll, 100_000, time.Hour))
	r := newRig(t, s, 1)
	r.run(0)
	w := r.workers[0]
	if err := w.Begin(1, r.clock.Now()+int64(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.do(func() {
		w.phase.begin = w.now() - int64(time.Second) // 100,000 are due, and the loop has no turn to send them
		w.phase.streams[0].rounds.ring = make([]course, maxRounds)
		w.advance(w.now())
		for i := range w.clients {
			if w.clients[i].state != ready {
				t.Fatal("not ready")
			}
		}
		n := uint32(0)
		var payload, text []byte
		var frames [2][]byte
		deliver := func() {
			payload = stamp.Append(append(payload[:0], '"'), &stamp.Stamp{Run: 42, Phase: 1, Number: n, Seq: n, Due: w.phase.begin, Sent: w.phase.begin}, 128)
			payload = append(payload, '"')
			n++
			text = wire.AppendMessage(text[:0], wire.JSON, &wire.Message{Payload: payload})
			for i := range frames {
				frames[i] = ws.AppendFrame(frames[i][:0], ws.OpText, text)
				pc := w.l.Conn(w.clients[i].conn)
				if k := w.Data(pc, frames[i]); k != len(frames[i]) {
					t.Fatalf("%d of %d bytes", k, len(frames[i]))
				}
			}
		}
		if got := testing.AllocsPerRun(2000, deliver); got != 0 {
			t.Errorf("%v allocations per message, want 0", got)
		}
		if c := w.rec.counts(0); c.Delivered != 2*uint64(n) || c.Wrong+c.Stray != 0 {
			t.Errorf("%+v", c)
		}
		w.phase.end = 0 // and nothing is sent
	})
}

// TestAllocSend: composing a message and its frame or request costs no
// allocation; the name of a device does, one.
func TestAllocSend(t *testing.T) {
	node := startRoost(t)
	for to, want := range map[scenario.Audience]float64{scenario.ToAll: 0, scenario.ToTopic: 0, scenario.ToDevice: 1, scenario.ToSelf: 0} {
		s := roostScenario([]*server.Server{node}, 1, publish(to, 1000, time.Hour))
		s.Topics = scenario.Topics{Count: 10, PerClient: 1, Prefix: "t"}
		if to == scenario.ToSelf {
			s.Target.Dialect, s.Target.Format = "plain", ""
		}
		r := newRig(t, s, 1)
		w := r.workers[0]
		if err := w.Begin(0, r.clock.Now()+int64(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.do(func() {
			st := w.phase.streams[0]
			got := testing.AllocsPerRun(1000, func() {
				size := 0
				if to == scenario.ToSelf {
					w.compose(st, st.send.n, st.number(st.send.n), 1)
					text, op := w.d.AppendFrame(w.text[:0], 0, &w.message)
					w.text = text
					w.out = ws.AppendMasked(w.out[:0], op, w.mask(), text)
				} else {
					_, size = w.appendRequest(st, request{st.send.n, 1})
					w.out = w.appendPost(w.out[:0], &w.apis[0])
				}
				w.sent(st, 0, 1, w.now(), st.batch, size)
				for range st.batch {
					st.pass()
				}
			})
			if got != want {
				t.Errorf("to %s: %v allocations per message, want %v", to, got, want)
			}
		})
	}
}

// TestAllocBatch: neither a request of many messages nor the answer to it costs
// an allocation.
func TestAllocBatch(t *testing.T) {
	node := startRoost(t)
	const batch = 10
	s := roostScenario([]*server.Server{node}, 1, keptPhase(scenario.Publish{To: scenario.ToAll, Batch: batch, Wait: time.Second}, 1000, time.Hour))
	r := newRig(t, s, 1)
	w := r.workers[0]
	if err := w.Begin(0, r.clock.Now()+int64(time.Hour)); err != nil {
		t.Fatal(err)
	}
	const one = `{"all":true,"status":"queued","receivers":10,"counts":{"written":8,"acknowledged":7,"queued":2}}`
	a := answer{status: 200, body: []byte(`{"results":[` + strings.Repeat(one+",", batch-1) + one + `]}`)}
	w.do(func() {
		st := w.phase.streams[0]
		got := testing.AllocsPerRun(1000, func() {
			_, size := w.appendRequest(st, request{st.send.n, 1})
			w.out = w.appendPost(w.out[:0], &w.apis[0])
			w.sent(st, 0, 1, w.now(), st.batch, size)
			w.postAnswered(&post{number: st.send.n, count: batch, due: 1}, &a)
			for range st.batch {
				st.pass()
			}
		})
		if got != 0 {
			t.Errorf("%v allocations per request", got)
		}
		if n := w.rec.counts(0); n.Acknowledged*3 != n.Unacknowledged*7 || n.Sent*7 != n.Acknowledged || n.Refused != 0 {
			t.Errorf("%+v", n)
		}
	})
}
