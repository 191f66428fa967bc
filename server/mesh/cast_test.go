package mesh

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"roost/server/cluster"
	"roost/server/fanout"
)

func TestCastWithoutWait(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		r.at(2).m.Join("fw", nil)
		r.at(1).m.Join("fw", nil)
		synctest.Wait()
		for _, topic := range []string{"fw", ""} {
			if c, err := r.at(1).m.Cast(t.Context(), topic, text("a"), CastOptions{Pace: 50, Latest: topic != ""}); err != nil || c != (Counts{}) {
				t.Errorf("%q: %+v, %v", topic, c, err)
			}
			synctest.Wait() // channels have no order among themselves
		}
		r.at(1).gotCasts(t)
		r.at(2).gotCasts(t, "fw a true 50", " a false 50")
		r.at(3).gotCasts(t, " a false 50")
		r.hub.SetDown(true)
		if _, err := r.at(1).m.Cast(t.Context(), "", text("b"), CastOptions{}); !errors.Is(err, fanout.ErrDown) {
			t.Errorf("while the bus is down: %v", err)
		}
	})
}

// TestCastWithWait: each member is asked, and one that is silent is counted.
func TestCastWithWait(t *testing.T) {
	play(t, 4, func(t *testing.T, r *rig) {
		r.at(2).set(func(n *node) { n.counts = Counts{Written: 3, Queued: 2, Dropped: 1} })
		r.at(3).set(func(n *node) { n.counts = Counts{Written: 10} })
		r.at(4).set(func(n *node) { n.mute = true })
		began := time.Now()
		c, err := r.at(1).m.Cast(t.Context(), "fw", text("a"), CastOptions{Wait: time.Second})
		if want := (Counts{Nodes: 2, Silent: 1, Receivers: 16, Written: 13, Queued: 2, Dropped: 1}); c != want || err != nil {
			t.Errorf("%+v, %v; want %+v", c, err, want)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		r.at(4).set(func(n *node) { n.mute = false })
		r.at(3).end() // and yet a member
		began = time.Now()
		c, err = r.at(1).m.Cast(t.Context(), "", text("b"), CastOptions{Wait: time.Second})
		if want := (Counts{Nodes: 2, Silent: 1, Receivers: 6, Written: 3, Queued: 2, Dropped: 1}); c != want || err != nil {
			t.Errorf("%+v, %v; want %+v", c, err, want)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("a node that nobody listens as was waited for: %v", took)
		}
		r.hub.SetDown(true)
		if c, err = r.at(1).m.Cast(t.Context(), "", text("c"), CastOptions{Wait: time.Second}); !errors.Is(err, fanout.ErrDown) || c.Silent != 3 {
			t.Errorf("while the bus is down: %+v, %v", c, err)
		}
		r.members("n1")
		if c, err = r.at(1).m.Cast(t.Context(), "", text("c"), CastOptions{Wait: time.Second}); err != nil || c != (Counts{}) {
			t.Errorf("without others: %+v, %v", c, err)
		}
	})
}

// TestCastWithoutMembers: a node that etcd has told nothing asks those of its rings.
func TestCastWithoutMembers(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		r.holder.view.Store(&cluster.View{})
		if c, err := r.at(1).m.Cast(t.Context(), "", text("a"), CastOptions{Wait: time.Second}); err != nil || c.Nodes != 2 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

func TestCastOnce(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		r.hub.SetFault(func(fanout.Flight) fanout.Fault { return fanout.Fault{Copies: 2} })
		if _, err := r.at(1).m.Cast(t.Context(), "", text("a"), CastOptions{}); err != nil {
			t.Error(err)
		}
		synctest.Wait() // another queue
		if c, err := r.at(1).m.Cast(t.Context(), "", text("b"), CastOptions{Wait: time.Second}); err != nil || c.Nodes != 1 {
			t.Errorf("%+v, %v", c, err)
		}
		synctest.Wait()
		r.at(2).gotCasts(t, " a false 0", " b false 0")
	})
}

func TestCountsArePacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, countMost)
		c := Counts{Written: n.Draw(t, "written"), Queued: n.Draw(t, "queued"), Dropped: n.Draw(t, "dropped")}
		c.Receivers = c.Written + c.Queued + c.Dropped
		if got := unpack(pack(c)); got != c {
			t.Fatalf("%+v, want %+v", got, c)
		}
	})
	if got := unpack(pack(Counts{Written: -1, Queued: countMost + 5})); got.Written != 0 || got.Queued != countMost || got.Dropped != 0 {
		t.Errorf("out of bounds: %+v", got)
	}
}

// TestSpread: those who listen to the topic are told; what is stored before a node listens
// it looks for itself.
func TestSpread(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		joined := 0
		for range 2 {
			r.at(2).m.Join("fw", func() { joined++ })
		}
		synctest.Wait()
		if r.at(2).gotSpreads(t, "fw"); joined != 2 {
			t.Errorf("told %d times", joined)
		}
		r.at(2).forget()
		r.at(1).m.Spread("fw")
		synctest.Wait() // another queue
		r.at(1).m.Spread("")
		synctest.Wait()
		r.at(2).gotSpreads(t, "fw", "")
		r.at(3).gotSpreads(t, "")
		r.at(2).m.Leave("fw")
		r.at(1).m.Spread("fw")
		synctest.Wait()
		r.at(2).gotSpreads(t, "fw", "", "fw")
		r.at(2).m.Leave("fw")
		r.at(1).m.Spread("fw")
		synctest.Wait()
		r.at(2).gotSpreads(t, "fw", "", "fw")
	})
}

func TestTooManyTopics(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		told := false
		r.at(1).m.Join("", func() { told = true }) // no topic has this name
		synctest.Wait()
		if s := r.at(1).m.Stats(); s.Deaf != 1 || !told {
			t.Errorf("%+v, told %v", s, told)
		}
		r.at(1).m.Leave("")
	})
}

// TestSpreadIsOwed: what the bus does not take, all are told later.
func TestSpreadIsOwed(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		r.hub.SetCut("n1", true)
		r.at(1).m.Spread("fw")
		time.Sleep(20 * time.Second)
		if s := r.at(1).m.Stats(); s.Debts != 1 {
			t.Errorf("%+v", s)
		}
		r.at(2).gotSweeps(t)
		r.hub.SetCut("n1", false)
		time.Sleep(debtLast + time.Second)
		r.at(2).gotSweeps(t, true)
		r.at(3).gotSweeps(t, true)
		if s := r.at(1).m.Stats(); s.Debts != 0 {
			t.Errorf("%+v", s)
		}
	})
}
