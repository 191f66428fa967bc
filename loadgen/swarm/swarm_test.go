package swarm

import (
	"testing"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

var _ Swarm = (*Worker)(nil)

func TestRampConnectsEverybody(t *testing.T) {
	for _, workers := range []int{1, 3} {
		f := newFake(t, &fake{})
		r := newRig(t, f.plain(200, ramp(150), ramp(200), scenario.Phase{For: time.Millisecond}), workers)
		c := r.run(0)
		if c.Dials != 150 || c.Established != 150 || c.Ready != 150 || f.alive() != 150 {
			t.Errorf("%d workers: %+v, %d at the server", workers, c, f.alive())
		}
		if c = r.run(1); c.Ready != 200 {
			t.Errorf("%d workers: %+v", workers, c)
		}
		r.begin(2)
		r.await("idle", func() bool { p := r.progress(); return p.Idle && p.PlanDone })
		r.finish(nil)
		for id, want := range map[tally.HistID]uint64{tally.Connect: 200, tally.Greeting: 200, tally.DialLag: 200} {
			if n := r.sum.Hists[id].Count(); n != want {
				t.Errorf("%s: %d recorded, want %d", id, n, want)
			}
		}
		if p := r.progress(); p.Connected != 200 || p.Goal != 200 {
			t.Errorf("%+v", p)
		}
	}
}

func TestPublishToAll(t *testing.T) {
	for _, workers := range []int{1, 2} {
		f := newFake(t, &fake{})
		r := newRig(t, f.plain(50, ramp(50), publish(scenario.ToAll, 200, 500*time.Millisecond)), workers)
		r.run(0)
		c := r.run(1)
		if c.Planned != 100 || c.Sent != 100 || c.Delivered != 5000 || c.Expected != 5000 {
			t.Errorf("%d workers: %+v", workers, c)
		}
		g := r.sum.Groups[0].Hists
		if g[tally.Delivery].Count() != 5000 || g[tally.DeliverySent].Count() != 5000 {
			t.Errorf("%d and %d in the histograms", g[tally.Delivery].Count(), g[tally.DeliverySent].Count())
		}
		if len(r.sum.Rounds) != 100*workers {
			t.Errorf("%d rounds", len(r.sum.Rounds))
		}
		for _, o := range r.sum.Rounds {
			if o.Got != o.Want || o.Marks[0] < o.Due || o.Marks[8] < o.Marks[0] {
				t.Fatalf("round %+v", o)
			}
		}
		if r.sum.Hists[tally.PublishAck].Count() != 100 || r.sum.Hists[tally.SendLag].Count() != 100 {
			t.Error("acknowledgements and lags are not all there")
		}
	}
}

func TestEcho(t *testing.T) {
	for _, workers := range []int{1, 2} {
		f := newFake(t, &fake{})
		r := newRig(t, f.plain(40, ramp(40), publish(scenario.ToSelf, 2000, 300*time.Millisecond)), workers)
		r.run(0)
		c := r.run(1)
		if c.Planned != 600 || c.Sent != 600 || c.Delivered != 600 || c.Missing+c.Gap+c.Stray+c.Wrong+c.Duplicate != 0 {
			t.Errorf("%d workers: %+v", workers, c)
		}
	}
}

// TestPortsOfAMachine: its workers divide its ports among them, whoever they are
// among all.
func TestPortsOfAMachine(t *testing.T) {
	f := newFake(t, &fake{})
	s := f.plain(8, ramp(8))
	s.Clients.PortRange = "40000-40099"
	for _, c := range []struct {
		worker, here, index int
		want                [2]uint16
	}{
		{2, 0, 0, [2]uint16{40050, 40074}},
		{2, 2, 1, [2]uint16{40050, 40099}},
		{3, 1, 0, [2]uint16{40000, 40099}},
	} {
		w, err := New(Config{Scenario: s, Worker: c.worker, Workers: 4, Here: c.here, Index: c.index, Clock: clock.New()})
		if err != nil {
			t.Fatal(err)
		}
		if w.targets.ports != c.want {
			t.Errorf("%+v: %v", c, w.targets.ports)
		}
		w.Close()
	}
}
