package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/presence"
)

// live sends and checks what became of it.
func (n *node) live(t testing.TB, device, payload string, want Status, cause error) {
	t.Helper()
	got, err := n.m.Live(context.Background(), device, text(payload))
	if got != want || !errors.Is(err, cause) || cause == nil && err != nil {
		t.Errorf("a live message from %s to %s: %v, %v; want %v, %v", n.id, device, got, err, want, cause)
	}
}

func TestLiveToTheOwner(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		d := r.device("n2")
		r.at(2).connect(d)
		r.at(1).live(t, d, "a", StatusWritten, nil)
		r.at(2).gotLives(t, d+" a")
		s := r.at(1).m.Stats()
		if s.Hits[Neither] != 1 || s.Misses[Neither] != 0 || s.Asked != 0 || s.Sent[fanout.KindLive] != 1 || s.Received[fanout.KindResult] != 1 {
			t.Errorf("one hop, without presence: %+v", s)
		}
	})
}

// TestLiveElsewhere: the owner does not have it, presence knows who does.
func TestLiveElsewhere(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		d := r.device("n2")
		r.at(3).connect(d)
		r.at(1).live(t, d, "a", StatusWritten, nil)
		r.at(3).gotLives(t, d+" a")
		r.at(2).gotLives(t)
		s := r.at(1).m.Stats()
		if s.Misses[Neither] != 1 || s.Forwarded != 1 || s.Asked != 1 || s.Sent[fanout.KindLive] != 2 {
			t.Errorf("two hops: %+v", s)
		}
		// From the owner itself there is one hop.
		r.at(2).live(t, d, "b", StatusWritten, nil)
		r.at(3).gotLives(t, d+" a", d+" b")
		if s := r.at(2).m.Stats(); s.Sent[fanout.KindLive] != 1 {
			t.Errorf("from the owner: %+v", s)
		}
		// To a device that has come to the asker meanwhile, none.
		r.at(1).connect(d)
		r.at(3).vanish(d)
		r.at(1).live(t, d, "c", StatusWritten, nil)
		r.at(1).gotLives(t, d+" c")
	})
}

func TestLiveToNobody(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		d := r.device("n2")
		r.at(1).live(t, d, "never seen", StatusOffline, nil)
		r.at(2).connect(d)
		r.at(2).vanish(d) // presence does not know yet
		r.at(1).live(t, d, "just gone", StatusOffline, nil)
		if s := r.at(1).m.Stats(); s.Misses != [sides]uint64{} || s.Forwarded != 0 {
			t.Errorf("nobody is no miss: %+v", s)
		}
		big := &Message{Payload: make([]byte, fanout.MaxPayload+1)}
		if _, err := r.at(1).m.Live(t.Context(), d, big); !errors.Is(err, fanout.ErrTooLarge) {
			t.Errorf("more than a megabyte: %v", err)
		}
	})
}

// TestLiveNodeGone: nobody listens as the owner, so presence is asked at once.
func TestLiveNodeGone(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		d := r.device("n2")
		r.at(3).connect(d)
		r.at(2).end()
		began := time.Now()
		r.at(1).live(t, d, "a", StatusWritten, nil)
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		r.at(3).gotLives(t, d+" a")
		// And the device that was on it is offline, without an error: nobody took it.
		gone := r.device("n2")
		r.at(1).live(t, gone+"x", "b", StatusOffline, nil)
		if s := r.at(1).m.Stats(); s.Nobody == 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestLiveSilentNode: the owner hangs. Its device has come to another node, or not.
func TestLiveSilentNode(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		d := r.device("n2")
		r.at(2).set(func(n *node) { n.hold = true })
		r.at(2).connect(d)
		began := time.Now()
		r.at(1).live(t, d, "a", StatusOffline, ErrSilent)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		r.at(3).connect(d)
		r.at(1).live(t, d, "b", StatusWritten, nil)
		r.at(3).gotLives(t, d+" b")
		r.at(2).release(StatusWritten)
		synctest.Wait()
		s := r.at(1).m.Stats()
		if s.Silent != 2 || s.Late != 2 || s.Requests.Open != 0 {
			t.Errorf("two silences, and two answers too late: %+v", s)
		}
	})
}

// TestLiveWhilePresenceIsDown: the ring still finds what is where it should be, and two rings find what is
// where either says.
func TestLiveWhilePresenceIsDown(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		stable := r.holder.Load().Routes.Stable()
		canary := r.ring(2, "n1", "n2")
		r.active(&cluster.Active{Routes: ring.NewRoutes(stable, canary, ring.ShareUnit),
			Pointer: cluster.Pointer{Stable: 1, StableHash: 0xa1, Canary: 2, CanaryHash: 0xa2, Share: ring.ShareUnit, Trial: 2, Activation: 11}})
		moved := "" // by the canary from n3 to n2
		for i := range 10_000 {
			d := fmt.Sprint("moved-", i)
			if i, j := stable.Lookup(d), canary.Lookup(d); stable.Node(i).ID == "n3" && canary.Node(j).ID == "n2" {
				moved = d
				break
			}
		}
		r.at(3).connect(moved)
		home := r.device("n2")
		r.at(2).connect(home)
		r.presence.SetDown(true)
		r.at(1).live(t, home, "a", StatusWritten, nil)
		r.at(1).live(t, moved, "b", StatusWritten, nil)
		r.at(3).gotLives(t, moved+" b")
		r.active(&cluster.Active{Routes: ring.NewRoutes(canary, nil, 0), Pointer: cluster.Pointer{Stable: 2, StableHash: 0xa2, Activation: 12}})
		r.at(1).live(t, moved, "c", StatusOffline, presence.ErrDown)
	})
}

func TestLiveWhileTheBusIsDown(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		d := r.device("n2")
		r.at(2).connect(d)
		r.hub.SetDown(true)
		r.at(1).live(t, d, "a", StatusOffline, fanout.ErrDown)
		r.hub.SetDown(false)
		r.at(1).live(t, d, "b", StatusWritten, nil)
		if s := r.at(1).m.Stats(); s.Failed != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestLiveOnce: copies of an envelope are done once, and answered once; one that comes after
// its deadline is not done.
func TestLiveOnce(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		d := r.device("n2")
		r.at(2).connect(d)
		r.hub.SetFault(func(fanout.Flight) fanout.Fault { return fanout.Fault{Copies: 3} })
		r.at(1).live(t, d, "a", StatusWritten, nil)
		synctest.Wait()
		r.at(2).gotLives(t, d+" a")
		if s := r.at(2).m.Stats(); s.Repeated != 3 {
			t.Errorf("%+v", s)
		}
		r.hub.SetFault(func(f fanout.Flight) fanout.Fault { return fanout.Fault{Delay: 3 * time.Second} })
		r.at(1).live(t, d, "b", StatusOffline, ErrSilent)
		time.Sleep(5 * time.Second)
		r.at(2).gotLives(t, d+" a")
		if s := r.at(2).m.Stats(); s.Expired != 1 {
			t.Errorf("%+v", s)
		}
		r.hub.SetFault(func(f fanout.Flight) fanout.Fault { return fanout.Fault{Drop: f.Kind == fanout.KindResult} })
		r.at(1).live(t, d, "c", StatusOffline, ErrSilent)
		r.at(2).gotLives(t, d+" a", d+" c")
	})
}

// TestLiveIsCancelled: the caller's context ends it, and that is nobody's failure.
func TestLiveIsCancelled(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		d := r.device("n2")
		r.at(2).set(func(n *node) { n.hold = true })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		began := time.Now()
		_, err := r.at(1).m.Live(ctx, d, text("a"))
		if !errors.Is(err, context.Canceled) || time.Since(began) != 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		r.at(2).release(StatusOffline)
	})
}

// TestLiveCarriesEverything: what is sent is what arrives.
func TestLiveCarriesEverything(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		d := r.device("n2")
		got := make(chan Message, 1)
		r.at(2).m.o.Local = &spy{node: r.at(2), live: func(m *Message) {
			got <- Message{m.Class, m.Raw, m.TTL, bytes.Clone(m.ID), bytes.Clone(m.Topic), bytes.Clone(m.Payload), bytes.Clone(m.Trace)}
		}}
		want := Message{Class: 2, Raw: true, TTL: 60, ID: []byte("id"), Topic: []byte("fw/eu"), Payload: []byte{0, 1, 2},
			Trace: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}
		_, _ = r.at(1).m.Live(t.Context(), d, &want)
		if m := <-got; string(m.ID) != "id" || string(m.Topic) != "fw/eu" || !bytes.Equal(m.Payload, want.Payload) || !bytes.Equal(m.Trace, want.Trace) ||
			m.Class != 2 || !m.Raw || m.TTL != 60 {
			t.Errorf("%+v, want %+v", m, want)
		}
		want.Trace = []byte("short")
		_, _ = r.at(1).m.Live(t.Context(), d, &want)
		if m := <-got; len(m.Trace) != 0 {
			t.Errorf("a traceparent that is none: %q", m.Trace)
		}
	})
}

// spy looks at messages on their way.
type spy struct {
	*node
	live func(m *Message)
}

func (s *spy) Live(device []byte, m *Message, answer func(Status)) {
	s.live(m)
	s.node.Live(device, m, answer)
}
