package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/client"
	"roost/server/wire"
)

// ledger is what publishers were told.
type ledger struct {
	t       testing.TB
	n       *node
	answers chan int // messages answered

	mu       sync.Mutex // covers the following
	accepted map[string]accepted
	lost     int // requests without an answer
}

// accepted is a message that the node has taken over.
type accepted struct {
	device string
	seq    uint64
}

// publishers is one publisher: it sends size messages at once, and again under
// the same ids until it has an answer.
func (l *ledger) publishers(enough chan struct{}, name string, size, devices int) {
	c := newHTTP()
	defer c.CloseIdleConnections()
	for i := 0; ; i++ {
		select {
		case <-enough:
			return
		default:
		}
		var ids, to []string
		var body strings.Builder
		for j := range size {
			ids, to = append(ids, fmt.Sprintf("%s.%d.%d", name, i, j)), append(to, fmt.Sprint("d", rand.IntN(devices)))
			fmt.Fprintf(&body, "{\"device\":%q,\"id\":%q,\"payload\":[%q]}\n", to[j], ids[j], ids[j])
		}
		l.send(c, body.String(), ids, to)
	}
}

// send publishes until there is an answer, and notes it.
func (l *ledger) send(c *http.Client, body string, ids, to []string) {
	for {
		status, results, ok := l.n.post(c, "application/x-ndjson", body)
		if !ok {
			l.mu.Lock()
			l.lost++
			l.mu.Unlock()
			l.n.await()
			continue
		}
		if status != http.StatusOK || len(results) != len(ids) {
			l.t.Errorf("%d, %d results for %d messages", status, len(results), len(ids))
			return
		}
		l.note(results, ids, to)
		l.answers <- len(ids)
		return
	}
}

// note enters what became of the messages of one request. They are stored
// together: either all are there from an earlier attempt, or none.
func (l *ledger) note(results []result, ids, to []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	repeated := 0
	for i, r := range results {
		if r.Duplicate {
			repeated++
		}
		switch {
		case r.isAccepted():
			l.accepted[ids[i]] = accepted{to[i], r.Seq}
		case r.Reason != "inbox_full":
			l.t.Errorf("%s to %s: %+v", ids[i], to[i], r)
		}
	}
	if repeated != 0 && repeated != len(results) {
		l.t.Errorf("%d of %d messages of one request were there already", repeated, len(results))
	}
}

// repeat sends some of what was accepted again.
func (l *ledger) repeat() {
	c := newHTTP()
	defer c.CloseIdleConnections()
	left := 200
	for id, a := range l.accepted {
		if left--; left < 0 {
			return
		}
		_, results, ok := l.n.post(c, "application/json", fmt.Sprintf("{\"device\":%q,\"id\":%q,\"payload\":[%q]}", a.device, id, id))
		if !ok || len(results) != 1 || !results[0].Duplicate || results[0].Seq != a.seq || !results[0].isAccepted() {
			l.t.Errorf("%s was accepted as number %d of %s; again: %+v", id, a.seq, a.device, results)
		}
	}
}

// settle waits until devices have handled what was accepted, and compares.
func (l *ledger) settle(devices []*device) {
	missing := func() (n int) {
		for _, d := range devices {
			d.mu.Lock()
			n -= len(d.handled)
			d.mu.Unlock()
		}
		return n + len(l.accepted)
	}
	for end := time.Now().Add(15 * time.Second); missing() > 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	for _, d := range devices {
		d.mu.Lock()
		for id, n := range d.handled {
			if a, ok := l.accepted[id]; !ok || a.device != d.id {
				l.t.Errorf("%s handled %s, which was accepted for %q", d.id, id, a.device)
			}
			if n != 1 {
				l.t.Errorf("%s handled %s %d times", d.id, id, n)
			}
		}
		for id, a := range l.accepted {
			if a.device == d.id && d.handled[id] == 0 {
				l.t.Errorf("%s (number %d) was accepted for %s and never came", id, a.seq, d.id)
			}
		}
		d.mu.Unlock()
	}
}

// device counts what it handles.
type device struct {
	id   string
	done chan struct{} // closed when it has ended

	mu      sync.Mutex
	handled map[string]int
}

// startDevices starts some devices, half of them in each form. They dial only
// while the node is there, so that nobody has to wait for them to back off.
func startDevices(ctx context.Context, t testing.TB, n *node) (devices []*device) {
	for i := range 12 {
		connected, once := make(chan struct{}), sync.Once{}
		d := &device{id: fmt.Sprint("d", i), done: make(chan struct{}), handled: map[string]int{}}
		c, err := client.New(client.Options{URL: "ws://" + n.listen, Device: d.id, Protocol: wire.Format(i % 2),
			OnMessage: func(m client.Message) {
				d.mu.Lock()
				defer d.mu.Unlock()
				if !strings.Contains(string(m.Payload), `"`+m.ID+`"`) {
					t.Errorf("%s got %s with payload %s", d.id, m.ID, m.Payload)
				}
				d.handled[m.ID]++
			},
			OnState: func(s client.State) {
				if s.Phase == client.Connected {
					once.Do(func() { close(connected) })
				}
			},
			Dial: func(ctx context.Context, addr string) (net.Conn, error) {
				n.mu.Lock()
				defer n.mu.Unlock()
				return new(net.Dialer).DialContext(ctx, "tcp", addr)
			}})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer close(d.done)
			c.Run(ctx)
		}()
		<-connected
		devices = append(devices, d)
	}
	return devices
}
