package server

import (
	"net/http"
	"testing"

	"roost/server/testredis"
)

// TestNothingIsUnknownWhileRedisIsAway: a node that cannot ask does not say that devices and topics are not there.
func TestNothingIsUnknownWhileRedisIsAway(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1")
	f.ring(1, "n1")
	f.up(s)
	device(t, s, "device=d1&topic=news", "roost.v1.json")
	asked := []struct {
		method, path string
		there        int // while Redis is
	}{
		{http.MethodGet, "/v1/devices/d2", 404},
		{http.MethodDelete, "/v1/devices/d2/connection", 404},
		{http.MethodGet, "/v1/devices", 200},
		{http.MethodGet, "/v1/topics", 200},
		{http.MethodGet, "/v1/topics/other", 404},
	}
	for _, a := range asked {
		if got, body := request(t, s, a.method, a.path, ""); got != a.there {
			t.Errorf("%s %s: %d %s", a.method, a.path, got, body)
		}
	}
	f.redis.Kill()
	testredis.Await(t, "n1 has noticed", func() bool { return !s.Reaches() })
	for _, a := range asked {
		if got, body := request(t, s, a.method, a.path, ""); got != 503 {
			t.Errorf("%s %s without Redis: %d %s", a.method, a.path, got, body)
		}
	}
	if got, body := request(t, s, http.MethodGet, "/v1/devices/d1", ""); got != 200 {
		t.Errorf("who is connected here: %d %s", got, body)
	}
}
