package redisinbox

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"roost/server/inbox"
	"roost/server/testredis"
)

// TestLostUnseen: what a failover has lost of a device that is away, and that nobody but the node that has stored it knows of, shows
// as a new stream, once that node has another connection.
func TestLostUnseen(t *testing.T) {
	for _, row := range []struct {
		name  string
		put   func(n *node)
		since int // messages that others have stored in its place
		lost  bool
	}{
		{"one message", func(n *node) { n.put("d", "", "lost", 60) }, 0, true},
		{"one, another in its place", func(n *node) { n.put("d", "", "lost", 60) }, 1, true},
		{"one, more in its place", func(n *node) { n.put("d", "", "lost", 60) }, 3, true},
		{"to all", func(n *node) {
			if err := n.do(spread("", "", "lost")); err != nil {
				n.tb.Fatal(err)
			}
		}, 0, true},
		{"nothing", func(*node) {}, 2, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			server, clock := testredis.Start(t), newClock()
			var dials atomic.Int32
			n, other := start(t, server, clock, func(o *Options) {
				o.Dial = func(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
					dials.Add(1)
					return d.DialContext(ctx, "tcp", addr)
				}
			}), start(t, server, clock)
			o := other.open("d")
			other.Leave(o.Ref, o.Fence)
			n.put("d", "", "1", 60)
			n.maintain()
			copyKeys(t, server, "inbox:{d}", "past:{d}")
			row.put(n)
			copyKeys(t, server, "past:{d}", "inbox:{d}")
			for i := range row.since {
				other.put("d", "", fmt.Sprint("since ", i), 60)
			}
			before := dials.Load()
			server.Text("CLIENT", "KILL", "TYPE", "normal")
			testredis.Await(t, "the node has another connection", func() bool { n.maintain(); return dials.Load() > before })
			testredis.Await(t, "it has looked", func() bool { n.maintain(); return !n.redis.dialed.Load() && len(n.audits) == 0 })
			third := start(t, server, clock)
			back := third.open("d", o.Epoch, 0)
			if back.Resumed == row.lost || (back.Epoch != o.Epoch) != row.lost || back.Fence <= o.Fence {
				t.Errorf("%+v after %+v", back, o)
			}
			if got := n.Counts().Lost > 0; got != row.lost {
				t.Errorf("lost: %d", n.Counts().Lost)
			}
			if got := third.fetch(back, 1); len(got) != 1+row.since {
				t.Errorf("what is held: %q", got)
			}
			n.check()
		})
	}
}

// TestAcceptedBounded: what is remembered is bounded, the latest of each device, and nothing where replicas are waited for.
func TestAcceptedBounded(t *testing.T) {
	a := accepted{last: map[string]acceptance{}}
	for i := range 5 * acceptedMost {
		a.note(fmt.Sprint(i%(3*acceptedMost/2)), acceptance{seq: uint64(i)})
	}
	all := a.all()
	if len(all) < acceptedMost || len(all) > 2*acceptedMost {
		t.Errorf("%d devices", len(all))
	}
	if last := 5*acceptedMost - 1; all[fmt.Sprint(last%(3*acceptedMost/2))].seq != uint64(last) {
		t.Error("the latest is not known")
	}
	s := &Store{memory: accepted{last: map[string]acceptance{}}, opt: Options{Replicas: 1}}
	if s.accepted("d", nil, inbox.Epoch{}, 1, 1); len(s.memory.all()) != 0 {
		t.Error("it is remembered though a replica has it")
	}
}
