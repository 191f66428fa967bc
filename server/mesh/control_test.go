package mesh

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/presence"
)

func TestSubscribed(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		r.at(2).connect("d")
		r.at(1).m.Subscribed("d", "fw", true)
		r.at(1).m.Subscribed("d", "fw", false)
		synctest.Wait()
		r.at(2).m.Subscribed("d", "eu", true)     // it is here
		r.at(1).m.Subscribed("nobody", "x", true) // it is nowhere: what is stored is what it gets
		synctest.Wait()
		noted(t, r.at(2), "subscriptions", func() []string { return r.at(2).subs }, "d fw true", "d fw false", "d eu true")
		r.presence.SetDown(true)
		r.at(1).m.Subscribed("d", "fw", true)
		synctest.Wait()
		noted(t, r.at(2), "subscriptions", func() []string { return r.at(2).subs }, "d fw true", "d fw false", "d eu true")
	})
}

func TestControl(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		r.at(2).connect("d")
		r.at(2).connect("d") // fence 2
		for i, want := range []string{"d 2 4301 away with you", "d 2 4301 away with you"} {
			if found, err := r.at(i+1).m.Control(t.Context(), "d", 4301, "away with you"); !found || err != nil {
				t.Errorf("from n%d: %v, %v", i+1, found, err)
			}
			synctest.Wait()
			noted(t, r.at(2), "controls", func() []string { return r.at(2).controls[i:] }, want)
		}
		if found, err := r.at(1).m.Control(t.Context(), "nobody", 4301, ""); found || err != nil {
			t.Errorf("nobody: %v, %v", found, err)
		}
		r.at(2).end()
		if found, err := r.at(1).m.Control(t.Context(), "d", 4301, ""); found || err != nil {
			t.Errorf("a node that is gone: %v, %v", found, err)
		}
		r.presence.SetDown(true)
		if found, err := r.at(1).m.Control(t.Context(), "d", 4301, ""); found || !errors.Is(err, presence.ErrDown) {
			t.Errorf("without presence: %v, %v", found, err)
		}
	})
}

// TestWhatIsNotKnown: kinds, codes and statuses of later versions are left alone.
func TestWhatIsNotKnown(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		for _, e := range []fanout.Envelope{
			{Kind: fanout.KindPublish, Device: []byte("d")},
			{Kind: fanout.KindControl, Code: codeSubscribed},
			{Kind: fanout.KindControl, Device: []byte("d"), Code: 999},
			{Kind: fanout.Kind(77), Device: []byte("d")},
		} {
			r.at(1).m.bus.Post(fanout.ToNode("n2"), &e, nil)
		}
		synctest.Wait()
		if s := r.at(2).m.Stats(); s.Ignored != 3 || r.at(2).m.State().Unknown != 1 {
			t.Errorf("%+v; %+v", s, r.at(2).m.State())
		}
		noted(t, r.at(2), "all", func() []string { return append(append(r.at(2).lives, r.at(2).controls...), r.at(2).subs...) })
		if known(77) != StatusQueued || known(uint8(StatusRefused)) != StatusRefused || Status(77).String() != "newer" {
			t.Error("statuses of later versions")
		}
	})
}

// TestAnswersGoTogether: those of a batch in one envelope, those that come while one is under way in the
// next.
func TestAnswersGoTogether(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		r.at(2).set(func(n *node) { n.hold = true })
		const n = 300
		var got []func() Status
		r.at(2).connect("d")
		for i := range n {
			got = append(got, r.at(1).notice("n2:7", "d", uint64(i), time.Minute))
		}
		synctest.Wait()
		r.at(2).m.replies.hold()
		r.at(2).release(StatusAcknowledged)
		r.at(2).m.replies.release()
		for _, g := range got {
			told(t, g, StatusAcknowledged)
		}
		if sent := r.at(2).m.Stats().Sent[fanout.KindResult]; sent != 1 {
			t.Errorf("%d answers took %d envelopes", n, sent)
		}
	})
}

// TestAnswersAreBounded: a node that nobody hears does not keep what nobody will read.
func TestAnswersAreBounded(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		rs := &r.at(2).m.replies
		rs.hold()
		a := rs.asker([]byte("n1"))
		for i := range 200_000 {
			rs.answer(a, fanout.Result{ID: uint64(i), Status: 1})
		}
		if n := len(a.results); n > fanout.MaxPayload {
			t.Errorf("%d bytes wait", n)
		}
		rs.release()
		synctest.Wait()
		if s := r.at(2).m.Stats(); s.Unanswered == 0 || s.Sent[fanout.KindResult] != 1 || s.Failed != 0 {
			t.Errorf("%+v", s)
		}
		for i := range 2 * maxAskers {
			rs.asker([]byte(fmt.Sprint("nobody-", i)))
		}
		if n := len(rs.by); n > maxAskers {
			t.Errorf("%d nodes are remembered", n)
		}
	})
}

func TestSeekers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s seekers
		var order []int
		gate := make(chan struct{})
		n := 0
		for i := 0; s.run(5, func() { <-gate; order = append(order, i) }); i++ {
			n++
			synctest.Wait()
		}
		if n != seekerMost+1 { // one is under way
			t.Errorf("%d are taken", n)
		}
		close(gate)
		s.close()
		for i, v := range order {
			if i != v {
				t.Fatalf("out of order: %v", order)
			}
		}
		if len(order) != n || s.run(5, func() {}) {
			t.Errorf("%d of %d are done; after the end another one is taken", len(order), n)
		}
	})
}

func TestOptions(t *testing.T) {
	full := func() Options {
		return Options{Self: "n1", Rings: &holder{}, Members: &holder{}, Where: &presence.Keeper{}, Local: &node{},
			Bus: func(fanout.Options) (fanout.Bus, error) { return nil, errors.New("no bus") }}
	}
	for name, spoil := range map[string]func(o *Options){
		"no self": func(o *Options) { o.Self = "" }, "no rings": func(o *Options) { o.Rings = nil }, "no local": func(o *Options) { o.Local = nil },
		"no bus": func(o *Options) { o.Bus = nil }, "a negative time": func(o *Options) { o.Deadline = -1 },
	} {
		o := full()
		spoil(&o)
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(full()); err == nil || errors.Is(err, ErrOptions) {
		t.Errorf("a bus that fails: %v", err)
	}
}

// TestAnyEnvelope: whatever comes, by whatever channel, harms nothing; the bus has checked its bounds.
func TestAnyEnvelope(t *testing.T) {
	r := &rig{t: t, log: slog.New(slog.DiscardHandler)}
	r.members("n1", "n2")
	r.active(&cluster.Active{Routes: ring.NewRoutes(r.ring(1, "n1", "n2"), nil, 0)})
	bus := &lastBus{}
	m, err := New(Options{Self: "n1", Rings: &r.holder, Members: &r.holder, Where: &presence.Keeper{}, Local: &node{r: r}, Log: r.log,
		Bus: func(o fanout.Options) (fanout.Bus, error) { bus.o = o; return bus, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	rapid.Check(t, func(t *rapid.T) {
		name := func(label string) []byte { return rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, label) }
		var batch []fanout.Envelope
		for range rapid.IntRange(1, 4).Draw(t, "batch") {
			batch = append(batch, fanout.Envelope{
				Kind: fanout.Kind(rapid.IntRange(1, 255).Draw(t, "kind")), Code: rapid.SampledFrom([]uint16{0, 1, 2, 999, 1000, 65535}).Draw(t, "code"),
				Part: rapid.Uint32().Draw(t, "part"), Wait: rapid.Uint32().Draw(t, "wait"), Tag: rapid.Uint32().Draw(t, "tag"), TTL: rapid.Uint32().Draw(t, "ttl"),
				ID: rapid.Uint64Range(0, 3).Draw(t, "id"), Fence: rapid.Uint64().Draw(t, "fence"), Deadline: rapid.Int64().Draw(t, "deadline"),
				Origin: name("origin"), Device: name("device"), Channel: name("channel"), Payload: name("payload"),
			})
		}
		for _, handler := range []func([]fanout.Envelope){bus.o.Handlers.Inbox, bus.o.Handlers.Replies, bus.o.Handlers.All, bus.o.Handlers.Topics} {
			handler(batch)
		}
	})
}

// lastBus takes nothing.
type lastBus struct {
	fanout.Bus
	o fanout.Options
}

func (b *lastBus) Post(_ fanout.Channel, _ *fanout.Envelope, done func(int, error)) {
	done(0, fanout.ErrDown)
}
func (b *lastBus) Close() {}
