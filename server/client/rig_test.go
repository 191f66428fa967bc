package client

import (
	"fmt"
	"testing"
	"time"

	"roost/server/wire"
)

// rig is a session in virtual time, with a node made by hand.
type rig struct {
	testing.TB
	s    Session
	now  time.Duration
	form wire.Format
	down wire.Down
}

const testSID = "0123456789abcdef"

func newRig(t testing.TB, saved Saved) *rig {
	r := &rig{TB: t, now: time.Hour}
	r.s.Init("dev-1", r.form, saved, 1)
	return r
}

// defaultWelcome is one of a stream that stands at acked.
func defaultWelcome(epoch string, acked uint64) wire.Welcome {
	return wire.Welcome{SID: []byte(testSID), Epoch: epoch, Seq: acked + 100, Acked: acked, Resumed: true, Heartbeat: 55_000,
		Spread: 7_500, Node: "n1", Max: 65_536, Win: 32, Back: wire.Back{Base: 1000, Max: 120_000}}
}

// welcome dials and gives a welcome.
func (r *rig) welcome(w wire.Welcome) Conn {
	r.Helper()
	c := r.s.Begin()
	if e := r.on(c, wire.AppendWelcome(nil, r.form, &w)); e.Kind != Welcome {
		r.Fatalf("welcome became %+v", e)
	}
	return c
}

func (r *rig) connect(epoch string, acked uint64) Conn {
	r.Helper()
	return r.welcome(defaultWelcome(epoch, acked))
}

func (r *rig) on(c Conn, msg []byte) Event { return r.s.OnMessage(c, r.now, msg, &r.down) }

// kept gives a kept message and has it handled.
func (r *rig) kept(c Conn, seq uint64, id string) Event {
	m := wire.Message{Seq: seq, TTL: 60, ID: []byte(id), Payload: []byte("1")}
	e := r.on(c, wire.AppendMessage(nil, r.form, &m))
	if e.Kind == Deliver {
		r.s.Handled(r.now)
	}
	return e
}

// beat lets the device send its heartbeat, whenever that is due, and answers.
func (r *rig) beat(c Conn) {
	r.Helper()
	for range 100 {
		said, _ := r.wake()
		if said.Op == wire.OpHeartbeat {
			if e := r.on(c, wire.AppendHeartbeat(nil, r.form, 7_500, 0, wire.Ring{})); e.Kind != Beat {
				r.Fatalf("answer became %+v", e)
			}
			return
		}
	}
	r.Fatal("no heartbeat")
}

// wake goes to the next deadline and returns what was said there: Op 31 for
// nothing.
func (r *rig) wake() (wire.Up, Next) {
	r.Helper()
	at := r.s.NextDeadline()
	if at == never {
		r.Fatal("nothing is due, ever")
	}
	r.now = max(r.now, at)
	out, next := r.s.OnTime(r.now, nil)
	up := wire.Up{Op: 31}
	if len(out) > 0 {
		if err := wire.Parse(r.form, out, &up); err != nil {
			r.Fatalf("said %q: %v", out, err)
		}
	}
	return up, next
}

// good makes the current connection one that lets failures be forgotten.
func (r *rig) good(c Conn) {
	r.Helper()
	r.beat(c)
	r.now += provenAfter
}

// query is what the next connection would say.
func (r *rig) query() string { return string(r.s.ConnectQuery(nil)) }

func (r *rig) wantQuery(want string) {
	r.Helper()
	if got := r.query(); got != want {
		r.Errorf("query %s, want %s", got, want)
	}
}

// wantBetween checks a wait.
func (r *rig) wantBetween(next Next, least, most time.Duration) {
	r.Helper()
	if next.Do != Reconnect || next.After < least || next.After > most {
		r.Errorf("got %+v; want to reconnect after %v to %v", next, least, most)
	}
	if r.s.NextDeadline() != r.now+next.After && r.s.Current() == 0 {
		r.Errorf("the session wakes after %v and said %v", r.s.NextDeadline()-r.now, next.After)
	}
}

func TestSessionIsSmall(t *testing.T) {
	if n := sizeOf[Session](); n > 176 {
		t.Errorf("%d bytes", n)
	}
}

func ExampleSession() {
	var s Session
	var d wire.Down
	s.Init("dev-1", wire.JSON, Saved{}, 1)
	c := s.Begin()
	fmt.Printf("GET /v1/connect?%s\n", s.ConnectQuery(nil))

	s.OnMessage(c, 0, []byte(`{"t":"welcome","sid":"0123456789abcdef","epoch":"k9","seq":1,"acked":0,"hb":55000,"win":32}`), &d)
	e := s.OnMessage(c, 0, []byte(`{"t":"msg","seq":1,"ttl":60,"ch":"fw/eu","p":{"v":2}}`), &d)
	if e.Kind == Deliver {
		fmt.Printf("%s: %s\n", d.Message.Channel, d.Message.Payload)
		s.Handled(0)
	}
	at := s.NextDeadline()
	out, _ := s.OnTime(at, nil)
	fmt.Printf("after %v: %s\n", at, out)

	next := s.OnClosed(c, time.Minute, 4001, "going down")
	fmt.Println(next.Do == Reconnect, next.After)
	// Output:
	// GET /v1/connect?device=dev-1
	// fw/eu: {"v":2}
	// after 200ms: {"t":"ack","seq":1}
	// true 0s
}
