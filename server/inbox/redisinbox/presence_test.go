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
