package poller

import (
	"errors"
	"io"
	"math"
	"net/netip"
	"testing"
)

// TestStaleEventsReachNobody has many connections ready in one batch. The first
// to be called closes all others and dials new ones; no event of the closed may
// reach anybody, neither in the batch nor when slot and descriptor have a new
// owner.
func TestStaleEventsReachNobody(t *testing.T) {
	const n = 100
	for round := range 5 {
		var (
			first   = true
			old     = map[Handle]bool{}
			killer  Handle
			fresh   []Conn
			reused  tally
			opened  = make(chan Handle, 4*n)
			strange = make(chan Handle, 4*n)
			armed   = false
		)
		h := &script{
			open: func(c Conn) { opened <- c.Handle() },
			closed: func(c Conn, _ error) {
				if armed && old[c.Handle()] && !c.Dialed() && len(fresh) < n {
					// In its place, before the turn is over.
					if next, err := c.Loop().Dial(c.l.p.Addr(), netip.AddrPort{}); err == nil {
						fresh = append(fresh, next)
					} else if !errors.Is(err, ErrStopped) {
						t.Error(err)
					}
				}
			},
		}
		h.data = func(c Conn, b []byte) int {
			if !armed {
				return len(b)
			}
			if first {
				first, killer = false, c.Handle()
				for name := range old {
					if name != killer {
						c.Loop().Conn(name).Close(errTest)
					}
				}
				return len(b)
			}
			if string(b) != "new" {
				strange <- c.Handle()
			}
			return len(b)
		}
		p := start(t, Options{}, h)
		l := p.Loops()[0]
		var clients []*rawClient
		var names []Handle
		for range n {
			c, name := dialConn(t, p, 0, opened)
			defer c.close()
			clients = append(clients, c)
			names = append(names, name)
		}
		do(t, l, func(*Loop) {
			armed = true
			for i, name := range names {
				old[name] = true
				clients[i].Write([]byte("old")) // while the loop is held: ready together
			}
		})
		await(t, "slots have new owners", func() (ok bool) {
			do(t, l, func(l *Loop) {
				for _, c := range fresh {
					if c.Handle().gen() > 1 {
						reused.inc()
					}
				}
				ok = len(fresh) >= n-1 && reused.get() > 0
			})
			return ok
		})
		for range fresh {
			recv(t, "the new ones are up", opened)
		}
		do(t, l, func(l *Loop) {
			if old[killer] && !l.Conn(killer).Alive() {
				t.Error("the killer is dead")
			}
			for name := range old {
				if name == killer {
					continue
				}
				if c := l.Conn(name); c.Alive() || c.Write([]byte("to the wrong one"), Reliable) != Gone {
					t.Errorf("%s is alive", name)
				}
				c := l.Conn(name)
				c.Close(io.EOF)
				c.Finish(io.EOF)
				c.Pause()
				c.SetDeadline(1)
				c.SetVariant(1)
			}
			for _, c := range fresh {
				if s := c.get(); s == nil || s.flags&(flagPaused|flagDying|flagClosing) != 0 || s.variant != 0 {
					t.Errorf("%s was touched by the handle of its predecessor", c.Handle())
				}
			}
		})
		if len(strange) > 0 {
			t.Errorf("round %d: %s got input of another", round, <-strange)
		}
		if s := p.Stats(); s.Stale == 0 {
			t.Error("no event was stale: nothing was tested")
		}
		stop(t, p)
	}
}

// TestGenerationWraps: after 2^32 owners a slot starts again, never with the
// generation 0, which names nobody.
func TestGenerationWraps(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{NewHandler: func(*Loop) Handler { return h }}, nil) // handles come again
	l := p.Loops()[0]
	client, _ := dialConn(t, p, 0, opened)
	client.close()
	recv(t, "Closed", why)
	var before Handle
	do(t, l, func(l *Loop) { l.conns.At(0).gen = math.MaxUint32 })
	for i, want := range []uint32{math.MaxUint32, 1, 2} {
		client, name := dialConn(t, p, 0, opened)
		if name.gen() != want || name.Slot() != 0 || name == 0 {
			t.Errorf("owner %d is %s", i, name)
		}
		do(t, l, func(l *Loop) {
			if before != 0 && l.Conn(before).Alive() {
				t.Errorf("%s is alive beside %s", before, name)
			}
			l.connEvent(0, before.gen(), 0xffffffff) // an event of the one before
			if !l.Conn(name).Alive() {
				t.Errorf("%s was ended by an event of %s", name, before)
			}
		})
		before = name
		client.close()
		recv(t, "Closed", why)
	}
}
