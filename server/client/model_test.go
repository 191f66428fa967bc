package client

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/server/wire"
)

// stream is a node's side of one device: what the document says about streams,
// in the simplest way. It can lose its memory of numbers.
type stream struct {
	epoch  int
	last   uint64            // number given
	acked  uint64            // by the device
	sent   uint64            // on this connection
	stored map[uint64]string // ids of what is not acknowledged, by number
}

func (n *stream) publish(id string) {
	n.last++
	n.stored[n.last] = id
}

func (n *stream) take(seq uint64) {
	for i := n.acked + 1; i <= seq; i++ {
		delete(n.stored, i)
	}
	n.acked = max(n.acked, seq)
}

// resume takes what a device says when it connects.
func (n *stream) resume(epoch string, seq uint64) wire.Welcome {
	w := wire.Welcome{SID: []byte(testSID), Heartbeat: 55_000, Spread: 7_500, Win: 8, Max: 65_536, Back: wire.Back{Base: 1000, Max: 120_000}}
	switch {
	case epoch == "":
		w.Resumed = n.last > 0
	case epoch != fmt.Sprint("e", n.epoch):
	case seq < n.acked:
		w.From = n.acked + 1
	case seq > n.last:
		n.lose()
	default:
		n.take(seq)
		w.Resumed = true
	}
	n.sent = n.acked
	w.Epoch, w.Seq, w.Acked = fmt.Sprint("e", n.epoch), n.last, n.acked
	return w
}

// lose forgets the numbers, and gives what is stored new ones.
func (n *stream) lose() {
	ids := make([]string, 0, len(n.stored))
	for i := n.acked + 1; i <= n.last; i++ {
		if id, ok := n.stored[i]; ok {
			ids = append(ids, id)
		}
	}
	*n = stream{epoch: n.epoch + 1, stored: map[uint64]string{}}
	for _, id := range ids {
		n.publish(id)
	}
}

// world is a device and a node, and all that the network does between them.
type world struct {
	*rapid.T
	rig
	node    stream
	conn    Conn
	ids     int
	named   bool // messages have ids; else the node never loses its numbers
	expired map[string]bool
	got     []string
}

func (w *world) send(msg []byte) {
	e := w.s.OnMessage(w.conn, w.now, msg, &w.down)
	switch e.Kind {
	case Deliver:
		w.got = append(w.got, string(w.down.Message.Payload))
		w.s.Handled(w.now)
	case Dropped:
		w.T.Fatalf("%s became %+v", msg, e)
	}
}

// sendKept sends the next of the stream, as far as the window lets.
func (w *world) sendKept() {
	n := &w.node
	if w.conn == 0 || n.sent == n.last || n.sent-n.acked >= 8 {
		return
	}
	n.sent++
	id, ok := n.stored[n.sent]
	if !ok {
		w.send(wire.AppendSkip(nil, w.form, n.sent, "ttl"))
		return
	}
	m := wire.Message{Seq: n.sent, TTL: 60, Payload: []byte(id)}
	if w.named {
		m.ID = m.Payload
	}
	w.send(wire.AppendMessage(nil, w.form, &m))
}

// pass lets time pass up to the next deadline, and does what is due; an
// acknowledgement may be lost with its connection.
func (w *world) pass() {
	at := w.s.NextDeadline()
	if at == never {
		w.T.Fatal("the device sleeps for ever")
	}
	w.now = max(w.now, at)
	out, next := w.s.OnTime(w.now, nil)
	if next.Drop != 0 {
		w.T.Fatalf("gave up: %+v", next)
	}
	if len(out) > 0 {
		var up wire.Up
		if err := wire.Parse(w.form, out, &up); err != nil {
			w.T.Fatal(err)
		}
		if up.HasSeq && up.Seq > w.node.sent {
			w.T.Fatalf("%v of %d, sent were %d", up.Op, up.Seq, w.node.sent)
		}
		if up.HasSeq {
			w.node.take(up.Seq)
		}
		if up.Op == wire.OpHeartbeat {
			w.send(wire.AppendHeartbeat(nil, w.form, 7_500, 0, wire.Ring{}))
		}
	}
	if next.Do == Reconnect {
		w.connect()
	}
}

func (w *world) connect() {
	c := w.s.Begin()
	saved := w.s.Saved()
	welcome := w.node.resume(saved.Epoch, saved.Seq)
	w.conn = c
	w.send(wire.AppendWelcome(nil, w.form, &welcome))
	if w.s.Current() != c {
		w.T.Fatalf("welcome %+v was not taken", welcome)
	}
}

func (w *world) publish() {
	w.ids++
	w.node.publish(fmt.Sprint(w.ids))
}

// expire lets one message run out of time before it was acknowledged.
func (w *world) expire() {
	if w.node.acked == w.node.last {
		return
	}
	i := rapid.Uint64Range(w.node.acked+1, w.node.last).Draw(w.T, "number")
	w.expired[w.node.stored[i]] = true
	delete(w.node.stored, i)
}

func (w *world) cut() {
	if w.conn != 0 {
		w.s.OnLost(w.conn, w.now)
		w.conn = 0
	}
}

// TestStreams: whatever is lost and comes again, the application gets every
// message once and in order, unless it has expired, and the node never hears
// an acknowledgement of what it has not sent.
func TestStreams(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{T: rt, node: stream{epoch: 1, stored: map[uint64]string{}}, expired: map[string]bool{}}
		w.rig.TB = t
		w.form = rapid.SampledFrom([]wire.Format{wire.JSON, wire.Binary}).Draw(rt, "form")
		w.named = rapid.Bool().Draw(rt, "named")
		w.s.Init("dev-1", w.form, Saved{}, rapid.Uint64().Draw(rt, "seed"))
		rt.Repeat(map[string]func(*rapid.T){
			"publish": func(*rapid.T) { w.publish() },
			"send":    func(*rapid.T) { w.sendKept() },
			"pass":    func(*rapid.T) { w.pass() },
			"cut":     func(*rapid.T) { w.cut() },
			"closed":  func(*rapid.T) { w.s.OnClosed(w.conn, w.now, 4001, ""); w.conn = 0 },
			"lose": func(t *rapid.T) {
				if !w.named {
					t.Skip("without ids nobody could know them again")
				}
				w.cut()
				w.node.lose()
			},
			"expire":   func(*rapid.T) { w.expire() },
			"replaced": func(*rapid.T) { w.connect() },
			"": func(*rapid.T) {
				if w.conn != w.s.Current() {
					w.T.Fatalf("connection %d, the session's is %d", w.conn, w.s.Current())
				}
			},
		})
		for len(w.node.stored) > 0 || w.node.acked < w.node.last {
			w.sendKept()
			w.pass()
		}
		w.verdict()
	})
}

func (w *world) verdict() {
	want := make([]string, 0, w.ids)
	for i := range w.ids {
		id := fmt.Sprint(i + 1)
		if !w.expired[id] || slices.Contains(w.got, id) {
			want = append(want, id)
		}
	}
	if !slices.Equal(w.got, want) {
		w.T.Fatalf("got %v, want %v", w.got, want)
	}
}

// TestSessionNeverSpins: on a connection on which nothing happens the session
// wakes once a heartbeat.
func TestSessionNeverSpins(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e", 0)
	start := r.now
	for range 100 {
		r.beat(c)
	}
	if d := r.now - start; d < 99*55*time.Second {
		t.Errorf("100 heartbeats in %v", d)
	}
}
