package server

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	gobwas "github.com/gobwas/ws"

	"roost/server/inbox"
)

// TestConsistencyWhileConnecting: a device that is registered and not yet
// upgraded is no mistake in the books.
func TestConsistencyWhileConnecting(t *testing.T) {
	s := start(t, nil)
	s.events.n.Add(1) // somebody listens, and connecting waits for events.mu
	s.events.mu.Lock()
	go func() {
		defer s.events.mu.Unlock()
		for s.registry.Len() == 0 {
		}
		if c, err := s.Consistency(t.Context()); err != nil || !c.OK || c.Online != 1 {
			t.Errorf("while it connects: %+v, %v", c, err)
		}
	}()
	device(t, s, "device=d1", "roost.v1.json")
	s.events.n.Add(-1)
}

// removing is a store in which a device is removed between its Open and the
// registration of its connection.
type removing struct {
	inbox.Store
	remove func(id string)
}

func (r *removing) Open(id []byte, resume inbox.Resume) (inbox.Opened, error) {
	o, err := r.Store.Open(id, resume)
	r.remove(string(id))
	return o, err
}

// TestRemovedWhileConnecting: the removal finds no connection to close, and the
// device must not stay connected as nobody.
func TestRemovedWhileConnecting(t *testing.T) {
	var node atomic.Pointer[Server]
	store := &removing{Store: inbox.NewMemory(inbox.Limits{}, nil)}
	store.remove = func(id string) {
		if err := node.Load().RemoveDevice(context.Background(), id); err != nil {
			t.Error(err)
		}
	}
	s := start(t, func(o *Options) { o.Inbox = store })
	node.Store(s)
	p := dial(t, s, "/v1/connect?device=d1", "roost.v1.json")
	p.expectClose(int(CloseRemoved))
}

// TestUnsubscribeFlood: requests that are pipelined by the thousand are all
// answered, and the last word on each topic counts.
func TestUnsubscribeFlood(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	for _, n := range []int{127, 255, 256, 3000} {
		var flood bytes.Buffer
		say := func(format string, args ...any) {
			gobwas.WriteFrame(&flood, gobwas.MaskFrame(gobwas.NewTextFrame(fmt.Appendf(nil, format, args...))))
		}
		say(`{"t":"sub","r":1,"ch":"a"}`)
		for i := range n {
			say(`{"t":"unsub","r":%d,"ch":"b%d"}`, i+2, i)
		}
		say(`{"t":"unsub","r":%d,"ch":"a"}`, n+2)
		go p.nc.Write(flood.Bytes())
		answered := map[int]int{}
		last := ""
		for len(answered) < n+2 {
			var r int
			msg := string(p.read())
			if _, err := fmt.Sscanf(msg, `{"t":"res","r":%d,`, &r); err != nil {
				t.Fatalf("%d: %q", n, msg)
			}
			if answered[r]++; r == n+2 {
				last = msg
			}
		}
		info, err := s.Device(t.Context(), "d1")
		if err != nil || strings.Contains(last, `"ok":true`) && len(info.Topics) != 0 {
			t.Errorf("%d: it was told %q, and is in %v (%v)", n, last, info.Topics, err)
		}
		if status, answer := request(t, s, http.MethodDelete, "/v1/devices/d1/topics/a", ""); status != http.StatusNoContent {
			t.Fatalf("%d %s", status, answer)
		}
	}
}

// holding is a store that keeps subscriptions until it is told to store them.
type holding struct {
	inbox.Store
	held chan *inbox.Commit
}

func (h *holding) Commit(c *inbox.Commit) {
	if _, ok := c.Ops[0].(*inbox.Subscription); ok {
		h.held <- c
		return
	}
	h.Store.Commit(c)
}

// TestSubscriptionOverConnections: a device asks, loses its connection and is back
// before the store has done it. What it asked holds on the new connection.
func TestSubscriptionOverConnections(t *testing.T) {
	store := &holding{inbox.NewMemory(inbox.Limits{}, nil), make(chan *inbox.Commit, 4)}
	s := start(t, func(o *Options) { o.Inbox = store })
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	p.send(`{"t":"sub","r":1,"ch":"a"}`)
	sub := <-store.held
	p.nc.Close()
	eventually(t, "the device is away", func() bool { return s.registry.Len() == 0 })
	p, _ = device(t, s, "device=d1", "roost.v1.json")
	store.Store.Commit(sub)
	eventually(t, "it is in the topic", func() bool { return s.subscriptions.Load() == 1 })
	publish(t, s, `{"topic":"a","payload":1}`)
	p.expect(`{"t":"msg","ch":"a","p":1}`)

	p.send(`{"t":"unsub","r":2,"ch":"a"}`)
	unsub := <-store.held
	p.nc.Close()
	eventually(t, "the device is away", func() bool { return s.registry.Len() == 0 })
	device(t, s, "device=d1", "roost.v1.json")
	eventually(t, "it is still in the topic", func() bool { return s.subscriptions.Load() == 1 })
	store.Store.Commit(unsub)
	eventually(t, "it is out of the topic", func() bool { return s.subscriptions.Load() == 0 })
}
