package server

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestGuardMetrics: what is known of whose Redis it is can be watched.
func TestGuardMetrics(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1", func(o *Options) {
		o.Cluster.Guard = func() RedisGuard { return RedisGuard{Foreign: true, Refused: 7, Losses: 2} }
	})
	resp, err := http.Get("http://" + s.APIAddr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"roost_redis_foreign 1\n", "roost_redis_refused_total 7\n", "roost_redis_losses_total 2\n"} {
		if !strings.Contains(string(b), line) {
			t.Errorf("no %q", line)
		}
	}
}
