package main

import (
	"net/http"
	"strings"
	"testing"

	"roost/server/testredis"
)

// TestRedisReplicas: with --redis-replicas a message that no replica has is refused, and is accepted when one has it; the
// start says that there are too few.
func TestRedisReplicas(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	t.Parallel()
	d := newDesk(t)
	a := launch(t, append(d.args("n1"), "--redis-replicas", "1")...)
	d.agree(0, "n1")
	if !strings.Contains(a.says(), "it has 0 replicas") {
		t.Error("the log does not say that there is no replica")
	}
	x := connectInboxed(t, a, "d")
	testredis.Await(t, "the device is connected", x.connected)
	refused := func(what string) {
		t.Helper()
		if code, said := d.publish(a, "d", what); code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", what, code, said)
		}
	}
	refused("no-replica")
	host, port, _ := strings.Cut(d.redis.Addr(), ":")
	replica := testredis.Start(t, "--replicaof", host, port)
	d.delivers(a, "d", x)
	replica.Pause()
	refused("stands-still")
	replica.Resume()
	testredis.Await(t, "it is accepted when it is repeated", func() bool {
		return wasStored(d.publish(a, "d", "stands-still"))
	})
}
