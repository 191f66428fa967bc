package server

import (
	"context"
	"testing"

	"roost/server/api"
)

// TestPublisherGoesAway: what was stored is delivered also when its publisher does
// not wait for the answer, and what was removed is closed.
func TestPublisherGoesAway(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	p.send(`{"t":"sub","r":1,"ch":"fw"}`)
	p.expect(`{"t":"res","r":1,"ok":true}`)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for i, want := range []struct {
		p   api.Publication
		msg string
	}{
		{api.Publication{All: true, Class: api.ClassKept}, `{"t":"msg","seq":1,"ttl":86400,"p":1}`},
		{api.Publication{Topic: "fw", Class: api.ClassKept}, `{"t":"msg","seq":2,"ttl":86400,"ch":"fw","p":1}`},
		{api.Publication{Topic: "fw", Class: api.ClassLatest}, `{"t":"msg","ch":"fw","p":1}`},
		{api.Publication{Devices: []string{"d1"}, Class: api.ClassKept}, `{"t":"msg","seq":3,"ttl":86400,"p":1}`},
	} {
		want.p.Payload = []byte("1")
		if _, err := s.Publish(gone, []*api.Publication{&want.p}); err != nil && err != context.Canceled {
			t.Errorf("%d: %v", i, err)
		}
		p.expect(want.msg)
	}
	if err := s.RemoveDevice(gone, "d1"); err != nil && err != context.Canceled {
		t.Error(err)
	}
	p.expectClose(4305)
}

// TestLatestIsTheLast: however many publish to a topic at once, what devices have
// seen last is what the store has.
func TestLatestIsTheLast(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1&topic=fw", "roost.v1.json")
	eventually(t, "it is in the topic", func() bool { return s.subscriptions.Load() == 1 })
	const publishers, each = 4, 50
	for i := range publishers {
		go func() {
			for n := range each {
				pub := &api.Publication{Topic: "fw", Class: api.ClassLatest, Payload: []byte{'0' + byte(i), '0' + byte(n/10), '0' + byte(n%10)}}
				if _, err := s.Publish(context.Background(), []*api.Publication{pub}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	var last []byte
	for range publishers * each {
		last = p.read()
	}
	m, _ := s.store.LatestOf([]byte("fw"))
	if want := `{"t":"msg","ch":"fw","p":` + string(m.Payload) + `}`; string(last) != want {
		t.Errorf("the device has %s, the store %s", last, want)
	}
}
