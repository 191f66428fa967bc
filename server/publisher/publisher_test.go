package publisher

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestOwner: each message goes to the node that owns its device, many a request, and
// the results are in the order of the messages.
func TestOwner(t *testing.T) {
	c := newCluster(t, 3)
	p := start(t, c)
	var ms []Message
	for i := range 600 {
		ms = append(ms, Message{Device: fmt.Sprint("d", i), Payload: json1(i)})
	}
	rs, err := p.Publish(limit(t), ms...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rs {
		owner := c.owner(p, ms[i].Device).id
		if r.Device != ms[i].Device || r.Seq != 1 || r.Status != "written" || !r.Stored() || r.Node != owner || r.Tried != 1 || r.ID == "" {
			t.Fatalf("result %d of %s, owner %s: %+v", i, ms[i].Device, owner, r)
		}
	}
	for _, l := range c.took() {
		if want := c.owner(p, l.Device).id; l.node != want {
			t.Fatalf("%s went to %s, its owner is %s", l.Device, l.node, want)
		}
	}
	if s := p.Stats(); s.Requests > 60 || s.Messages != 600 || s.Answered != 600 || s.Waiting != 0 {
		t.Errorf("%d requests for 600 messages in batches of up to 100 on 6 lanes: %+v", s.Requests, s)
	}
}

// TestOrder: what is sent to one device arrives in that order, also when requests are
// repeated.
func TestOrder(t *testing.T) {
	c := newCluster(t, 3)
	p := start(t, c, func(o *Options) { o.Batch = 7 })
	owner := c.owner(p, "d")
	owner.set(func(n *node) {
		n.after = func(w http.ResponseWriter, r *http.Request) bool { // every third answer is lost
			if n.count()%3 == 0 {
				return cut(w, r)
			}
			return false
		}
	})
	const count = 500
	var mu sync.Mutex
	var seqs []uint64
	for i := range count {
		err := p.Send(limit(t), Message{Device: "d", Payload: json1(i)}, func(r Result) {
			mu.Lock()
			defer mu.Unlock()
			seqs = append(seqs, r.Seq)
			if r.Err != nil {
				t.Error(r.Err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(limit(t)); err != nil {
		t.Fatal(err)
	}
	if len(seqs) != count || !slices.IsSorted(seqs) || seqs[count-1] != count {
		t.Errorf("%d results, the last is number %d: %v", len(seqs), seqs[len(seqs)-1], seqs)
	}
	if c.count("d") != count {
		t.Errorf("%d messages were stored, %d were published", c.count("d"), count)
	}
}

// TestFailures: a message of a node that fails goes to another one, and is stored
// once.
func TestFailures(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(code); return true }
	}
	for _, how := range []struct {
		name   string
		change func(n *node)
		live   error // of a live message; nil: it is repeated
	}{
		{"gone", func(n *node) { n.close() }, nil},
		{"503", func(n *node) { n.before = unavailable("1") }, nil},
		{"404", func(n *node) { n.before = status(404) }, nil},
		{"redirects", func(n *node) { n.before = status(302) }, nil},
		{"500", func(n *node) { n.before = status(500) }, ErrUncertain},
		{"cuts", func(n *node) { n.before = cut }, ErrUncertain},
		{"stores and cuts", func(n *node) { n.after = cut }, ErrUncertain},
		{"hangs", func(n *node) { n.before = hang }, ErrUncertain},
		{"nonsense", func(n *node) {
			n.after = func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, `{"results":[]}`); return true }
		}, ErrUncertain},
	} {
		for _, choose := range []Choose{ByRing, AfterFailure} {
			t.Run(how.name+"/"+choose.String(), func(t *testing.T) {
				c := newCluster(t, 3)
				p := start(t, c, func(o *Options) { o.Attempt, o.Choose = 300*time.Millisecond, choose })
				device := c.ownedBy(p, c.nodes[1])
				if how.name == "gone" {
					c.nodes[1].close()
				} else {
					c.nodes[1].set(how.change)
				}
				rs, err := p.Publish(limit(t), Message{Device: device, Payload: json1(1)})
				if err != nil || rs[0].Seq != 1 || rs[0].Node == "n1" || rs[0].Tried < 2 {
					t.Errorf("%+v, %v", rs[0], err)
				}
				if c.count(device) != 1 {
					t.Errorf("stored %d times", c.count(device))
				}
				// The node is left alone for a while: the next one does not try it. Then it is
				// tried again, unless nobody listens there.
				p.health.keep(&table{})
				rs, err = p.Publish(limit(t), Message{Device: device, Class: ClassLive, Payload: json1(1)})
				if !errors.Is(err, how.live) || how.live == nil && rs[0].Node == "n1" {
					t.Errorf("live: %+v, %v; want %v", rs[0], err, how.live)
				}
			})
		}
	}
}

// TestAllBusy: where every node answers 503 messages wait for them, and are late if
// that takes too long.
func TestAllBusy(t *testing.T) {
	c := newCluster(t, 3)
	p := start(t, c)
	var refused int
	var mu sync.Mutex
	for _, n := range c.nodes {
		n.set(func(n *node) {
			n.before = func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				if refused >= 3 || r.URL.Path != "/v1/publish" {
					return false
				}
				refused++
				return unavailable("0")(w, r)
			}
		})
	}
	rs, err := p.Publish(limit(t), Message{Device: "d", Payload: json1(1)})
	if err != nil || rs[0].Tried != 4 || rs[0].Seq != 1 {
		t.Errorf("%+v, %v", rs[0], err)
	}
	for _, n := range c.nodes {
		n.set(func(n *node) { n.before = unavailable("5") })
	}
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	if _, err := p.Publish(ctx, Message{Device: "d", Payload: json1(2)}); err == nil {
		t.Error("published, though no node takes anything")
	}
	done := make(chan Result, 1)
	ctx2, cancel2 := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel2()
	if err := p.Send(ctx2, Message{Device: "d", Payload: json1(2)}, func(r Result) { done <- r }); err != nil {
		t.Fatal(err)
	}
	if r := <-done; !errors.Is(r.Err, ErrLate) {
		t.Errorf("%+v", r)
	}
	if got := c.count("d"); got != 1 {
		t.Errorf("stored %d, want the first alone", got)
	}
}

// TestDevices: a message to many devices is divided among their owners, and the
// results are put together in order.
func TestDevices(t *testing.T) {
	c := newCluster(t, 3)
	p := start(t, c)
	m := Message{ID: "x", Payload: json1(1)}
	for i := range 100 {
		m.Devices = append(m.Devices, fmt.Sprint("d", i))
	}
	rs, err := p.Publish(limit(t), Message{Device: "before", Payload: json1(0)}, m)
	if err != nil || len(rs) != 2 || len(rs[1].Devices) != 100 {
		t.Fatalf("%+v, %v", rs, err)
	}
	for i, r := range rs[1].Devices {
		if r.Device != m.Devices[i] || r.Seq != 1 || r.ID != "x" || r.Node != c.owner(p, r.Device).id {
			t.Errorf("device %d: %+v", i, r)
		}
	}
	if lines := c.took(); len(lines) != 4 {
		t.Errorf("%d lines, want one for each node and one before", len(lines))
	}
}

// TestTopics: a topic's messages go to one node, in order, and wait is sent.
func TestTopics(t *testing.T) {
	c := newCluster(t, 3)
	p := start(t, c)
	for i := range 10 {
		if _, err := p.Publish(limit(t), Message{Topic: "fw/eu", Class: ClassLatest, TTL: time.Minute, Payload: json1(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Publish(limit(t), Message{All: true, Pace: 5, Raw: true, Payload: []byte{0, 255}}); err != nil {
		t.Fatal(err)
	}
	rs, err := p.Publish(limit(t), Message{Device: "d", Wait: 1500 * time.Millisecond, Payload: json1(1)})
	if err != nil || rs[0].Seq != 1 {
		t.Fatalf("%+v, %v", rs, err)
	}
	lines := c.took()
	for i, l := range lines[:10] {
		if l.node != lines[0].node || string(l.Payload) != fmt.Sprint(i) || l.TTL != 60 || l.ID == "" {
			t.Errorf("line %d: %+v", i, l)
		}
	}
	if l := lines[10]; !l.All || l.ID != "" || !slices.Equal(l.Bytes, []byte{0, 255}) {
		t.Errorf("%+v", l)
	}
	if l := lines[11]; l.Wait != 1.5 {
		t.Errorf("%+v", l)
	}
}

// TestTLS: nodes at https addresses are believed by the authorities that were given,
// and by no others.
func TestTLS(t *testing.T) {
	c := newCluster(t, 0)
	n := &node{c: c, id: "n0", head: http.Header{}}
	n.srv = httptest.NewUnstartedServer(n)
	n.srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	n.srv.StartTLS()
	t.Cleanup(n.close)
	c.nodes = []*node{n}
	c.activate(2, c.put(2, n))
	roots := x509.NewCertPool()
	roots.AddCert(n.srv.Certificate())
	p := start(t, c, func(o *Options) { o.TLS = &tls.Config{RootCAs: roots} })
	rs, err := p.Publish(limit(t), Message{Device: "d", Payload: json1(1)})
	if err != nil || rs[0].Node != "n0" {
		t.Errorf("%+v, %v", rs, err)
	}
	c.silent = true
	p = start(t, c, func(o *Options) { o.Timeout = 3 * time.Second }) // a handshake takes long on a busy machine
	if _, err := p.Publish(limit(t), Message{Device: "d", Payload: json1(1)}); !errors.Is(err, ErrLate) || !has(err, "certificate") {
		t.Errorf("without the authority: %v", err)
	}
}

// TestClose: Close waits for what was taken, and takes nothing after.
func TestClose(t *testing.T) {
	c := newCluster(t, 2)
	p := start(t, c, func(o *Options) { o.Linger = time.Minute })
	var results sync.WaitGroup
	for i := range 50 {
		results.Add(1)
		if err := p.Send(limit(t), Message{Device: fmt.Sprint("d", i), Payload: json1(i)}, func(r Result) {
			if r.Err != nil {
				t.Error(r.Err)
			}
			results.Done()
		}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.took()); n != 0 {
		t.Errorf("%d messages went before the minute was over", n)
	}
	if err := p.Close(limit(t)); err != nil {
		t.Fatal(err)
	}
	results.Wait()
	if n := len(c.took()); n != 50 {
		t.Errorf("%d of 50 messages arrived", n)
	}
	if err := p.Send(limit(t), Message{Device: "d", Payload: json1(1)}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := p.Publish(limit(t), Message{Device: "d", Payload: json1(1)}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := p.Publish(limit(t), Message{Device: "d", Wait: time.Second, Payload: json1(1)}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestCloseCut: what has no result when Close's time is over gets ErrClosed.
func TestCloseCut(t *testing.T) {
	c := newCluster(t, 1)
	p := start(t, c)
	c.nodes[0].set(func(n *node) { n.before = hang })
	got := make(chan error, 1)
	if err := p.Send(limit(t), Message{Device: "d", Payload: json1(1)}, func(r Result) { got <- r.Err }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := <-got; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestQueue: the queue is bounded: who publishes waits for room, and no longer than
// the context.
func TestQueue(t *testing.T) {
	c := newCluster(t, 1)
	p := start(t, c, func(o *Options) { o.Queue, o.Batch = 1<<20, 1 })
	c.nodes[0].set(func(n *node) { n.before = hang })
	payload := json1(string(make([]byte, 10_000)))
	var sent int
	for {
		ctx, cancel := context.WithCancel(context.Background()) // a deadline would be the message's too
		enough := time.AfterFunc(100*time.Millisecond, cancel)
		err := p.Send(ctx, Message{Device: "d", Payload: payload}, func(Result) {})
		enough.Stop()
		cancel()
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			break
		}
		sent++
	}
	if most := 1 << 20 / len(payload); sent > most || sent < most/2 {
		t.Errorf("%d messages of %d bytes waited in 1 MiB", sent, len(payload))
	}
}
