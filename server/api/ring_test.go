package api

import (
	"net/http"
	"strings"
	"testing"
)

// TestRoute: what is asked of the node, and that lists are never null.
func TestRoute(t *testing.T) {
	n := &fakeNode{}
	rec, _ := call(t, n, "GET", "/v1/route?device=a%2Fb&failed=n1,n3", "")
	if rec.Code != 200 || n.asked != `route a/b ["n1" "n3"]` || !strings.Contains(rec.Body.String(), `"candidates":[]`) {
		t.Errorf("%d %s, asked %q", rec.Code, rec.Body, n.asked)
	}
}

// TestRingTag: a publisher that has the ring does not get it again because a weight
// has changed, and does when anything else has.
func TestRingTag(t *testing.T) {
	n := &fakeNode{}
	rec, _ := call(t, n, "GET", "/v1/ring", "")
	tag := rec.Header().Get("ETag")
	if rec.Code != 200 || tag == "" {
		t.Fatalf("%d, tag %q", rec.Code, tag)
	}
	n.weight = 7
	for header, code := range map[string]int{tag: 304, `"x", W/` + tag: 304, "*": 304, `"x"`: 200, "": 200} {
		rec, _ := call(t, n, "GET", "/v1/ring", "", "If-None-Match", header)
		if rec.Code != code || rec.Header().Get("ETag") != tag || code == 304 && rec.Body.Len() > 0 {
			t.Errorf("If-None-Match %s: %d, tag %s, want %d", header, rec.Code, rec.Header().Get("ETag"), code)
		}
	}
	r := Ring{Nodes: []RingNode{{ID: "n1"}}}
	other := r
	other.Nodes = []RingNode{{ID: "n1", Draining: true}}
	if ringTag(r) == ringTag(other) {
		t.Error("a node that drains is no change")
	}
}

// TestSnapshot: the two forms of a ring, by their content hash.
func TestSnapshot(t *testing.T) {
	for _, tt := range []struct{ query, asked, typ, body string }{
		{"version=12", "snapshot 12 false", "application/json", `{"version":12}`},
		{"version=12&format=json", "snapshot 12 false", "application/json", `{"version":12}`},
		{"version=18446744073709551615&format=binary", "snapshot 18446744073709551615 true", "application/octet-stream", "\x00\xff"},
	} {
		n := &fakeNode{}
		rec, _ := call(t, n, "GET", "/v1/ring?"+tt.query, "")
		if rec.Code != 200 || n.asked != tt.asked || rec.Header().Get("Content-Type") != tt.typ || rec.Body.String() != tt.body || rec.Header().Get("ETag") != `"`+someHash+`"` {
			t.Errorf("%s: %d %v %q, asked %q", tt.query, rec.Code, rec.Header(), rec.Body, n.asked)
		}
	}
	if rec, _ := call(t, &fakeNode{}, "GET", "/v1/ring?version=12&format=binary", "", "If-None-Match", `"`+someHash+`"`); rec.Code != 304 {
		t.Errorf("%d for one that is known", rec.Code)
	}
}

// TestRingMark: a publisher is told of the rings with every answer, in a cluster.
func TestRingMark(t *testing.T) {
	mark := &RingMark{Activation: []string{"1234"}, Hashes: []string{someHash}}
	for _, n := range []*fakeNode{{}, {rings: mark}, {rings: mark, err: ErrStore}} {
		rec := publish(t, n, `{"device":"d1","payload":1}`)
		if got := http.Header(rec.Header()); got.Get("Roost-Ring") == "1234" != (n.rings != nil) || got.Get("Roost-Ring-Hash") == someHash != (n.rings != nil) {
			t.Errorf("%d: %v", rec.Code, got)
		}
	}
}
