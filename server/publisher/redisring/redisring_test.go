package redisring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"roost/ring"
	"roost/ring/snapshot"
	"roost/server/publisher"
	"roost/server/ringmirror"
	"roost/server/testredis"
)

func TestMain(m *testing.M) { testredis.Main(m) }

// TestSource: a publisher finds ring and nodes in Redis alone, follows a new pointer,
// and refuses a snapshot that is not what the pointer names.
func TestSource(t *testing.T) {
	var took atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/publish" {
			t.Errorf("a node was asked for %s", r.URL.Path)
		}
		took.Add(1)
		fmt.Fprint(w, `{"results":[{"device":"d","status":"written","seq":1}]}`)
	}))
	defer srv.Close()
	r := testredis.Start(t)
	put := func(activation int64, version uint64, change func(b []byte)) {
		t.Helper()
		one, err := ring.Build(version, []ring.Node{{ID: "n1", Weight: 1}}, ring.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := snapshot.Of(one).Encode()
		if err != nil {
			t.Fatal(err)
		}
		hash := publisher.Hash(snapshot.ContentHash(b))
		change(b)
		pointer, err := json.Marshal(map[string]any{"activation": activation, "history": "h", "stable": version, "stable_hash": hash,
			"at": time.Now(), "nodes": []map[string]string{{"id": "n1", "api": srv.URL}}})
		if err != nil {
			t.Fatal(err)
		}
		r.Text("SET", fmt.Sprintf("roost:ring:%d", version), string(b))
		r.Text("SET", "roost:ring:active", string(pointer))
	}
	put(5, 1, func([]byte) {})
	store, err := ringmirror.Open(ringmirror.Options{URL: "redis://" + r.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	p, err := publisher.New(publisher.Options{Source: New(store), Poll: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	defer func() { _ = p.Close(ctx) }()
	if err := p.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if rs, err := p.Publish(ctx, publisher.Message{Device: "d", Payload: []byte("1")}); err != nil || rs[0].Node != "n1" || took.Load() != 1 {
		t.Fatalf("%+v, %v", rs, err)
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for !ok() {
			if ctx.Err() != nil {
				t.Fatal(what)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	put(6, 2, func(b []byte) { b[len(b)-1] ^= 1 })
	until("the damaged one is refused", func() bool { return p.Stats().Damaged > 0 })
	if at := p.State().Pointer.Activation; at != 5 {
		t.Errorf("activation %d is in force", at)
	}
	put(7, 3, func([]byte) {})
	until("the next one", func() bool { return p.State().Pointer.Stable == 3 })
	put(4, 1, func([]byte) {})
	until("the old one is refused", func() bool { return p.Stats().Older > 0 })
	if at := p.State().Pointer.Activation; at != 7 {
		t.Errorf("activation %d is in force", at)
	}
}
