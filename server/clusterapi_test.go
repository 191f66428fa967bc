package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/trace"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/ring/snapshot"
	"roost/server/api"
	"roost/server/cluster"
	"roost/server/presence"
)

// get asks the API and reads the answer as JSON.
func get[T any](t *testing.T, s *Server, path string) (v T, status int) {
	t.Helper()
	status, body := request(t, s, http.MethodGet, path, "")
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s: %d %s: %v", path, status, body, err)
	}
	return v, status
}

// TestRouteAPI: all nodes say the same of a device, both listeners do, and what has failed is left out.
func TestRouteAPI(t *testing.T) {
	f, n := trio(t)
	device := f.owned("n2", 1)[0]
	for i, s := range n {
		r, code := get[api.Route](t, s, "/v1/route?device="+device)
		if code != 200 || r.Node != "n2" || r.URL != "ws://"+n[1].Addr().String() || r.Ring != 1 || r.Hash != "0000000100000000" ||
			r.Activation != 1 || r.Mine != (i == 1) || r.In != 0 || len(r.Candidates) != 2 {
			t.Errorf("%d: %d %+v", i, code, r)
		}
		code2, body := status(t, s, "/v1/route?device="+device)
		var other api.Route
		if err := json.Unmarshal([]byte(body), &other); err != nil || code2 != "200" || other.Node != r.Node || other.Hash != r.Hash {
			t.Errorf("%d: device listener: %s %s", i, code2, body)
		}
	}
	for _, failed := range []string{"n2", n[1].Addr().String(), "n2,n9"} {
		r, code := get[api.Route](t, n[0], "/v1/route?device="+device+"&failed="+failed)
		if code != 200 || r.Node == "n2" || r.In == 0 || slices.ContainsFunc(r.Candidates, func(c api.Candidate) bool { return c.Node == "n2" }) {
			t.Errorf("without %s: %d %+v", failed, code, r)
		}
	}
	if _, code := get[map[string]any](t, n[0], "/v1/route?device="+device+"&failed=n1,n2,n3"); code != 503 {
		t.Errorf("without all: %d", code)
	}
}

// TestRingAPI: what is in force, as a publisher takes it: pointer, nodes, the ring itself with its hash.
func TestRingAPI(t *testing.T) {
	f, n := trio(t)
	f.weighs("n2", 0, true)
	f.weighs("n3", 7.5, true)
	r, code := get[api.Ring](t, n[0], "/v1/ring")
	if code != 200 || r.Node != "n1" || r.Activation != 1 || r.Stable != 1 || len(r.Nodes) != 3 {
		t.Fatalf("%d %+v", code, r)
	}
	if a, b, c := r.Nodes[0], r.Nodes[1], r.Nodes[2]; a.ID != "n1" || a.Weight != nil || !b.Draining || c.Weight == nil || *c.Weight != 7.5 || c.URL != "ws://"+n[2].Addr().String() {
		t.Errorf("%+v", r.Nodes)
	}
	resp, err := http.Get("http://" + n[0].APIAddr().String() + "/v1/ring?version=1&format=binary")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := snapshot.Decode(body)
	if err != nil || resp.Header.Get("ETag") != fmt.Sprintf("%q", cluster.Hash(snapshot.ContentHash(body)).String()) {
		t.Fatalf("%v %v", err, resp.Header)
	}
	if !got.Equal(snapshot.Of(f.Load().Routes.Stable())) {
		t.Error("it is another ring")
	}
	_, text := request(t, n[0], http.MethodGet, "/v1/ring?version=1&format=json", "")
	if s, err := snapshot.DecodeJSON([]byte(text)); err != nil || !s.Equal(got) {
		t.Errorf("as JSON: %v", err)
	}
	if _, code := get[map[string]any](t, n[0], "/v1/ring?version=2"); code != 404 {
		t.Errorf("one that is not in force: %d", code)
	}
	pub, err := http.Post("http://"+n[0].APIAddr().String()+"/v1/publish", "application/json", strings.NewReader(`{"all":true,"payload":1}`))
	if err != nil {
		t.Fatal(err)
	}
	pub.Body.Close()
	if pub.Header.Get("Roost-Ring") != "1" || pub.Header.Get("Roost-Ring-Hash") != "0000000100000000" {
		t.Errorf("a publisher is told %v", pub.Header)
	}
	f.now.Store(&cluster.Active{Routes: f.Load().Routes})
	if _, code := get[map[string]any](t, n[0], "/v1/ring"); code != 503 {
		t.Errorf("before there is a ring: %d", code)
	}
}

// TestClusterAPI: members with what they say of themselves, who holds another ring, drains, presence and the bus.
func TestClusterAPI(t *testing.T) {
	f, n := trio(t)
	say := func(id string, hash cluster.Hash) {
		in := cluster.Inputs{Ring: &cluster.HeldRing{Activation: 1, Version: 1, Hash: hash}}
		b, err := in.Encode()
		if err != nil {
			t.Fatal(err)
		}
		f.change(func(v *cluster.View) { v.Weights[id] = cluster.Weight{Value: 5, Inputs: b} })
	}
	say("n2", 1<<32)
	say("n3", 99)
	f.change(func(v *cluster.View) {
		v.Config = map[string]cluster.Entry{"drain/n2": {Value: []byte(`{"over_ms":120000,"by":"ada"}`)}, "drain/n9": {Value: []byte("x")}}
	})
	at(t, n[0], "d1")
	c, code := get[api.Cluster](t, n[0], "/v1/cluster")
	if code != 200 || c.Node != "n1" || c.Ring.Stable != 1 || len(c.Members) != 3 || c.Members[1].OtherRing || !c.Members[2].OtherRing || string(c.Members[2].Inputs) == "" {
		t.Errorf("%d %+v", code, c)
	}
	if len(c.Drains) != 1 || c.Drains[0].Node != "n2" || c.Drains[0].OverMS != 120_000 || len(c.Problems) != 1 {
		t.Errorf("drains %+v, problems %q", c.Drains, c.Problems)
	}
	if !c.Presence.Up || c.Presence.Devices != 1 || !c.Bus.Up || c.Bus.Listeners != 1 {
		t.Errorf("%+v %+v", c.Presence, c.Bus)
	}
	eventually(t, "the others live", func() bool {
		c, _ := get[api.Cluster](t, n[0], "/v1/cluster")
		return len(c.Presence.Nodes) == 3 && c.Presence.Nodes[2].Node == "n3" && c.Presence.Nodes[2].Alive
	})
	for name, want := range map[string]float64{
		`roost_ring_nodes{holds="same"}`: 1, `roost_ring_nodes{holds="other"}`: 1, `roost_ring_nodes{holds="unknown"}`: 0,
		`roost_ring_info{version="1",hash="0000000100000000",canary="",canary_hash=""}`: 1,
		`roost_presence_up`: 1, `roost_bus_up`: 1, `roost_presence_devices{state="stored"}`: 1, `roost_cluster_members`: 3,
	} {
		if v := metric(t, n[0], name); v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}

// TestAlone: a node by itself has no cluster to ask about, and says nothing of rings.
func TestAlone(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/v1/route?device=d1", "/v1/ring", "/v1/ring?version=1", "/v1/cluster", "/v1/devices?node=n1"} {
		if p, code := get[map[string]any](t, s, path); code != 404 || p["title"] != "No cluster" {
			t.Errorf("%s: %d %v", path, code, p)
		}
	}
	if s.RingMark() != nil {
		t.Error("a ring is named")
	}
}

// TestDevicesOfCluster: every node says of every device where it is, and lists those of a node, page by page.
func TestDevicesOfCluster(t *testing.T) {
	f, n := trio(t)
	for i := range 24 {
		at(t, n[1+i%2], fmt.Sprintf("d%02d", i))
	}
	away := at(t, n[2], "away")
	away.nc.Close()
	eventually(t, "it is away", func() bool { return f.held("away") == "" })
	d, code := get[api.Device](t, n[0], "/v1/devices/d01")
	if code != 200 || !d.Online || d.Node != "n3" || d.Connection != nil || d.Presence == nil || d.Presence.Status != "online" || d.Presence.Fence == 0 {
		t.Errorf("%d %+v %+v", code, d, d.Presence)
	}
	if d, _ := get[api.Device](t, n[2], "/v1/devices/d01"); !d.Online || d.Connection == nil || d.Node != "n3" {
		t.Errorf("%+v", d)
	}
	if d, _ := get[api.Device](t, n[0], "/v1/devices/away"); d.Online || d.Presence == nil || d.Presence.Status != "offline" || d.Presence.Reason != "hangup" {
		t.Errorf("%+v %+v", d, d.Presence)
	}
	type page struct {
		Devices []api.DeviceSummary
		Next    string
	}
	eventually(t, "n1 knows the others", func() bool { nodes, _ := n[0].cluster.keeper.Nodes(); return len(nodes) == 3 })
	list := func(query string) (ids []string, next string) {
		l, code := get[page](t, n[0], "/v1/devices?"+query)
		if code != 200 {
			t.Fatalf("%s: %d", query, code)
		}
		for _, d := range l.Devices {
			if d.Online != (d.Device != "away") {
				t.Errorf("%+v", d)
			}
			ids = append(ids, d.Device)
		}
		return ids, l.Next
	}
	if ids, _ := list("limit=100"); len(ids) != 25 {
		t.Errorf("%d devices", len(ids))
	}
	if ids, _ := list("limit=100&online=true"); len(ids) != 24 {
		t.Errorf("%d devices are online", len(ids))
	}
	for node, want := range map[string]int{"n1": 0, "n2": 12, "n3": 12} {
		var all []string
		for next, first := "", true; first || next != ""; first = false {
			var ids []string
			ids, next = list("limit=5&online=true&node=" + node + "&after=" + next)
			all = append(all, ids...)
		}
		slices.Sort(all)
		if n := len(slices.Compact(all)); n != want || len(all) != want {
			t.Errorf("%s: %q", node, all)
		}
	}
	if p, code := get[map[string]any](t, n[0], "/v1/devices?node=n9"); code != 404 || p["title"] != "Unknown node" {
		t.Errorf("%d %v", code, p)
	}
}

// TestPresenceEvents: the event stream and the webhook tell what presence sees, and a move is nothing.
func TestPresenceEvents(t *testing.T) {
	secret := []byte("0123456789abcdef")
	posted := make(chan presence.ChangeJSON, 16)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = presence.Verify(secret, r.Header.Get("Roost-Signature"), body, time.Now(), time.Minute)
		}
		var d struct{ Changes []presence.ChangeJSON }
		if err != nil || json.Unmarshal(body, &d) != nil {
			t.Errorf("%v: %s", err, body)
		}
		for _, c := range d.Changes {
			posted <- c
		}
	}))
	defer hook.Close()
	_, n := trio(t, func(o *Options) {
		if o.Node == "n1" {
			o.Cluster.Webhook = presence.WebhookOptions{URL: hook.URL, Secret: secret, Wait: time.Millisecond}
		}
	})
	resp, err := http.Get("http://" + n[0].APIAddr().String() + "/v1/events?kind=online,offline")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	event := func() (e struct {
		Kind, Device, Node, Reason string
		Fence                      uint32
	}) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
				return e
			}
		}
		t.Fatal("the stream has ended")
		return e
	}
	p := at(t, n[0], "d1")
	if e := event(); e.Kind != "online" || e.Device != "d1" || e.Node != "n1" || e.Fence == 0 {
		t.Errorf("%+v", e)
	}
	p.nc.Close()
	if e := event(); e.Kind != "offline" || e.Reason != "hangup" || e.Fence == 0 {
		t.Errorf("%+v", e)
	}
	for _, want := range []string{"online", "offline"} {
		if c := <-posted; c.Kind != want || c.Device != "d1" || c.Node[:3] != "n1:" {
			t.Errorf("%+v, want %s", c, want)
		}
	}
}

// TestEventOf: changes of presence in the words of the API.
func TestEventOf(t *testing.T) {
	o := presence.Owner{Node: "n2", Incarnation: 7}
	at := time.UnixMilli(1_764_230_400_000).UTC()
	for _, tt := range []struct {
		c    presence.Change
		want api.Event
	}{
		{presence.Change{Kind: presence.DeviceOffline, Device: "d1", Node: o, Fence: 3, At: at.UnixMilli(), Reason: 4102},
			api.Event{Kind: "offline", Device: "d1", Node: "n2", Fence: 3, At: at, Code: 4102}},
		{presence.Change{Kind: presence.DeviceOffline, Device: "d1", Node: o, At: at.UnixMilli(), Reason: presence.NodeLost},
			api.Event{Kind: "offline", Device: "d1", Node: "n2", At: at, Reason: "node_lost"}},
		{presence.Change{Kind: presence.NodeGone, Node: o, At: at.UnixMilli(), Devices: 9, Back: 7, Lost: 2, Singles: 1},
			api.Event{Kind: "node_lost", Node: "n2", At: at, Devices: 9, Back: 7, Lost: 2, Singles: 1}},
		{presence.Change{Kind: presence.NodeSuspect, Node: o, At: at.UnixMilli(), Devices: 9}, api.Event{Kind: "node_suspect", Node: "n2", At: at, Devices: 9}},
		{presence.Change{Kind: presence.NodeBack, Node: o, At: at.UnixMilli()}, api.Event{Kind: "node_back", Node: "n2", At: at}},
	} {
		if got := eventOf(&tt.c); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", tt.want) {
			t.Errorf("%+v\nis %+v\nwant %+v", tt.c, got, tt.want)
		}
	}
}

// TestPublishStages: how long the stages of a publish took is in the metrics always, and in a trace while one is
// taken.
func TestPublishStages(t *testing.T) {
	s := start(t, nil)
	device(t, s, "device=d1", "roost.v1.json")
	var taken bytes.Buffer
	if err := trace.Start(&taken); err != nil {
		t.Fatal(err)
	}
	publish(t, s, `{"device":"d1","payload":1}`)
	publish(t, s, `{"device":"d1","class":"live","payload":1}`)
	trace.Stop()
	publish(t, s, `{"device":"d1","payload":2}`)
	for _, stage := range []string{"key", "redis", "route"} {
		if v := metric(t, s, `roost_publish_stage_seconds_count{stage="`+stage+`"}`); v != 2 {
			t.Errorf("%s: counted %v times", stage, v)
		}
		if !bytes.Contains(taken.Bytes(), []byte(stage)) {
			t.Errorf("%s is not in the trace", stage)
		}
	}
	s.Stage(cluster.Whole, 9*time.Millisecond)
	if v := metric(t, s, `roost_ring_stage_seconds_bucket{stage="whole",le="0.01"}`); v != 1 {
		t.Errorf("counted %v times", v)
	}
}
