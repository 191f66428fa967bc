//go:build !race

package loadgen

import (
	"runtime"
	"testing"
	"time"

	"roost/loadgen/plan"
	"roost/poller"
	"roost/server/ws"
)

// TestAllocDelivery: taking a broadcast costs no allocation.
func TestAllocDelivery(t *testing.T) {
	opt, err := Options{Mode: ModeBroadcast}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &swarm{opt: &opt, clock: clock{time.Now()}, notify: make(chan struct{}, 1)}
	c := &client{s: s, spare: new(ws.Parser), config: ws.Config{Role: ws.Client}}
	c.spare.Reset(&c.config)
	r := newReceiver(c, new(dues))
	r.readers, r.first = 1, 0
	r.tail = filler(120)
	r.rounds = append(r.rounds, make([]plan.Round, 2000)...)[:0]
	c.role = r
	st := c.conns.At(0)
	st.stage = stageReady
	round := uint32(0)
	payload := append(make([]byte, roundSize), r.tail...)
	frame := make([]byte, 0, 256)
	got := testing.AllocsPerRun(1000, func() {
		putHex(payload, round)
		round++
		frame = ws.AppendFrame(frame[:0], ws.OpText, payload)
		if n := c.Data(poller.Conn{}, frame); n != len(frame) {
			t.Fatalf("%d of %d bytes were taken", n, len(frame))
		}
	})
	if got != 0 {
		t.Errorf("%v allocations per delivery, want 0", got)
	}
	if n := c.n.delivered.Load(); n != uint64(round) || r.wrong+r.duplicate != 0 {
		t.Errorf("%d of %d deliveries counted, %d wrong, %d double", n, round, r.wrong, r.duplicate)
	}
}

// TestAllocEcho: an echo costs no allocation, on both sides together; what is
// left is the run's own.
func TestAllocEcho(t *testing.T) {
	s := startRoost(t)
	o := against(s, Options{Mode: ModeEcho, Connections: 100, Hold: 500 * time.Millisecond, PID: 0})
	o.PID = 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := mustRun(t, o)
	runtime.ReadMemStats(&after)
	const perRun = 30_000 // measured 12,000: handshakes, histograms, report
	n := after.Mallocs - before.Mallocs
	if limit := perRun + r.Echo.TotalSent/100; n > limit {
		t.Errorf("%d allocations for %d messages, want below %d", n, r.Echo.TotalSent, limit)
	}
	t.Logf("%d allocations for %d messages", n, r.Echo.TotalSent)
}
