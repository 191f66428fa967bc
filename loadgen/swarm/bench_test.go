package swarm

import (
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/loadgen/stamp"
	"roost/server/ws"
)

// BenchmarkDelivery is what this side spends on a message to many from the read
// on: cutting the frame, comparing every byte, the account, three histograms and
// the course of the message.
func BenchmarkDelivery(b *testing.B) {
	const clients = 64
	f := newFake(b, &fake{})
	r := newRig(b, f.plain(clients, ramp(clients), publish(scenario.ToAll, 100_000, time.Hour)), 1)
	r.begin(0)
	r.await("ramp", func() bool { return r.progress().Connected == clients })
	r.finish(nil)
	w := r.workers[0]
	if err := w.Begin(1, r.clock.Now()+int64(time.Hour)); err != nil {
		b.Fatal(err)
	}
	w.do(func() {
		now := w.now()
		var payload, frame, copied []byte
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			k := uint32(n / clients)
			if n%clients == 0 {
				payload = stamp.Append(payload[:0], &stamp.Stamp{Run: 42, Phase: 1, Number: k, Seq: k, Due: now, Sent: now}, 128)
				frame = ws.AppendFrame(frame[:0], ws.OpText, payload)
				w.dueNext(w.phase.streams[0], now)
				w.phase.streams[0].rounds.emit(now, &w.rec)
				w.rec.t.Rounds = w.rec.t.Rounds[:0]
			}
			copied = append(copied[:0], frame...)
			w.Data(w.l.Conn(w.clients[n%clients].conn), copied)
		}
		if c := w.rec.counts(0); c.Delivered != uint64(b.N) {
			b.Errorf("%+v", c)
		}
		w.phase.end = 0
	})
}
