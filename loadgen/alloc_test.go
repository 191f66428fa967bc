//go:build !race

package loadgen

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"roost/loadgen/plan"
	"roost/poller"
	device "roost/server/client"
	"roost/server/wire"
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

// TestAllocKept: taking a kept message, checking it, and acknowledging it with
// others costs no allocation.
func TestAllocKept(t *testing.T) {
	opt, err := Options{Mode: ModeKept, Connections: 1, API: "http://127.0.0.1:1"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKeptLoad(&opt, 7)
	if err != nil {
		t.Fatal(err)
	}
	s := &swarm{opt: &opt, clock: clock{time.Now()}, notify: make(chan struct{}, 1)}
	c := &client{s: s, spare: new(ws.Parser), config: ws.Config{Role: ws.Client}, rng: rand.NewPCG(1, 2)}
	s.clients, k.s = []*client{c}, s
	c.spare.Reset(&c.config)
	r := newKeeper(c, k)
	c.role = r
	st := c.conns.At(0)
	session := c.session(st)
	session.Init("lg-000001", wire.JSON, device.Saved{}, 1)
	st.conn, st.stage = session.Begin(), stageReady
	welcome := wire.Down{}
	if e := session.OnMessage(st.conn, c.since(), []byte(`{"t":"welcome","sid":"0123456789abcdef","epoch":"e","seq":0,"acked":0,"hb":55000,"win":32}`), &welcome); e.Kind != device.Welcome {
		t.Fatalf("%+v", e)
	}
	n := uint32(0)
	r.owing = make([]debt, 0, 4096)
	var id, text, frame []byte
	got := testing.AllocsPerRun(1000, func() {
		k.ledger.open(n).due.Store(1)
		putHex(k.payload[1:], n)
		id = append(append(id[:0], k.id...), k.payload[1:1+roundSize]...)
		text = wire.AppendMessage(text[:0], wire.JSON, &wire.Message{Seq: uint64(n) + 1, TTL: 60, ID: id, Payload: k.payload})
		frame = ws.AppendFrame(frame[:0], ws.OpText, text)
		n++
		if taken := c.Data(poller.Conn{}, frame); taken != len(frame) {
			t.Fatalf("%d of %d bytes were taken", taken, len(frame))
		}
	})
	if got != 0 {
		t.Errorf("%v allocations per message, want 0", got)
	}
	if c.n.delivered.Load() != uint64(n) || r.wrong+r.duplicate+r.disorder != 0 {
		t.Errorf("%d of %d messages counted, %d wrong, %d double, %d out of order", c.n.delivered.Load(), n, r.wrong, r.duplicate, r.disorder)
	}
}
