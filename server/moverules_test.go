package server

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/presence"
)

// TestWhoSheds: only a node that has been cut off for long, from what at least half of the cluster reaches.
func TestWhoSheds(t *testing.T) {
	long := time.Minute
	for _, tt := range []struct {
		v    sight
		want bool
	}{
		{sight{}, false},
		{sight{cut: 9 * time.Second, etcd: true, well: 2}, false},
		{sight{cut: 10 * time.Second, etcd: true, well: 2}, true},
		{sight{cut: long, etcd: true, well: 1}, true},
		{sight{cut: long, etcd: false, well: 2}, false},          // who knows
		{sight{cut: long, etcd: true}, false},                    // nobody says anything
		{sight{cut: long, etcd: true, ill: 2}, false},            // Redis is down for all
		{sight{cut: long, etcd: true, well: 1, ill: 1}, false},   // one cannot take the devices of two
		{sight{cut: long, etcd: true, well: 2, ill: 1}, true},    // two of four can
		{sight{cut: long, etcd: true, well: 49, ill: 50}, false}, // nobody knows who has lost whom
	} {
		if got := tt.v.sheds(shedAfter); got != tt.want {
			t.Errorf("%+v: %v", tt.v, got)
		}
	}
}

// TestOthers: those count that are there, are not this node, and say something.
func TestOthers(t *testing.T) {
	yes, no := `{"redis":true}`, `{"redis":false}`
	v := &cluster.View{Members: map[string]cluster.Member{"n1": {}, "n2": {}, "n3": {}, "n4": {}, "n5": {}, "held": {}},
		Held: map[string]time.Time{"held": time.Now()},
		Weights: map[string]cluster.Weight{"n1": {Inputs: json.RawMessage(yes)}, "n2": {Inputs: json.RawMessage(yes)}, "n3": {Inputs: json.RawMessage(no)},
			"n4": {}, "n5": {Inputs: json.RawMessage(`[`)}, "held": {Inputs: json.RawMessage(yes)}, "gone": {Inputs: json.RawMessage(yes)}}}
	if well, ill := others(v, "n1"); well != 1 || ill != 1 {
		t.Errorf("%d reach it, %d do not", well, ill)
	}
}

// TestPacer: slots at a node are as far apart as its rate says, and those of another node are its own.
func TestPacer(t *testing.T) {
	var p pacer
	now := time.Now()
	for i := range 10 {
		if at := p.slot("a", now, 100); at != now.Add(time.Duration(i)*10*time.Millisecond) {
			t.Errorf("slot %d after %v", i, at.Sub(now))
		}
	}
	if at := p.slot("b", now, 100); at != now {
		t.Errorf("another node's slot after %v", at.Sub(now))
	}
	late := now.Add(time.Second)
	if at := p.slot("a", late, 100); at != late {
		t.Errorf("free slots are not saved up: %v", at.Sub(late))
	}
	p.forget()
	if at := p.slot("a", now, 100); at != now {
		t.Errorf("after %v", at.Sub(now))
	}
	for i := range 3 * pacedNodes {
		p.slot(fmt.Sprint(i), now.Add(time.Duration(i)*time.Second), 100)
	}
	if len(p.next) > pacedNodes+1 {
		t.Errorf("%d nodes are remembered", len(p.next))
	}
}

func TestURLWithHop(t *testing.T) {
	for in, want := range map[string]string{
		"ws://h:1":                "ws://h:1/v1/connect?hop=2",
		"wss://h/":                "wss://h/v1/connect?hop=2",
		"ws://h:1/v1/connect":     "ws://h:1/v1/connect?hop=2",
		"ws://h/a/v1/connect?x=1": "ws://h/a/v1/connect?x=1&hop=2",
	} {
		if got := urlWithHop(in, 2); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// TestNewlyOwned: told are those that were mine and are not, and those that another version is about.
func TestNewlyOwned(t *testing.T) {
	active := func(version uint64, id string) *cluster.Active {
		r, err := ring.Build(version, []ring.Node{{ID: id, Weight: 1}}, ring.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return &cluster.Active{Routes: ring.NewRoutes(r, nil, 0), Pointer: cluster.Pointer{Stable: version}}
	}
	none := &cluster.Active{Routes: ring.NewRoutes(nil, nil, 0)}
	for _, tt := range []struct {
		before, now *cluster.Active
		want        bool
	}{
		{active(1, "me"), active(2, "me"), false},
		{active(1, "me"), active(2, "you"), true},
		{active(1, "you"), active(1, "you"), false},
		{active(1, "you"), active(2, "you"), true},
		{active(1, "you"), active(2, "me"), false},
		{none, active(1, "you"), true},
	} {
		if got := newlyOwned(tt.before, tt.now, "me", []byte("d")); got != tt.want {
			t.Errorf("%d to %d: %v", tt.before.Pointer.Stable, tt.now.Pointer.Stable, got)
		}
	}
}

// TestHomeward: who came without the store is called back at once, and ever more seldom if that does not help.
func TestHomeward(t *testing.T) {
	var b backoff
	now, last := time.Now(), time.Duration(0)
	for _, want := range []time.Duration{0, 15 * time.Second, 45 * time.Second, 105 * time.Second, 225 * time.Second, 345 * time.Second} {
		if at := now.Add(want - time.Nanosecond); want > 0 && b.due(at, homeFirst) {
			t.Errorf("due before %v", want)
		}
		if !b.due(now.Add(want), homeFirst) {
			t.Errorf("not due after %v, the one before was after %v", want, last)
		}
		last = want
	}
}

// TestDoorsRest: the store is left alone for a while after it has not answered, and one of all who notice says so.
func TestDoorsRest(t *testing.T) {
	var d doors
	now := time.Now()
	if d.resting(now) {
		t.Error("resting at first")
	}
	if !d.failed(now) || d.failed(now) || d.failed(now.Add(restFor/2)) {
		t.Error("said not once")
	}
	if !d.resting(now.Add(restFor)) || d.resting(now.Add(2*restFor)) {
		t.Error("it rests from the last failure on")
	}
	if !d.failed(now.Add(2 * restFor)) {
		t.Error("another failure is news")
	}
}

// TestByAnother: only a later session of another client makes a connection stay away.
func TestByAnother(t *testing.T) {
	for _, tt := range []struct {
		r    presence.Record
		want bool
	}{
		{presence.Record{}, false},
		{presence.Record{Hold: presence.Held, Fence: 8, SID: 1}, false}, // it has moved
		{presence.Record{Hold: presence.Held, Fence: 8, SID: 2}, true},
		{presence.Record{Hold: presence.Left, Fence: 9, SID: 2}, true},
		{presence.Record{Hold: presence.Held, Fence: 7, SID: 2}, false}, // it is this session's, or was forged
		{presence.Record{Hold: presence.Held, Fence: 6, SID: 2}, false}, // of before: the later one was lost
	} {
		if got := byAnother(&tt.r, 1, 7); got != tt.want {
			t.Errorf("%+v: %v", tt.r, got)
		}
	}
}
