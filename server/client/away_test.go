package client

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"roost/server/wire"
	"roost/server/ws"
)

func (r *rig) away(c Conn, in time.Duration, url string) {
	r.Helper()
	if e := r.on(c, wire.AppendAway(nil, r.form, 4001, int(in/time.Millisecond), url)); e.Kind != Away {
		r.Fatalf("away became %+v", e)
	}
}

// until wakes the session until it says how to go on about connecting.
func (r *rig) until() Next {
	r.Helper()
	for range 1000 {
		if _, next := r.wake(); next != (Next{}) {
			return next
		}
	}
	r.Fatal("it never says how to go on")
	return Next{}
}

// The successor is connected before the old connection ends, whose end then
// means nothing (rule 8 of the protocol, and "Going elsewhere").
func TestAwayMakesBeforeItBreaks(t *testing.T) {
	r := newRig(t, Saved{})
	old := r.connect("e", 0)
	r.kept(old, 1, "")
	slot := r.now + 8*time.Second
	r.away(old, 8*time.Second, "ws://n8:80")
	next := r.until()
	if next.Do != Reconnect || next.After != 0 || next.URL != "ws://n8:80" || next.Drop != 0 || r.now != slot {
		t.Fatalf("%v before the slot: %+v", slot-r.now, next)
	}
	successor := r.s.Begin()
	r.wantQuery(fmt.Sprintf(ident, "e", 1))
	if e := r.kept(old, 2, ""); e.Kind != Deliver || r.s.Current() != old {
		t.Fatalf("the old connection is still the current one: %+v", e)
	}
	if up, _ := r.wake(); up.Op != wire.OpAck || up.Seq != 2 {
		t.Fatalf("said %+v", up)
	}
	w := defaultWelcome("e", 1) // the node did not know of 2 yet
	e := r.on(successor, wire.AppendWelcome(nil, r.form, &w))
	if e.Kind != Welcome || e.Old != old || r.s.Current() != successor {
		t.Fatalf("got %+v", e)
	}
	if e := r.kept(old, 3, ""); e.Kind != Nothing {
		t.Fatalf("what the old one says counts for nothing: %+v", e)
	}
	if next := r.s.OnClosed(old, r.now, 4002, "replaced"); next != (Next{}) {
		t.Fatalf("4002 on it: %+v", next)
	}
	if next := r.s.OnLost(old, r.now); next != (Next{}) {
		t.Fatalf("its end: %+v", next)
	}
	if e := r.kept(successor, 2, ""); e.Kind != Nothing {
		t.Fatalf("2 again: %+v", e)
	}
	if e := r.kept(successor, 3, ""); e.Kind != Deliver {
		t.Fatalf("3: %+v", e)
	}
}

// An acknowledgement on the old connection overtakes the new request: the node says
// that what the request asks for is gone, but it was handled. What really is gone is
// told.
func TestWhatIsGone(t *testing.T) {
	for _, row := range []struct {
		epoch       string
		acked, gone uint64
	}{{"e", 2, 0}, {"e", 3, 4}, {"e", 7, 8}, {"f", 2, 3}} {
		r := newRig(t, Saved{})
		old := r.connect("e", 0)
		r.kept(old, 1, "")
		r.away(old, time.Second, "")
		r.until()
		successor := r.s.Begin()
		r.kept(old, 2, "")
		w := defaultWelcome(row.epoch, row.acked)
		w.Resumed, w.From = false, row.acked+1
		if e := r.on(successor, wire.AppendWelcome(nil, r.form, &w)); e.Kind != Welcome || e.Gone != row.gone {
			t.Errorf("2 are handled, the node has %s to %d acknowledged: %+v, want %d gone", row.epoch, row.acked, e, row.gone)
		}
	}
}

// 4002 can be read before the successor's welcome.
func TestAwayReplacedBeforeTheWelcome(t *testing.T) {
	r := newRig(t, Saved{})
	old := r.connect("e", 0)
	r.away(old, time.Second, "")
	r.until()
	successor := r.s.Begin()
	if next := r.s.OnClosed(old, r.now, 4002, ""); next != (Next{}) {
		t.Fatalf("got %+v", next)
	}
	w := defaultWelcome("e", 0)
	if e := r.on(successor, wire.AppendWelcome(nil, r.form, &w)); e.Kind != Welcome {
		t.Fatalf("got %+v", e)
	}
}

func TestAwayClosedBeforeTheSlot(t *testing.T) {
	for name, end := range map[string]func(r *rig, c Conn) Next{
		"4001": func(r *rig, c Conn) Next { return r.s.OnClosed(c, r.now, 4001, "") },
		"cut":  func(r *rig, c Conn) Next { return r.s.OnLost(c, r.now) },
		"4101": func(r *rig, c Conn) Next { return r.s.OnClosed(c, r.now, 4101, "") },
	} {
		r := newRig(t, Saved{})
		c := r.connect("e", 0)
		r.away(c, time.Minute, "")
		r.away(c, 30*time.Second, "ws://n8")
		r.away(c, 9*time.Second, "ws://n9")
		r.now += 2 * time.Second
		next := end(r, c)
		r.wantBetween(next, 7*time.Second, 7*time.Second)
		if next.URL != "ws://n9" {
			t.Errorf("%s: %+v", name, next)
		}
	}
}

func TestAwayClosedBehindTheSlot(t *testing.T) {
	r := newRig(t, Saved{})
	c := r.connect("e", 0)
	r.away(c, time.Second, "")
	r.now += 2 * time.Second
	next := r.s.OnClosed(c, r.now, 4001, "")
	r.wantBetween(next, 0, 0)
}

// A successor that cannot be reached does not cost the old connection.
func TestAwaySuccessorFails(t *testing.T) {
	r := newRig(t, Saved{})
	old := r.connect("e", 0)
	r.away(old, 0, "ws://n8")
	r.until()
	next := r.s.OnDialFailed(r.s.Begin(), r.now, 0)
	if next.Do != Reconnect || next.After > time.Second || next.URL != "" || r.s.Current() != old {
		t.Fatalf("got %+v", next)
	}
	if e := r.kept(old, 1, ""); e.Kind != Deliver {
		t.Fatalf("got %+v", e)
	}
	due := r.now + next.After
	if next := r.until(); next.Do != Reconnect || r.now != due {
		t.Fatalf("got %+v, %v late", next, r.now-due)
	}
	// It goes down while the second try is waited for: that keeps its time.
	next = r.s.OnDialFailed(r.s.Begin(), r.now, 0)
	r.wantBetween(r.s.OnClosed(old, r.now, 4001, ""), next.After, next.After)
}

// A node, or two, that send a device round in circles do not get it to spin.
func TestChurnIsBounded(t *testing.T) {
	for name, round := range map[string]func(r *rig){
		"away at once": func(r *rig) { r.away(r.s.Current(), 0, "") },
		"4001":         func(r *rig) { r.s.OnClosed(r.s.Current(), r.now, 4001, "") },
		"4002":         func(r *rig) { r.s.OnClosed(r.s.Current(), r.now, 4002, "") },
		"cut":          func(r *rig) { r.s.spread = 0; r.s.OnLost(r.s.Current(), r.now) },
		"hole":         func(r *rig) { r.kept(r.s.Current(), 9, "") },
		"nonsense":     func(r *rig) { r.on(r.s.Current(), []byte("x")) },
		"no welcome":   func(r *rig) { r.on(r.s.Begin(), []byte(`{"t":"hb","spread":0}`)) },
	} {
		r := newRig(t, Saved{})
		start, dials := r.now, 0
		for r.now < start+time.Hour {
			r.connect("e", 0)
			round(r)
			for r.s.Current() == 0 || r.s.is(waiting) {
				if next := r.until(); next.Do == Reconnect && next.Drop == 0 {
					break
				}
			}
			if dials++; dials > 250 {
				t.Errorf("%s: 250 dials in %v", name, r.now-start)
				break
			}
		}
	}
}

// A device that is told to go and then told where it belongs, three times within seconds, as where Redis loses
// everything again and again, is never without a dial in its slot.
func TestSentOnThreeTimes(t *testing.T) {
	r := newRig(t, Saved{})
	r.connect("e", 0)
	for i := range 3 {
		for hop := range 2 {
			old := r.s.Current()
			r.away(old, time.Second, "")
			from := r.now
			if next := r.until(); next.Do != Reconnect || r.now-from != time.Second && (i < 2 || hop == 0) {
				t.Fatalf("loss %d, hop %d: dialed %v after it was told: %+v", i, hop, r.now-from, next)
			}
			c := r.s.Begin()
			if hop == 1 { // the node that it leaves may be quicker than the one that it goes to
				if next := r.s.OnClosed(old, r.now, 4002, ""); next != (Next{}) {
					t.Fatalf("replaced: %+v", next)
				}
			}
			w := defaultWelcome("e", 0)
			r.on(c, wire.AppendWelcome(nil, r.form, &w))
		}
	}
}

// After a good connection the churn of before is forgotten: at once is at once.
func TestChurnIsForgotten(t *testing.T) {
	r := newRig(t, Saved{})
	for range 20 {
		r.s.OnClosed(r.connect("e", 0), r.now, 4001, "")
	}
	c := r.connect("e", 0)
	r.good(c)
	r.wantBetween(r.s.OnClosed(c, r.now, 4001, ""), 0, 0)
}

// The query of an away's address stays, so that the hop in it comes back to the nodes; and a node that could
// not be reached is named to the next one, until there is a welcome.
func TestAwayNamesWhoFailed(t *testing.T) {
	r := newRig(t, Saved{})
	old := r.connect("e", 0)
	r.away(old, 0, "ws://n8:8080/v1/connect?hop=1")
	if next := r.until(); next.URL != "ws://n8:8080/v1/connect?hop=1" {
		t.Fatalf("got %+v", next)
	}
	first := r.s.Begin()
	r.wantQuery(fmt.Sprintf(ident, "e", 0))
	r.s.OnDialFailed(first, r.now, 0)
	if next := r.until(); next.URL != "" {
		t.Fatalf("got %+v", next)
	}
	second := r.s.Begin()
	r.wantQuery(fmt.Sprintf(ident, "e", 0) + "&failed=n8:8080")
	r.s.OnDialFailed(second, r.now, 0)
	r.until()
	third := r.s.Begin()
	r.wantQuery(fmt.Sprintf(ident, "e", 0) + "&failed=n8:8080")
	w := defaultWelcome("e", 0)
	r.on(third, wire.AppendWelcome(nil, r.form, &w))
	r.s.OnLost(third, r.now)
	r.s.Begin()
	r.wantQuery(fmt.Sprintf(ident, "e", 0))
}

// A session that is sent on, from node to node, has one address at a time.
func TestAwayAfterAway(t *testing.T) {
	r := newRig(t, Saved{})
	old := r.connect("e", 0)
	for i := range 2 {
		url := fmt.Sprintf("ws://n%d", i)
		r.away(old, time.Second, url)
		if next := r.until(); next.URL != url {
			t.Fatalf("got %+v", next)
		}
		w := defaultWelcome("e", 0)
		next := r.s.Begin()
		if e := r.on(next, wire.AppendWelcome(nil, r.form, &w)); e.Kind != Welcome || e.Old != old {
			t.Fatalf("got %+v", e)
		}
		old = next
	}
}

// A node that does not hear that its device is with another one now does not keep the old connection for
// ever: the client closes it with 4000, behind what may still be under way there.
func TestClientClosesWhatWasReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type end struct {
			code ws.StatusCode
			at   time.Duration
		}
		ended := make(chan end, 1)
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.send(wire.AppendAway(nil, p.form, 4002, 1000, "ws://n8:99/v1/connect?hop=1"))
			code := p.end()
			ended <- end{code, time.Since(p.node.start)}
		}, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.keep("1")
			p.want(wire.OpAck)
			p.end()
		})
		d := start(t, n, Options{})
		if e := <-ended; e.code != ws.StatusCode(CloseBack) || e.at != time.Second+retireTime {
			t.Errorf("the old connection ended with %d after %v", e.code, e.at)
		}
		d.wantGot("1")
		d.stop()
		if n.count() != 2 {
			t.Errorf("%d dials", n.count())
		}
	})
}
