//go:build !race

package mesh

import (
	"context"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/inbox"
	"roost/server/presence"
)

// taker is a bus that takes everything.
type taker struct {
	fanout.Bus
	o fanout.Options
}

func (b *taker) Post(_ fanout.Channel, _ *fanout.Envelope, done func(int, error)) { done(1, nil) }
func (b *taker) Close()                                                           {}

// nowhere is presence that knows nobody.
type nowhere struct{}

func (nowhere) Get(context.Context, ...string) ([]presence.Where, error) {
	return make([]presence.Where, 1), nil
}

// deaf is a Local that does nothing.
type deaf struct{ Local }

func (deaf) Live(_ []byte, _ *Message, answer func(Status))     { answer(StatusWritten) }
func (deaf) Noticed(*inbox.Notice, time.Duration, func(Status)) {}

// TestAllocs: what stands on the path of every publish. A notice allocates what the bus calls when it has
// it; an answer the function that gives it.
func TestAllocs(t *testing.T) {
	r := &rig{t: t}
	h := &r.holder
	r.members("n1", "n2", "n3")
	r.active(&cluster.Active{Routes: ring.NewRoutes(r.ring(1, "n1", "n2", "n3"), nil, 0), Pointer: cluster.Pointer{Stable: 1, Activation: 10}})
	bus := &taker{}
	m, err := New(Options{Self: "n1", Rings: h, Members: h, Where: nowhere{}, Local: deaf{},
		Bus: func(o fanout.Options) (fanout.Bus, error) { bus.o = o; return bus, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d := []byte("dev-12345")
	n := &inbox.Notice{Device: d, Epoch: []byte("e1"), Seq: 4, Fence: 2, Tag: 9}
	answer := func(Status) {}
	live := []fanout.Envelope{{Kind: fanout.KindLive, Origin: []byte("n2"), Device: d, ID: 1, Payload: d}}
	notice := []fanout.Envelope{{Kind: fanout.KindNotice, Origin: []byte("n2"), Device: d, Seq: 4}}
	for name, c := range map[string]struct {
		most float64
		f    func()
	}{
		"Owner":           {0, func() { m.Owner(d) }},
		"Route":           {0, func() { m.Route(d, nil) }},
		"Notice":          {1, func() { m.Notice("n2:7", n, 0, nil) }},
		"Notice answered": {1, func() { m.Notice("n2:7", n, 0, answer) }},
		"a notice comes":  {0, func() { bus.o.Handlers.Inbox(notice) }},
		// The function that answers, and the one that hears of it; what remembers the id grows now and then.
		"a live message comes": {4, func() { live[0].ID++; bus.o.Handlers.Inbox(live) }},
	} {
		if got := testing.AllocsPerRun(200, c.f); got > c.most {
			t.Errorf("%s allocates %v times, at most %v may be", name, got, c.most)
		}
	}
}
