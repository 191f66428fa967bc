package fanout

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestFaults(t *testing.T) {
	var h Hub
	w := &world{bus: func(o Options) (Bus, error) { return h.Bus(o) }}
	a, b, c := w.start(t, "a", nil), w.start(t, "b", nil), w.start(t, "c", nil)
	h.SetFault(func(f Flight) Fault {
		if f.From != "a" || f.To != "b" || f.Kind != KindLive {
			return Fault{}
		}
		return Fault{Drop: f.Channel == ToAll(), Copies: 2}
	})
	a.must(ToNode("b"), live("thrice"), 1)
	a.must(ToAll(), live("dropped for b"), 3)
	b.awaitPayloads(QueueInbox, "thrice", "thrice", "thrice")
	c.awaitPayloads(QueueAll, "dropped for b")
	h.SetFault(nil)
	a.must(ToAll(), live("to all"), 3)
	b.awaitPayloads(QueueAll, "to all")

	h.Partition([]string{"a"}, []string{"b"})
	a.must(ToNode("b"), live("x"), 0)
	c.must(ToNode("a"), live("x"), 0)
	a.must(ToAll(), live("x"), 1)
	h.Partition()
	a.must(ToNode("b"), live("y"), 1)

	h.SetCut("b", true)
	b.await("it is told", func() bool { return b.told(&b.downs) == 1 })
	a.must(ToNode("b"), live("z"), 0)
	if _, err := sendAndWait(t.Context(), b, ToNode("a"), live("z")); !errors.Is(err, ErrDown) {
		t.Errorf("a node that is cut off sends: %v", err)
	}
	if !a.State().Up || b.State().Up {
		t.Error("the wrong one is down")
	}
	h.SetCut("b", false)
	b.await("it is up again", func() bool { return b.told(&b.ups) == 2 && b.State().Up })
}

func TestDelayInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Hub
		var got time.Time
		began := time.Now()
		m, err := h.Bus(Options{Node: "a", Handlers: Handlers{Inbox: func([]Envelope) { got = time.Now() }}})
		if err != nil {
			t.Fatal(err)
		}
		h.SetFault(func(Flight) Fault { return Fault{Delay: time.Hour} })
		m.Post(ToNode("a"), live("x"), nil)
		time.Sleep(time.Hour + 1)
		synctest.Wait()
		if got.Sub(began) != time.Hour {
			t.Errorf("it came after %v", got.Sub(began))
		}
		m.Close()
	})
}

// TestFaultsModel: whatever is dropped, doubled, cut or partitioned, each node gets just what
// the model says, in order.
func TestFaultsModel(t *testing.T) {
	names := []string{"a", "b", "c"}
	rapid.Check(t, func(rt *rapid.T) {
		var h Hub
		w := &world{bus: func(o Options) (Bus, error) { return h.Bus(o) }}
		nodes, want, cut, parted := map[string]*node{}, map[string][]string{}, map[string]bool{}, ""
		for _, id := range names {
			n := w.begin(t, id, nil)
			defer n.Close()
			nodes[id] = n
		}
		var fault Fault
		h.SetFault(func(Flight) Fault { return fault })
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			from, to := rapid.SampledFrom(names).Draw(rt, "from"), rapid.SampledFrom(names).Draw(rt, "to")
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				cut[from] = !cut[from]
				h.SetCut(from, cut[from])
			case 1:
				parted = rapid.SampledFrom([]string{"", from}).Draw(rt, "parted")
				h.Partition([]string{parted})
			case 2:
				fault = Fault{Drop: rapid.Bool().Draw(rt, "drop"), Copies: rapid.IntRange(0, 2).Draw(rt, "copies")}
			default:
				text := rapid.StringMatching("[a-z]{0,8}").Draw(rt, "text")
				n, err := sendAndWait(t.Context(), nodes[from], ToNode(to), live(text))
				reached := !cut[from] && !cut[to] && (parted == from) == (parted == to)
				if (err != nil) != cut[from] || (n == 1) != reached {
					rt.Fatalf("%s to %s: %d, %v; want reached %v", from, to, n, err, reached)
				}
				if reached && !fault.Drop {
					want[to] = append(want[to], slices.Repeat([]string{text}, 1+fault.Copies)...)
				}
			}
		}
		for id, n := range nodes {
			n.await("all", func() bool { return len(n.payloads(QueueInbox)) >= len(want[id]) })
			if got := n.payloads(QueueInbox); !slices.Equal(got, want[id]) {
				rt.Fatalf("%s got %s, want %s", id, strings.Join(got, " "), strings.Join(want[id], " "))
			}
		}
	})
}
