package redisinbox

import (
	"testing"

	"roost/server/inbox"
	"roost/server/presence"
	"roost/server/testredis"
)

// TestClaimWithOpen: one script claims the device and opens its inbox, on one number of
// the session; a put says who has the device.
func TestClaimWithOpen(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	at := func(name string, incarnation uint64) *node {
		owner := presence.Owner{Node: name, Incarnation: incarnation}
		return start(t, server, clock, func(o *Options) {
			o.Presence = &Presence{Lua: presence.LuaFunctions, Key: presence.Key, Owner: owner.String(), Index: presence.IndexKey(owner)}
		})
	}
	a, b := at("n1", 7), at("n2", 8)
	first, claim, err := a.OpenAs([]byte("d"), inbox.Resume{}, 77, 1_234_567_890_123)
	if err != nil {
		t.Fatal(err)
	}
	c, err := presence.DecodeClaim(claim)
	if err != nil || c.Fence != first.Fence || c.Previous.Hold != presence.Nobody {
		t.Errorf("%+v %v; opened %+v", c, err, first)
	}
	if p := b.put("d", "", "x", 60); p.Owner != "n1:7" || p.Fence != first.Fence {
		t.Errorf("%+v", p)
	}
	second, claim, err := b.OpenAs([]byte("d"), inbox.Resume{}, 1<<63, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err = presence.DecodeClaim(claim)
	if err != nil || c.Fence != second.Fence || second.Fence != first.Fence+1 || c.Previous.SID != 77 || c.Previous.Connected != 1_234_567_890_123 || c.Previous.Owner.Node != "n1" {
		t.Errorf("%+v %v; opened %+v", c, err, second)
	}
	if p := a.put("d", "", "y", 60); p.Owner != "n2:8" {
		t.Errorf("%+v", p)
	}
	if v := server.Text("SISMEMBER", presence.IndexKey(presence.Owner{Node: "n2", Incarnation: 8}), "d"); v != "1" {
		t.Error("the device is in no index")
	}
	for _, id := range []string{"d", "}x", "%", "a}b"} {
		if got, want := hashTag(a.names(id).list()), hashTag(presence.Key(id)); got != want {
			t.Errorf("id %q: inbox by %q, presence by %q", id, got, want)
		}
	}
}

// TestLikelyOutcome: what a message mostly has become is stored with it, and told of the first when it
// comes again; another outcome replaces it.
func TestLikelyOutcome(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	at := func(name string) *node {
		owner := presence.Owner{Node: name, Incarnation: 7}
		return start(t, server, clock, func(o *Options) {
			o.Presence = &Presence{Lua: presence.LuaFunctions, Key: presence.Key, Owner: owner.String(), Index: presence.IndexKey(owner),
				Likely: Likely{Here: 1, Elsewhere: 2, Away: 3}}
		})
	}
	a, b := at("n1"), at("n2")
	if _, _, err := a.OpenAs([]byte("d"), inbox.Resume{}, 77, 0); err != nil {
		t.Fatal(err)
	}
	here, there, other := a.put("d", "here", "x", 60), b.put("d", "there", "x", 60), a.put("d", "other", "x", 60)
	here.Outcome, there.Outcome, other.Outcome = 1, 2, 2
	a.Remember(&inbox.Commit{Ops: []inbox.Op{here}})
	b.Remember(&inbox.Commit{Ops: []inbox.Op{there}})
	if !a.acks.empty() || !b.acks.empty() {
		t.Error("what was likely is noted once more")
	}
	a.Remember(&inbox.Commit{Ops: []inbox.Op{other}})
	if err := a.Flush(); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]uint8{"here": 1, "there": 2, "other": 2} {
		if p := b.put("d", id, "x", 60); p.Verdict != inbox.Duplicate || p.First != want {
			t.Errorf("%s: %+v, want the outcome %d", id, p, want)
		}
	}
}
