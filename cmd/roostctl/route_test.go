package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// TestRouteAgrees: the same answer from etcd, a file, what Redis has, a node's last
// ring and a node itself; and not from another ring.
func TestRouteAgrees(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b", "n3@b")
	inTemp(t)
	p := d.pointer()
	s, err := d.c.Versions().Get(limit(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile("raw", s.Bytes, 0o644), os.WriteFile("redis", append(append([]byte(nil), s.Bytes...), '\n'), 0o644)); err != nil {
		t.Fatal(err)
	}
	router := d.c.Route(d.w, cluster.RouterOptions{File: "ring.json"})
	defer router.Close()
	if _, err := router.Wait(limit(t), func(a *cluster.Active) bool { return a.From == cluster.FromEtcd }); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat("ring.json"); err == nil {
			break
		}
	}
	other := "n1"
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/ring" && r.URL.Query().Get("version") == "1" && r.URL.Query().Get("format") == "binary" {
			_, _ = w.Write(s.Bytes)
			return
		}
		owner := s.Ring.Node(s.Ring.Lookup(r.URL.Query().Get("device"))).ID
		if r.URL.Query().Get("device") == "device-7" {
			owner = other
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"node": owner, "ring": 1, "rh": p.StableHash, "candidates": []any{}})
	}))
	defer node.Close()
	for i := range 12 {
		device := fmt.Sprintf("device-%d", i)
		want := s.Ring.Node(s.Ring.Lookup(device)).ID
		says := fmt.Sprintf("%s -> %s in zone %s at ws://%s:8080", device, want, s.Ring.Node(s.Ring.Find(want)).Zone, want)
		hash := "by ring 1, hash " + p.StableHash.String()
		d.want(0, "route --device "+device, says, hash)
		for _, args := range []string{"--file raw", "--file redis", "--file ring.json", "--file raw --version 1 --hash " + p.StableHash.String()} {
			if out, err := call(t, "route --device "+device+" "+args, ""); err != nil || !strings.Contains(out, says) || !strings.Contains(out, hash) {
				t.Errorf("%s: %v\n%s", args, err, out)
			}
		}
		code := 0
		if device == "device-7" && want != other {
			code = 1
		}
		out, err := call(t, "route --device "+device+" --url "+node.URL, "")
		if got := exitCode(err, io.Discard); got != code || code == 0 && !strings.Contains(out, "the node agrees") || code == 1 && !strings.Contains(out, "they do not agree: the node says n1") {
			t.Errorf("%s: code %d, %v\n%s", device, got, err, out)
		}
		d.want(code, "route --device "+device+" --url "+node.URL, says)
	}
	d.want(1, "route --device x --hash 0123456789abcdef", "another ring: its hash is "+p.StableHash.String())
	d.want(2, "route --device x --version 9", "no such ring version")
	for line, want := range map[string]string{
		"route":                                         "--device",
		"route --device x":                              "say where the snapshot is",
		"route --device x --file raw --hash 12":         "16 hexadecimal digits",
		"route --device x --file raw --version 2":       "has ring 1, 2 was asked for",
		"route --device x --file raw --etcd x":          "give one",
		"route --device x --file ring.json --cluster y": "belongs to another cluster",
		"route --device x --url ftp://x":                "write the API address",
		"route --device x --url http://127.0.0.1:1":     "API address of a node?",
		"route --device x --file raw -n 0":              "must be 1 to",
	} {
		_, err := call(t, line, "")
		var e strings.Builder
		if code := exitCode(err, &e); code != 2 || !strings.Contains(e.String(), want) {
			t.Errorf("%s: code %d, %s", line, code, e.String())
		}
	}
}

// TestRouteOnTrial: while two rings are in force the one answers that the device is
// on.
func TestRouteOnTrial(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@a", "n3@a", "n4@a", "n5@a")
	d.want(0, "ring apply --set n1:0.8 --share 50 --measure -1s", "canary 2, hash", "for 50.00 %")
	stable, err := d.c.Versions().Get(limit(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	canary, err := d.c.Versions().Get(limit(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	routes := ring.NewRoutes(stable.Ring, canary.Ring, 5000)
	seen := map[uint64]bool{}
	for i := range 20 {
		device := fmt.Sprint("device-", i)
		g, v := routes.Lookup(device)
		seen[g.Version()] = true
		d.want(0, "route --device "+device, device+" -> "+g.Node(v).ID, fmt.Sprintf("by ring %d", g.Version()))
	}
	if len(seen) != 2 {
		t.Errorf("only %v answered", seen)
	}
}
