package server

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
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
	var s *Server
	store := &removing{Store: inbox.NewMemory(inbox.Limits{}, nil)}
	store.remove = func(id string) {
		if err := s.RemoveDevice(context.Background(), id); err != nil {
			t.Error(err)
		}
	}
	s = start(t, func(o *Options) { o.Inbox = store })
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
