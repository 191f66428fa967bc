package delivery_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
)

func outcome(p *inbox.Put) delivery.Status { return delivery.Status(p.Outcome) }

// TestContract has a row for each rule of what delivery promises, on every store.
// Rows about crashes are for stores that outlive one.
func TestContract(t *testing.T) {
	for _, row := range []struct {
		name string
		run  func(t *testing.T, r *rig)
	}{
		{"1 stored before accepted, committed before sent", rowStoredFirst},
		{"1 a full disk accepts nothing, half or whole", rowFullDisk},
		{"2 sent in order of seq, not of the posts", rowOrder},
		{"3 acks are cumulative, and none is above what was sent", rowAck},
		{"4 expired before delivery: a skip closes the hole", rowSkip},
		{"5 a full inbox refuses and evicts nothing", rowInboxFull},
		{"6 the same id again answers with the first result", rowIdempotency},
		{"7 kept messages wait in the inbox while the socket is full", rowSlow},
		{"7 at most 32 are under way", rowWindow},
		{"8 the fence decides who is current", rowFence},
		{"resume: nothing said", rowResumeBare},
		{"resume: current epoch, acked <= seq <= last", rowResumeCurrent},
		{"resume: current epoch, seq < acked", rowResumeBehind},
		{"resume: current epoch, seq > last", rowResumeAhead},
		{"resume: another epoch", rowResumeOther},
		{"answers: written, queued, offline, unknown, acknowledged", rowAnswers},
		{"a message to many is stored once, and each has a number", rowSpread},
		{"a topic's members are remembered while they are away", rowTopic},
		{"removal drops what waits, and begins a new stream", rowRemoval},
	} {
		t.Run(row.name, func(t *testing.T) { eachStore(t, row.run) })
	}
}

func rowStoredFirst(t *testing.T, r *rig) {
	_, s := r.connect("d")
	p := r.publish("d", "a", "x", 60)
	if p.Verdict != inbox.Stored || p.Seq != 1 {
		t.Errorf("%+v", p)
	}
	if !r.durable() {
		return // it lives as long as the process
	}
	r.crash()
	d, again := r.connect("d", s.Epoch, 0)
	if !again.Resumed || again.Epoch != s.Epoch {
		t.Errorf("after the crash: %+v, before %+v", again, s)
	}
	r.want(d, "1 x")
	if p := r.publish("d", "a", "x", 60); p.Verdict != inbox.Duplicate || p.Seq != 1 {
		t.Errorf("repeated after the crash: %+v", p)
	}
}

func rowFullDisk(t *testing.T, r *rig) {
	d, _ := r.connect("d")
	if !r.durable() {
		return
	}
	r.full(true)
	p := &inbox.Put{Device: "d", Message: &inbox.Message{TTL: 60, ID: []byte("a"), Payload: []byte("x")}}
	if err := r.commit(p); !errors.Is(err, inbox.ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
	r.want(d)
	r.full(false)
	if p := r.publish("d", "a", "x", 60); p.Verdict != inbox.Stored || p.Seq != 1 {
		t.Errorf("room again: %+v", p)
	}
	r.want(d, "1 x")
}

func rowOrder(t *testing.T, r *rig) {
	d, _ := r.connect("d")
	r.hold = true
	r.publish("d", "", "a", 60)
	r.publish("d", "", "b", 60)
	r.publish("d", "", "c", 60)
	r.hold = false
	for _, i := range []int{2, 0, 1} {
		r.tasks[i](r.lane)
	}
	r.want(d, "1 a", "2 b", "3 c")
}

func rowAck(t *testing.T, r *rig) {
	d, _ := r.connect("d")
	for i := range 5 {
		r.publish("d", "", fmt.Sprint(i), 60)
	}
	if r.ack(d, 6) {
		t.Error("an acknowledgement of what was never sent was taken")
	}
	if !r.ack(d, 3) || !r.ack(d, 2) || !r.ack(d, 0) || !r.ack(d, 3) {
		t.Error("an acknowledgement was refused")
	}
	if c := r.store.Counts(); c.Acknowledged != 3 || c.InFlight != 2 {
		t.Errorf("%+v", c)
	}
}

func rowSkip(t *testing.T, r *rig) {
	d, s := r.connect("d")
	r.publish("d", "", "a", 60)
	r.ack(d, 1)
	r.leave(d)
	r.publish("d", "", "b", 1)
	r.publish("d", "", "c", 1)
	r.publish("d", "", "d", 60)
	r.later(2 * time.Second)
	d, again := r.connect("d", s.Epoch, 1)
	if !again.Resumed {
		t.Errorf("%+v", again)
	}
	r.want(d, "skip 3 ttl", "4 d")
	r.ack(d, 4)
	if c := r.store.Counts(); c.Expired != 2 || c.Acknowledged != 2 || c.InFlight != 0 {
		t.Errorf("%+v", c)
	}
}

func rowInboxFull(t *testing.T, r *rig) {
	d, _ := r.connect("d")
	r.leave(d)
	for i := range 1000 {
		if p := r.publish("d", "", fmt.Sprint(i), 60); p.Verdict != inbox.Stored {
			t.Fatalf("%d: %+v", i, p)
		}
	}
	if p := r.publish("d", "", "one more", 60); p.Verdict != inbox.Full {
		t.Errorf("the 1,001st: %+v", p)
	}
	d, _ = r.connect("d")
	if len(d.got) != delivery.Window || d.got[0] != "1 0" {
		t.Errorf("%q", d.got)
	}
	r.ack(d, 32)
	if p := r.publish("d", "", "there is room", 60); p.Verdict != inbox.Stored || p.Seq != 1001 {
		t.Errorf("after some were acknowledged: %+v", p)
	}
}

func rowIdempotency(t *testing.T, r *rig) {
	d, _ := r.connect("d")
	first := r.publish("d", "a", "x", 3600)
	again := r.publish("d", "a", "y", 3600)
	if again.Verdict != inbox.Duplicate || again.Seq != first.Seq || outcome(again) != outcome(first) {
		t.Errorf("%+v after %+v", again, first)
	}
	r.want(d, "1 x")
	if p := r.publish("d", "b", "y", 1); p.Verdict != inbox.Stored {
		t.Errorf("another id: %+v", p)
	}
	r.later(2 * time.Second)
	if p := r.publish("d", "b", "z", 60); p.Verdict != inbox.Stored {
		t.Errorf("the ttl of the first has passed: %+v", p)
	}
	r.later(9 * time.Minute)
	if p := r.publish("d", "a", "z", 60); p.Verdict != inbox.Duplicate {
		t.Errorf("after nine minutes: %+v", p)
	}
	r.later(2 * time.Minute)
	if p := r.publish("d", "a", "z", 60); p.Verdict != inbox.Stored {
		t.Errorf("after eleven minutes: %+v", p)
	}
}

func rowSlow(t *testing.T, r *rig) {
	d, _ := r.connect("d")
	d.full = true
	if p := r.publish("d", "", "a", 60); outcome(p) != delivery.StatusQueued {
		t.Errorf("%+v", p)
	}
	r.publish("d", "", "b", 60)
	r.want(d)
	d.full = false
	r.lane.Drained(&d.peer)
	r.want(d, "1 a", "2 b")
}

func rowWindow(t *testing.T, r *rig) {
	d, _ := r.connect("d")
	for i := range 40 {
		want := delivery.StatusWritten
		if i >= delivery.Window {
			want = delivery.StatusQueued
		}
		if p := r.publish("d", "", fmt.Sprint(i), 60); outcome(p) != want {
			t.Errorf("%d: %+v", i, p)
		}
	}
	if len(d.got) != delivery.Window {
		t.Errorf("%d are under way", len(d.got))
	}
	r.ack(d, 5)
	if len(d.got) != delivery.Window+5 {
		t.Errorf("%d have been sent after 5 were acknowledged", len(d.got))
	}
}

func rowFence(t *testing.T, r *rig) {
	old, _ := r.connect("d")
	r.publish("d", "", "a", 60)
	d, s := r.connect("d")
	if s.Old == 0 {
		t.Error("nobody was replaced")
	}
	if !r.ack(old, 1) {
		t.Error("a late acknowledgement is no crime")
	}
	if c := r.store.Counts(); c.Acknowledged != 0 {
		t.Errorf("a late acknowledgement has counted: %+v", c)
	}
	r.want(d, "1 a")
	r.publish("d", "", "b", 60)
	r.want(old, "1 a")
	r.want(d, "1 a", "2 b")
}

// history gives a device five messages, of which it has acknowledged two.
func (r *rig) history() delivery.Session {
	d, s := r.connect("d")
	for i := range 5 {
		r.publish("d", "", fmt.Sprint(i+1), 60)
	}
	r.ack(d, 2)
	r.leave(d)
	return s
}

func (r *rig) resumed(s delivery.Session, resumed bool, acked, from uint64) {
	r.t.Helper()
	if s.Resumed != resumed || s.Acked != acked || s.From != from || s.Last != 5 {
		r.t.Errorf("%+v; want resumed %v, acked %d, from %d, last 5", s, resumed, acked, from)
	}
}

func rowResumeBare(t *testing.T, r *rig) {
	if _, s := r.connect("new"); s.Resumed {
		t.Errorf("a device that nobody knows: %+v", s)
	}
	before := r.history()
	d, s := r.connect("d")
	r.resumed(s, true, 2, 0)
	r.want(d, "3 3", "4 4", "5 5")
	if s.Epoch != before.Epoch {
		t.Error("another epoch")
	}
}

func rowResumeCurrent(t *testing.T, r *rig) {
	before := r.history()
	d, s := r.connect("d", before.Epoch, 4)
	r.resumed(s, true, 4, 0)
	r.want(d, "5 5")
}

func rowResumeBehind(t *testing.T, r *rig) {
	before := r.history()
	d, s := r.connect("d", before.Epoch, 1)
	r.resumed(s, false, 2, 3)
	r.want(d, "3 3", "4 4", "5 5")
}

func rowResumeAhead(t *testing.T, r *rig) {
	before := r.history()
	d, s := r.connect("d", before.Epoch, 9)
	r.resumed(s, false, 2, 0)
	if s.Epoch == before.Epoch {
		t.Error("the epoch is the old one, though its history is lost")
	}
	r.want(d, "3 3", "4 4", "5 5")
	if _, again := r.connect("d", s.Epoch, 5); !again.Resumed {
		t.Errorf("in the new stream: %+v", again)
	}
}

func rowResumeOther(t *testing.T, r *rig) {
	r.history()
	d, s := r.connect("d", "k9", 4)
	r.resumed(s, false, 2, 0)
	r.want(d, "3 3", "4 4", "5 5")
}

func rowAnswers(t *testing.T, r *rig) {
	if p := r.publish("d", "", "x", 60); p.Verdict != inbox.Unknown {
		t.Errorf("never seen: %+v", p)
	}
	d, _ := r.connect("d")
	p := r.publish("d", "", "a", 60)
	if outcome(p) != delivery.StatusWritten {
		t.Errorf("connected: %+v", p)
	}
	w := r.hub.Wait(p)
	defer r.hub.Forget(w)
	r.ack(d, 1)
	select {
	case <-w.Done():
		if !w.Acked() {
			t.Error("it was acknowledged")
		}
	default:
		t.Error("who waits is not told")
	}
	r.leave(d)
	if p := r.publish("d", "", "b", 60); p.Verdict != inbox.Stored || outcome(p) != delivery.StatusOffline {
		t.Errorf("away: %+v", p)
	}
}

func rowSpread(t *testing.T, r *rig) {
	d1, _ := r.connect("d1")
	d2, _ := r.connect("d2")
	r.publish("d2", "", "before", 60)
	r.ack(d2, 1)
	away, _ := r.connect("d3")
	r.leave(away)
	s := &inbox.Spread{Message: &inbox.Message{TTL: 60, ID: []byte("all"), Payload: []byte("x")}}
	if err := r.commit(s); err != nil || s.Verdict != inbox.Stored || s.Receivers != 3 {
		t.Fatalf("%+v %v", s, err)
	}
	for i := range r.socks {
		c := delivery.Conn(i + 1)
		r.lane.OfferBody(c, s.Body, func(c delivery.Conn, seq uint64) delivery.Result { return r.Message(c, seq, s.Message) })
	}
	r.want(d1, "1 x")
	r.want(d2, "1 before", "2 x")
	back, _ := r.connect("d3")
	r.want(back, "1 x")
	if n := r.store.Remaining(s.Body); n != 3 {
		t.Errorf("%d wait for the body", n)
	}
	r.ack(d1, 1)
	r.ack(d2, 2)
	r.ack(back, 1)
	if n := r.store.Remaining(s.Body); n != 0 {
		t.Errorf("%d wait for the body", n)
	}
	again := &inbox.Spread{Message: s.Message}
	if err := r.commit(again); err != nil || again.Verdict != inbox.Duplicate || again.Receivers != 3 {
		t.Errorf("repeated: %+v %v", again, err)
	}
}

func rowTopic(t *testing.T, r *rig) {
	d, s := r.connect("d")
	if err := r.commit(&inbox.Subscription{Ref: s.Ref, Fence: s.Fence, Topic: "fw", On: true}); err != nil {
		t.Fatal(err)
	}
	r.leave(d)
	if r.durable() {
		r.crash()
	}
	if err := r.commit(&inbox.Spread{Topic: "fw", Message: &inbox.Message{TTL: 60, Payload: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	d, _ = r.connect("d")
	r.want(d, "1 x")
}

func rowRemoval(t *testing.T, r *rig) {
	before := r.history()
	rm := &inbox.Removal{Device: "d"}
	if err := r.commit(rm); err != nil || rm.Err != nil {
		t.Fatal(err, rm.Err)
	}
	if c := r.store.Counts(); c.Removed != 3 || c.InFlight != 0 {
		t.Errorf("%+v", c)
	}
	d, s := r.connect("d", before.Epoch, 2)
	if s.Resumed || s.Epoch == before.Epoch || s.Last != 0 {
		t.Errorf("%+v", s)
	}
	r.want(d)
}
