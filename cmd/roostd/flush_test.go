package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/client"
	"roost/server/testredis"
	"roost/server/wire"
)

// inboxed is a device of a cluster, what it got, and its streams.
type inboxed struct {
	mu      sync.Mutex
	node    string
	got     map[string]int // by payload
	streams int            // that it did not go on with
}

func connectInboxed(t testing.TB, p *proc, id string) *inboxed {
	t.Helper()
	d := &inboxed{got: map[string]int{}}
	c, err := client.New(client.Options{URL: "ws://" + p.listen, Device: id, Protocol: wire.JSON,
		OnMessage: func(m client.Message) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.got[strings.Trim(string(m.Payload), `"`)]++
		},
		OnState: func(s client.State) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.node = ""; s.Phase == client.Connected {
				d.node = s.Node
				if !s.Resumed {
					d.streams++
				}
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return d
}

func (d *inboxed) connected() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.node != ""
}

func (d *inboxed) has(payload string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.got[payload] > 0
}

// publish publishes to a device by a node, and returns the code and what became of it.
func (d *desk) publish(p *proc, device, payload string) (int, string) {
	d.t.Helper()
	body := fmt.Sprintf(`{"device":%q,"id":%q,"payload":%q}`, device, payload, payload)
	resp, err := d.http.Post("http://"+p.api+"/v1/publish", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	var r struct{ Results []struct{ Status string } }
	if _ = json.Unmarshal(b, &r); len(r.Results) != 1 {
		return resp.StatusCode, string(b)
	}
	return resp.StatusCode, r.Results[0].Status
}

// wasStored reports whether a publish was stored.
func wasStored(code int, status string) bool {
	switch status {
	case "written", "queued", "offline", "acknowledged":
		return code == http.StatusOK
	}
	return false
}

// delivers publishes again and again until one is accepted, and waits until the device has
// it. It returns how long both took.
func (d *desk) delivers(p *proc, device string, to *inboxed) (put, got time.Duration) {
	d.t.Helper()
	began, name := time.Now(), ""
	testredis.Await(d.t, "a publish is accepted", func() bool {
		name = fmt.Sprint(device, time.Now().UnixNano())
		return wasStored(d.publish(p, device, name))
	})
	put = time.Since(began)
	testredis.Await(d.t, name+" arrives", func() bool { return to.has(name) })
	return put, time.Since(began)
}

// TestFlush: Redis loses all, and no connection is lost: devices get a new stream, presence, rings
// and the marks of the cluster are there again, within seconds and not with the next sweep.
func TestFlush(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	t.Parallel()
	d := newDesk(t)
	a, b := launch(t, d.args("n1")...), launch(t, d.args("n2")...)
	d.agree(0, "n1", "n2")
	var devices []*inboxed
	for i := range 20 {
		x := connectInboxed(t, []*proc{a, b}[i%2], fmt.Sprint("d", i))
		testredis.Await(t, "a device is connected", x.connected)
		d.delivers(a, fmt.Sprint("d", i), x)
		devices = append(devices, x)
	}
	mark, _, _ := strings.Cut(d.redis.Text("GET", "roost:data"), ".")
	d.redis.Text("FLUSHALL")
	var worst time.Duration
	for i, x := range devices {
		put, got := d.delivers(a, fmt.Sprint("d", i), x)
		if worst = max(worst, got); i == 0 {
			t.Logf("the first after the flush: accepted after %v, there after %v", put, got)
		}
		if x.mu.Lock(); x.streams < 2 {
			t.Errorf("d%d has no new stream", i)
		}
		x.mu.Unlock()
	}
	t.Logf("the last of %d was there after %v", len(devices), worst)
	for _, key := range []string{"roost:ring:active", "roost:cluster", "presence:cluster", "presence:{d0}"} {
		testredis.Await(t, key+" is there again", func() bool { return d.redis.Text("EXISTS", key) == "1" })
	}
	if got, _, _ := strings.Cut(d.redis.Text("GET", "roost:data"), "."); got != mark || mark == "" {
		t.Errorf("the mark is %q, and was %q", got, mark)
	}
}

// TestSwappedRedis: another cluster's Redis comes up at the address of ours: nothing is accepted,
// the log says why, and all goes on when ours is back.
func TestSwappedRedis(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	t.Parallel()
	d := newDesk(t)
	d.redis = testredis.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	a := launch(t, d.args("n1")...)
	d.agree(0, "n1")
	x := connectInboxed(t, a, "d1")
	testredis.Await(t, "d1 is connected", x.connected)
	d.delivers(a, "d1", x)

	for name, key := range map[string]string{"of-the-same-name": "roost:data", "of-another-name": "roost:cluster"} {
		was := d.redis.Text("GET", key)
		d.redis.Text("SET", key, `{"id":"other","environment":"test"}`)
		d.redis.Kill()
		d.redis.Restart()
		for range 100 {
			if code, status := d.publish(a, "d1", "lost-"+name); wasStored(code, status) {
				t.Fatalf("a publish is accepted by a Redis %s: %d %s", name, code, status)
			} else if code != http.StatusServiceUnavailable {
				t.Fatalf("a Redis %s: %d %s", name, code, status)
			}
			time.Sleep(20 * time.Millisecond) // pace, not a wait for a state
		}
		if !strings.Contains(a.says(), "this is not the cluster's Redis") {
			t.Errorf("nobody says that the Redis is one %s", name)
		}
		d.redis.Text("SET", key, was)
		d.delivers(a, "d1", x)
		if x.has("lost-" + name) {
			t.Errorf("what was refused by a Redis %s has arrived", name)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.streams != 1 {
		t.Errorf("d1 had %d streams", x.streams)
	}
}
