package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestPaths: what is asked of the node for a path. Names may be percent-encoded
// or, the last one, have slashes.
func TestPaths(t *testing.T) {
	for _, tt := range []struct{ method, path, asked, route string }{
		{"GET", "/v1/devices/d1", "device d1", routeDevice},
		{"HEAD", "/v1/devices/d1", "device d1", routeDevice},
		{"GET", "/v1/devices/a%2Fb", "device a/b", routeDevice},
		{"GET", "/v1/devices/%2E%2E", "device ..", routeDevice},
		{"GET", "/v1/devices/..", "device ..", routeDevice},
		{"GET", "/v1/devices/100%25", "device 100%", routeDevice},
		{"GET", "/v1/devices/a+b%2Bc", "device a+b+c", routeDevice},
		{"DELETE", "/v1/devices/a%2Fconnection", "remove a/connection", routeDevice},
		{"DELETE", "/v1/devices/a/connection", "disconnect a", routeConnection},
		{"DELETE", "/v1/devices/connection/connection", "disconnect connection", routeConnection},
		{"PUT", "/v1/devices/d1/topics/t", "subscribe d1 t true", routeSubscription},
		{"PUT", "/v1/devices/a%2Fb/topics/fw%2Feu", "subscribe a/b fw/eu true", routeSubscription},
		{"PUT", "/v1/devices/topics/topics/fw/eu", "subscribe topics fw/eu true", routeSubscription},
		{"DELETE", "/v1/devices/d1/topics/fw/eu/connection", "subscribe d1 fw/eu/connection false", routeSubscription},
		{"GET", "/v1/topics/fw", "topic fw", routeTopic},
		{"GET", "/v1/topics/fw/eu", "topic fw/eu", routeTopic},
		{"GET", "/v1/topics/fw%2Feu", "topic fw/eu", routeTopic},
		{"GET", "/v1/topics/a//b", "topic a//b", routeTopic},
		{"GET", "/v1/topics/a/../b/", "topic a/../b/", routeTopic},
		{"GET", "/v1/topics/fw/latest", "topic fw/latest", routeTopic},
		{"HEAD", "/v1/topics/fw/latest", "topic fw/latest", routeTopic},
		{"DELETE", "/v1/topics/fw/latest", "clear fw", routeLatest},
		{"DELETE", "/v1/topics/fw/eu/latest", "clear fw/eu", routeLatest},
		{"DELETE", "/v1/topics/fw%2Feu/latest", "clear fw/eu", routeLatest},
		{"DELETE", "/v1/topics/fw%2Flatest/latest", "clear fw/latest", routeLatest},
		{"DELETE", "/v1/topics/fw/latest/latest", "clear fw/latest", routeLatest},
	} {
		n := &fakeNode{}
		rec, counted := call(t, n, tt.method, tt.path, "")
		if n.asked != tt.asked || rec.Code/100 != 2 || !strings.HasPrefix(counted, tt.route+" ") {
			t.Errorf("%s %s: asked %q, want %q: %d %s, counted %q", tt.method, tt.path, n.asked, tt.asked, rec.Code, rec.Body, counted)
		}
	}
}

// TestEveryNameHasAPath: whatever the name, percent-encoded it gets through.
func TestEveryNameHasAPath(t *testing.T) {
	for c := '!'; c <= '~'; c++ {
		for _, name := range []string{string(c), string(c) + "/" + string(c), "/" + string(c), string(c) + "/"} {
			n, part := &fakeNode{}, url.PathEscape(name)
			if call(t, n, "GET", "/v1/topics/"+part, ""); n.asked != "topic "+name {
				t.Errorf("%q: %q", part, n.asked)
			}
			if call(t, n, "PUT", "/v1/devices/"+part+"/topics/"+part, ""); n.asked != "subscribe "+name+" "+name+" true" {
				t.Errorf("%q: %q", part, n.asked)
			}
		}
	}
}

// TestWrongRequests: 404, 405 and 400 say what is wrong, and ask the node nothing.
func TestWrongRequests(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		code         int
		allow        string
		parameter    string
		detail       string
	}{
		{"GET", "/", 404, "", "", "nothing at /"},
		{"GET", "/v1/publish/", 404, "", "", "nothing at"},
		{"GET", "//v1/devices", 404, "", "", "nothing at"},
		{"GET", "/v1/devices/", 404, "", "", "/openapi.yaml"},
		{"GET", "/v1/devices/a/b", 404, "", "", "%2F"},
		{"PUT", "/v1/devices/a/topics/", 404, "", "", "nothing at"},
		{"GET", "/v1/topics/", 404, "", "", "nothing at"},
		{"GET", "/%FF", 404, "", "", "nothing at"},
		{"POST", "/v1/devices", 405, "GET, HEAD", "", "takes GET, HEAD, not POST"},
		{"POST", "/v1/devices/d1", 405, "GET, HEAD, DELETE", "", "not POST"},
		{"GET", "/v1/devices/d1/connection", 405, "DELETE", "", ""},
		{"GET", "/v1/devices/d1/topics/t", 405, "PUT, DELETE", "", ""},
		{"DELETE", "/v1/topics/t", 405, "GET, HEAD", "", ""},
		{"PUT", "/v1/topics/t/latest", 405, "GET, HEAD, DELETE", "", ""},
		{"OPTIONS", "/v1/publish", 405, "POST", "", ""},
		{"GET", "/v1/devices/a%20b", 400, "", "device", "1 to 128"},
		{"GET", "/v1/devices/" + strings.Repeat("d", 129), 400, "", "device", "1 to 128"},
		{"DELETE", "/v1/devices//connection", 400, "", "device", "1 to 128"},
		{"PUT", "/v1/devices/d1/topics/%C3%A9", 400, "", "topic", "1 to 128"},
		{"DELETE", "/v1/topics/%20/latest", 400, "", "topic", "1 to 128"},
		{"GET", "/v1/devices?limit=0", 400, "", "limit", `"0": want 1 to 1000`},
		{"GET", "/v1/devices?limit=1001", 400, "", "limit", "1 to 1000"},
		{"GET", "/v1/topics?limit=ten", 400, "", "limit", "ten"},
		{"GET", "/v1/topics?limit=", 400, "", "limit", "1 to 1000"},
		{"GET", "/v1/devices?online=1", 400, "", "online", "true or false"},
		{"GET", "/v1/topics?online=true", 400, "", "online", "takes no parameter"},
		{"GET", "/v1/devices?onlin=true", 400, "", "onlin", "takes no parameter"},
		{"GET", "/v1/devices?limit=1&limit=2", 400, "", "limit", "2 times"},
		{"GET", "/v1/devices?after=a%20b", 400, "", "after", "1 to 128"},
		{"GET", "/v1/devices?%zz", 400, "", "", "query"},
		{"POST", "/v1/publish?wait=5", 400, "", "wait", "takes no parameter"},
		{"GET", "/v1/events?kind=online,down", 400, "", "kind", `"down"`},
		{"GET", "/v1/events?kind=", 400, "", "kind", "online, offline, up, node_suspect"},
		{"GET", "/v1/devices?node=", 400, "", "node", "1 to 128"},
		{"GET", "/v1/topics?node=n1", 400, "", "node", "takes no parameter"},
		{"GET", "/v1/route", 400, "", "device", "1 to 128"},
		{"GET", "/v1/route?device=d1&failed=", 400, "", "failed", "at most 16 ids"},
		{"GET", "/v1/route?device=d1&failed=a" + strings.Repeat(",a", 16), 400, "", "failed", "17 entries"},
		{"GET", "/v1/ring?format=binary", 400, "", "version", `version is ""`},
		{"GET", "/v1/ring?version=0", 400, "", "version", `version is "0"`},
		{"GET", "/v1/ring?version=12&format=xml", 400, "", "format", "want binary or json"},
		{"GET", "/v1/events?device=", 400, "", "device", "1 to 128"},
	} {
		n := &fakeNode{}
		rec, _ := call(t, n, tt.method, tt.path, "")
		var p problem
		must(json.Unmarshal(rec.Body.Bytes(), &p))
		if rec.Code != tt.code || p.Parameter != tt.parameter || !strings.Contains(p.Detail, tt.detail) || n.asked != "" ||
			rec.Header().Get("Allow") != tt.allow || rec.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %v %+v, asked %q", tt.method, tt.path, rec.Code, rec.Header(), p, n.asked)
		}
	}
}

func TestLists(t *testing.T) {
	n := &fakeNode{devices: []DeviceSummary{{Device: "a"}, {Device: "b", Online: true, Seq: 7, Acked: 6, Waiting: 1}}, topics: []Topic{{Topic: "fw/eu", Latest: true}}}
	for _, tt := range []struct {
		path  string
		more  bool
		asked string
		want  string
	}{
		{"/v1/devices", false, "devices {After: Limit:100 Online:false Node:}",
			`{"devices":[{"device":"a","online":false,"seq":0,"acked":0,"waiting":0},{"device":"b","online":true,"seq":7,"acked":6,"waiting":1}]}`},
		{"/v1/devices?after=a%2Fb&limit=1000&online=true", true, "devices {After:a/b Limit:1000 Online:true Node:}", `"next":"b"}`},
		{"/v1/devices?node=n2&after=17.3", true, "devices {After:17.3 Limit:100 Online:false Node:n2}", `"next":"b"}`},
		{"/v1/devices?after=&limit=1&online=false", true, "devices {After: Limit:1 Online:false Node:}", `"next":"b"}`},
		{"/v1/topics", false, "topics {After: Limit:100 Online:false Node:}", `{"topics":[{"topic":"fw/eu","subscribers":0,"latest":true}]}`},
		{"/v1/topics?limit=7&after=a", true, "topics {After:a Limit:7 Online:false Node:}", `"next":"fw/eu"}`},
	} {
		n.more = tt.more
		rec, _ := call(t, n, "GET", tt.path, "")
		if rec.Code != 200 || n.asked != tt.asked || !strings.HasSuffix(rec.Body.String(), tt.want+"\n") {
			t.Errorf("%s: %d %s, asked %q", tt.path, rec.Code, rec.Body, n.asked)
		}
	}
	for path, want := range map[string]string{"/v1/devices": `{"devices":[]}`, "/v1/topics": `{"topics":[]}`} {
		if rec, _ := call(t, &fakeNode{more: true}, "GET", path, ""); rec.Body.String() != want+"\n" {
			t.Errorf("%s: %s", path, rec.Body)
		}
	}
}

// TestOperate: what the node says about a device or topic is said with its name.
func TestOperate(t *testing.T) {
	for _, tt := range []struct {
		err          error
		method, path string
		code         int
		detail       string
	}{
		{ErrUnknownDevice, "GET", "/v1/devices/d9", 404, `device "d9": unknown device`},
		{ErrUnknownDevice, "DELETE", "/v1/devices/d9", 404, `"d9"`},
		{ErrNotConnected, "DELETE", "/v1/devices/d9/connection", 409, `"d9": the device is not connected`},
		{ErrLimit, "PUT", "/v1/devices/d9/topics/t", 409, `"d9": limit reached`},
		{ErrUnknownTopic, "GET", "/v1/topics/a/b", 404, `topic "a/b": unknown topic`},
		{ErrUnknownTopic, "DELETE", "/v1/topics/a/b/latest", 404, `"a/b"`},
		{ErrStore, "DELETE", "/v1/devices/d9/topics/t", 503, "store"},
	} {
		rec, _ := call(t, &fakeNode{err: tt.err}, tt.method, tt.path, "")
		var p problem
		must(json.Unmarshal(rec.Body.Bytes(), &p))
		if rec.Code != tt.code || !strings.Contains(p.Detail, tt.detail) {
			t.Errorf("%s %s: %d %+v", tt.method, tt.path, rec.Code, p)
		}
	}
	rec, _ := call(t, &fakeNode{}, "DELETE", "/v1/devices/d1", "")
	if rec.Code != http.StatusNoContent || rec.Body.Len() > 0 {
		t.Errorf("removed: %d %s", rec.Code, rec.Body)
	}
}

func TestObserve(t *testing.T) {
	n := &fakeNode{books: Consistency{OK: true, Published: 7}}
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/healthz?x=1": "ok\n", "/readyz": "ready\n", "/metrics": "roost_devices 7\n", "/openapi.yaml": string(openAPIFile),
		"/debug/consistency": `{"ok":true,"published":7,"acknowledged":0,"expired":0,"dropped":{},"in_flight":0,"devices":0,"online":0}` + "\n",
	} {
		if rec, _ := call(t, n, http.MethodGet, path, ""); rec.Code != 200 || rec.Body.String() != want {
			t.Errorf("%s: %d %q", path, rec.Code, rec.Body)
		}
	}
	n.ready = errors.New("draining")
	if rec, _ := call(t, n, http.MethodGet, "/readyz", ""); rec.Code != 503 || !strings.Contains(rec.Body.String(), "draining") {
		t.Errorf("readyz: %d %s", rec.Code, rec.Body)
	}
	n.books = Consistency{Problems: []string{"one is missing"}}
	if rec, _ := call(t, n, http.MethodGet, "/debug/consistency", ""); rec.Code != 500 || !strings.Contains(rec.Body.String(), "one is missing") {
		t.Errorf("books: %d %s", rec.Code, rec.Body)
	}
	for _, name := range []string{"", "cmdline", "symbol", "heap?debug=1", "goroutine"} {
		if rec, _ := call(t, n, http.MethodGet, "/debug/pprof/"+name, ""); rec.Code != 200 || rec.Body.Len() == 0 {
			t.Errorf("pprof %s: %d", name, rec.Code)
		}
	}
}

// TestFixedRoutes: the routes without names are those that match finds as they are.
func TestFixedRoutes(t *testing.T) {
	for path := range NewHandler(nil, nil).(*handler).routes {
		if slices.Contains(fixed, path) == strings.Contains(path, "{") {
			t.Errorf("%s: among the fixed ones: %v", path, slices.Contains(fixed, path))
		}
	}
}
