package server

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestRouteOfDevice: the device listener says where a device is to connect, and where if that has failed.
func TestRouteOfDevice(t *testing.T) {
	alone := start(t, nil)
	if code, _ := status(t, alone, "/v1/route?device=d1"); code != "404" {
		t.Errorf("a node by itself: %s", code)
	}
	f := newFleet(t)
	a, b := f.node("n1"), f.node("n2")
	f.ring(3, "n1", "n2")
	d := f.owned("n2", 1)[0]
	ask := func(query string) (answer struct{ Node, URL, RH string }, code string) {
		code, body := status(t, a, "/v1/route?"+query)
		if code == "200" {
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatalf("%q: %v", body, err)
			}
		}
		return answer, code
	}
	if r, _ := ask("device=" + d); r.Node != "n2" || !strings.Contains(r.URL, b.Addr().String()) || r.RH != "0000000300000000" {
		t.Errorf("got %+v", r)
	}
	for _, failed := range []string{"n2", "x,n2", b.Addr().String()} {
		if r, _ := ask("device=" + d + "&failed=" + failed); r.Node != "n1" {
			t.Errorf("failed=%s: got %+v", failed, r)
		}
	}
	if _, code := ask("device=" + d + "&failed=n1&failed=n2"); code != "503" {
		t.Errorf("nobody is left: %s", code)
	}
	for _, query := range []string{"", "device=", "device=a%20b", "device=" + d + strings.Repeat("&failed=x", maxFailed+1)} {
		if _, code := ask(query); code != "400" {
			t.Errorf("%s: %s", query, code)
		}
	}
	limited := false
	for range 16 * askRate {
		_, code := ask("device=" + d)
		limited = limited || code == "429"
	}
	if !limited {
		t.Error("nobody is limited")
	}
}
