package dialect

import (
	"slices"
	"testing"
)

// TestPlainEchoes: against the node's echo.
func TestPlainEchoes(t *testing.T) {
	s := startNode(t)
	r := newRig(t, s.Addr().String(), "plain", Config{Path: "/v1/echo"})
	c := r.dial(0)
	if r.ready != 1 {
		t.Error("not ready with the upgrade")
	}
	if err := r.publish("", c, &Message{To: "self", Payload: []byte("one")}); err != nil {
		t.Fatal(err)
	}
	r.until("it is back", func() bool { return len(r.got) == 1 })
	if !slices.Equal(r.got, []string{"one"}) {
		t.Errorf("got %q", r.got)
	}
}

func TestPlainPublishes(t *testing.T) {
	with := mustNew(t, "plain", Config{API: "http://127.0.0.1:1/base/"})
	var q HTTPRequest
	dst := with.AppendRequest([]byte("before"), &Message{To: "all", Payload: []byte("p")}, &q)
	if string(dst) != "beforep" || string(q.Body) != "p" || q.Method != "POST" || q.Path != "/base/broadcast" {
		t.Errorf("%q, %+v", dst, q)
	}
	if with.Publishing("all") != ByHTTP || with.Publishing("self") != BySocket || with.Answer(200, nil) != nil || with.Answer(500, nil) == nil {
		t.Error("how to publish")
	}
	without := mustNew(t, "plain", Config{})
	if without.Publishing("all") != BySocket {
		t.Error("without an API it is published by socket")
	}
}

func mustNew(t testing.TB, name string, cfg Config) Dialect {
	t.Helper()
	d, err := New(name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
