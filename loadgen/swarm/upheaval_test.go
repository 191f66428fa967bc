package swarm

import (
	"slices"
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/loadgen/tally"
	"roost/server"
)

// upheaval is a phase of a fifth of a second that publishes to all beside what
// else it does: 60 messages.
func upheaval(change func(p *scenario.Phase)) scenario.Phase {
	p := publish(scenario.ToAll, 300, 200*time.Millisecond)
	p.Name = "upheaval"
	change(&p)
	return p
}

const upheavalMessages = 60

func TestStormIsWeathered(t *testing.T) {
	for _, how := range []scenario.Close{scenario.CloseRST, scenario.CloseFIN, scenario.CloseFrame} {
		t.Run(string(how), func(t *testing.T) {
			f := newFake(t, &fake{})
			s := f.plain(40, ramp(40), upheaval(func(p *scenario.Phase) {
				p.Storm = &scenario.Storm{Share: .5, How: how, Over: 30 * time.Millisecond}
			}))
			s.Reconnect = scenario.Reconnect{Policy: scenario.PolicyFixed, Base: 40 * time.Millisecond}
			r := newRig(t, s, 2)
			r.run(0)
			r.begin(1)
			r.await("restored", func() bool { p := r.progress(); return p.PlanDone && p.Cut == 20 && p.Restored == 20 })
			r.finish(r.settled())
			c := r.sum.Total()
			r.conserve(c)
			if c.Ended != 20 || c.Lost != 0 || c.Redials != 20 || c.StormRedials != 20 || c.StormResumed != 0 || c.Restored != 20 || c.Ready != 60 {
				t.Errorf("%+v", c)
			}
			if c.Expected != 40*upheavalMessages || c.Missing != 0 || c.Gap < 20 {
				t.Errorf("%+v", c)
			}
			for id, want := range map[tally.HistID]uint64{tally.Restore: 20, tally.RestoreAt: 20, tally.Connect: 60} {
				if n := r.sum.Hists[id].Count(); n != want {
					t.Errorf("%s: %d", id, n)
				}
			}
			if m := r.sum.Hists[tally.Restore].Min(); m < int64(39*time.Millisecond) {
				t.Errorf("restored after %d ns: the policy says 40 ms", m)
			}
		})
	}
}

// TestLostConnectionsAreAccountedFor: what the server cuts off is lost, what was
// under way is missing, what came meanwhile a gap, and nothing twice.
func TestLostConnectionsAreAccountedFor(t *testing.T) {
	for _, how := range []scenario.Close{"", scenario.CloseServer} {
		f := &fake{}
		f.cast = func(conn, message int, payload []byte) [][]byte {
			if conn%3 == 0 && conn < 30 && message == 10 { // of those that came first, in the middle of the phase
				f.conns[conn].Close()
				return nil
			}
			return [][]byte{payload}
		}
		newFake(t, f)
		s := f.plain(30, ramp(30), upheaval(func(p *scenario.Phase) {
			if how != "" {
				p.Storm = &scenario.Storm{Share: 1, How: how, Hook: "kill"}
			}
		}))
		s.Reconnect = scenario.Reconnect{Policy: scenario.PolicyExponential, Base: 20 * time.Millisecond, Cap: time.Second}
		r := newRig(t, s, 1)
		r.run(0)
		r.begin(1)
		r.await("return", func() bool {
			p := r.progress()
			return p.PlanDone && p.Connected == 30 && r.tick().Total().Restored == 10
		})
		r.finish(r.settled())
		c := r.sum.Total()
		r.conserve(c)
		if c.Expected != 30*upheavalMessages {
			t.Errorf("%q: %+v", how, c)
		}
		p := r.progress()
		if how == "" && (c.Lost != 10 || c.Ended != 0 || p.Cut != 0 || c.StormRedials != 0 || r.sum.Hists[tally.RestoreAt].Count() != 0) || how != "" && (c.Lost != 0 || c.Ended != 10 || p.Cut != 10 || p.Restored != 10) {
			t.Errorf("%q: %+v %+v", how, c, p)
		}
		if l := r.sum.Errors.Lines(); how == "" && (len(l) != 1 || l[0].Stage != "open" || l[0].N != 10) {
			t.Errorf("%+v", l)
		}
	}
}

// TestFanOutDoesNotWaitForThoseThatLeave: a message that those who left as
// planned never got has come to the last one all the same.
func TestFanOutDoesNotWaitForThoseThatLeave(t *testing.T) {
	for name, change := range map[string]func(p *scenario.Phase){
		"churn": func(p *scenario.Phase) {
			p.Churn = &scenario.Churn{Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: 50}, How: scenario.CloseRST}
		},
		"drain": func(p *scenario.Phase) {
			p.Drain = &scenario.Drain{To: 10, How: scenario.CloseRST, Over: 100 * time.Millisecond}
		},
		"storm": func(p *scenario.Phase) {
			p.Storm = &scenario.Storm{Share: .5, How: scenario.CloseRST, Over: 100 * time.Millisecond}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{}
			f.cast = func(_, message int, payload []byte) [][]byte {
				if message%4 == 0 { // on its way while many leave
					time.Sleep(time.Millisecond)
				}
				return [][]byte{payload}
			}
			newFake(t, f)
			s := f.plain(40, ramp(40), upheaval(change))
			r := newRig(t, s, 2)
			r.run(0)
			c := r.run(1)
			if c.Ended == 0 || c.Missing != 0 {
				t.Fatalf("%+v", c)
			}
			if len(r.sum.Rounds) == 0 {
				t.Fatal("no rounds")
			}
			for _, o := range r.sum.Rounds {
				if o.Got < o.Want {
					t.Errorf("%+v", o)
				}
			}
		})
	}
}

// TestStormIsTheSameForAnyWorkers: whom it ends, and how many.
func TestStormIsTheSameForAnyWorkers(t *testing.T) {
	var want []uint32
	for _, workers := range []int{1, 3, 8} {
		f := newFake(t, &fake{})
		r := newRig(t, f.plain(40, ramp(40), scenario.Phase{For: 50 * time.Millisecond,
			Storm: &scenario.Storm{Share: .05, How: scenario.CloseRST, Over: 20 * time.Millisecond}}), workers)
		r.run(0)
		r.begin(1)
		r.await("plan", func() bool { return r.progress().PlanDone })
		var cut []uint32
		for _, w := range r.workers {
			w.do(func() {
				for i := range w.clients {
					if w.clients[i].state != ready {
						cut = append(cut, w.global(uint32(i)))
					}
				}
			})
		}
		r.finish(nil)
		slices.Sort(cut)
		if c := r.sum.Total(); c.Ended != 2 || len(cut) != 2 || want != nil && !slices.Equal(cut, want) {
			t.Errorf("%d workers: %v, want %v: %+v", workers, cut, want, c)
		}
		want = cut
	}
}

func TestNobodyComesBackWithoutAPolicy(t *testing.T) {
	f := newFake(t, &fake{})
	r := newRig(t, f.plain(10, ramp(10), upheaval(func(p *scenario.Phase) {
		p.Storm = &scenario.Storm{Share: .5, How: scenario.CloseRST}
	})), 1)
	r.run(0)
	c := r.run(1)
	if c.Ended != 5 || c.Dials != 10 || c.Gap != 0 || c.Missing != 0 || r.progress().Connected != 5 || r.progress().Away != 0 {
		t.Errorf("%+v %+v", c, r.progress())
	}
}

func TestChurnReplacesClients(t *testing.T) {
	f := newFake(t, &fake{})
	r := newRig(t, f.plain(40, ramp(40), upheaval(func(p *scenario.Phase) {
		p.Churn = &scenario.Churn{Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: 200}, How: scenario.CloseRST}
	})), 2)
	r.run(0)
	r.begin(1)
	r.await("churn", func() bool { p := r.progress(); return p.PlanDone && p.Connected == 40 })
	r.finish(nil)
	c := r.sum.Total()
	r.conserve(c)
	if c.Ended != 40 || c.Dials != 80 || c.Redials != 0 || c.Restored != 0 || c.Lost != 0 || c.Gap != 0 || c.Missing > 40 {
		t.Errorf("%+v", c)
	}
	if c.Expected > 40*upheavalMessages {
		t.Errorf("expected %d", c.Expected)
	}
}

func TestDrainLeavesTheRest(t *testing.T) {
	for _, how := range []scenario.Close{scenario.CloseRST, scenario.CloseFrame} {
		f := newFake(t, &fake{})
		s := f.plain(40, ramp(40), upheaval(func(p *scenario.Phase) {
			p.Drain = &scenario.Drain{To: 10, How: how, Over: 100 * time.Millisecond}
		}), ramp(25))
		s.Reconnect = scenario.Reconnect{Policy: scenario.PolicyFixed, Base: time.Millisecond}
		r := newRig(t, s, 2)
		r.run(0)
		c := r.run(1)
		if p := r.progress(); p.Connected != 10 || p.Goal != 10 || p.Away != 0 || c.Ended != 30 || c.Missing+c.Gap != 0 {
			t.Errorf("%s: %+v %+v", how, p, c)
		}
		await(t, "ends", func() bool { return f.alive() == 10 }, f.alive)
		if c = r.run(2); r.progress().Connected != 25 || c.Dials != 55 {
			t.Errorf("%s: %+v %+v", how, r.progress(), c)
		}
	}
}

// TestSlowReadersAreTheirOwnFault: who is slow on purpose misses nothing, reads
// on afterwards, and does not disturb the figures of the others.
func TestSlowReadersAreTheirOwnFault(t *testing.T) {
	for _, read := range []scenario.Read{{Mode: scenario.ReadNever}, {Mode: scenario.ReadRate, Rate: 10}} {
		f := newFake(t, &fake{})
		r := newRig(t, f.plain(20, ramp(20), upheaval(func(p *scenario.Phase) {
			p.Slow = &scenario.Slow{Share: .25, Read: read}
		}), scenario.Phase{For: time.Millisecond}), 1)
		r.run(0)
		c := r.run(1)
		healthy := uint64(15 * upheavalMessages)
		if c.Delivered < healthy || c.Delivered > healthy+5*upheavalMessages*3/4 || c.Missing+c.Gap != 0 {
			t.Errorf("%s: %+v", read.Mode, c)
		}
		if n := r.sum.Groups[0].Hists[tally.Delivery].Count(); n != healthy {
			t.Errorf("%s: %d in the histogram", read.Mode, n)
		}
		for _, o := range r.sum.Rounds {
			if o.Got != o.Want || o.Want != 15 {
				t.Errorf("%+v", o)
			}
		}
		r.begin(2)
		r.await("the rest", func() bool { return r.tick().Total().BytesIn == 20*upheavalMessages*128 })
		r.finish(nil)
		if c := r.sum.Total(); c.Stray != 0 || c.Lost != 0 {
			t.Errorf("%+v", c)
		}
	}
}

// TestReadRateHolds: what is read at once is at most what the kernel holds, twice of a second's worth, since it doubles
// SO_RCVBUF (socket(7)). Of that, payloads have mostly the half, and more where the client was kept from reading.
func TestReadRateHolds(t *testing.T) {
	const rate, messages, size = 5000, 40, 500
	f := newFake(t, &fake{})
	p := publish(scenario.ToAll, 400, messages*time.Second/400)
	p.Publish[0].Size = scenario.Size{P50: size}
	s := f.plain(1, ramp(1), p)
	s.Groups[0].Read = scenario.Read{Mode: scenario.ReadRate, Rate: rate}
	r := newRig(t, s, 1)
	r.run(0)
	begin := r.clock.Now()
	r.begin(1)
	r.await("all", func() bool {
		n := r.tick().Total().Delivered * size
		if most := rate * (time.Duration(r.clock.Now()-begin).Seconds() + 2); float64(n) > most {
			t.Fatalf("%d bytes read, and %g may be", n, most)
		}
		return n == messages*size
	})
	r.finish(nil)
}

// TestHalfOpenClientsAreSilent: they answer no ping, and it is measured when the
// server ends them.
func TestHalfOpenClientsAreSilent(t *testing.T) {
	f := newFake(t, &fake{})
	s := f.plain(20, ramp(20), upheaval(func(p *scenario.Phase) { p.HalfOpen = &scenario.HalfOpen{Share: .25} }))
	r := newRig(t, s, 1)
	r.run(0)
	r.begin(1)
	r.await("plan", func() bool { return r.progress().PlanDone })
	f.ping()
	pongs := func() int { f.mu.Lock(); defer f.mu.Unlock(); return f.pongs }
	await(t, "pongs", func() bool { return pongs() == 15 }, pongs)
	r.await("messages", func() bool { return r.tick().Total().Delivered == 15*upheavalMessages })
	f.cut(func(int) bool { return true })
	r.await("ends", func() bool { return r.progress().Connected == 0 })
	r.finish(nil)
	c := r.sum.Total()
	r.conserve(c)
	if c.Cut != 5 || c.Lost != 15 || r.sum.Hists[tally.Silence].Count() != 5 {
		t.Errorf("%+v", c)
	}
	if c.Delivered != 15*upheavalMessages || c.Missing+c.Gap != 0 {
		t.Errorf("%+v", c)
	}
}

// TestGroupsReadAsTheyShould: a group that does not read and does not answer has
// its misses in its own figures.
func TestGroupsReadAsTheyShould(t *testing.T) {
	f := newFake(t, &fake{})
	s := f.plain(40, ramp(40), publish(scenario.ToAll, 300, 200*time.Millisecond))
	s.Groups = []scenario.Group{
		{Name: "healthy", Share: .5, Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true},
		{Name: "never", Share: .25, Read: scenario.Read{Mode: scenario.ReadNever}, AnswerPing: true},
		{Name: "ghost", Share: .25, Read: scenario.Read{Mode: scenario.ReadDrain}},
	}
	r := newRig(t, s, 2)
	r.run(0)
	f.ping()
	r.run(1)
	g := r.sum.Groups
	if g[0].Counts.Missing != 0 || g[0].Counts.Delivered != 20*60 || g[2].Counts.Delivered != 10*60 {
		t.Errorf("%+v", g)
	}
	if g[1].Counts.Delivered != 0 || g[1].Counts.Missing != 10*60 || g[1].Hists[tally.Delivery].Misses != 10*60 {
		t.Errorf("%+v", g[1])
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pongs != 20 {
		t.Errorf("%d pongs", f.pongs)
	}
}

// TestKeptMessagesSurviveAStorm: what was published while devices were away
// comes when they are back, and is no loss.
func TestKeptMessagesSurviveAStorm(t *testing.T) {
	node := startRoost(t)
	s := roostScenario([]*server.Server{node}, 20, ramp(20), upheaval(func(p *scenario.Phase) {
		p.Storm = &scenario.Storm{Share: .5, How: scenario.CloseRST}
		p.Publish[0].Class, p.Publish[0].TTL = "kept", time.Minute
	}))
	s.Reconnect.Policy, s.Reconnect.Base = scenario.PolicyFixed, 50*time.Millisecond
	r := newRig(t, s, 2)
	r.run(0)
	r.begin(1)
	r.await("restored", func() bool { p := r.progress(); return p.PlanDone && p.Restored == 10 })
	r.finish(r.settled())
	c := r.sum.Total()
	r.conserve(c)
	if c.Delivered != 20*upheavalMessages || c.Missing+c.Gap != 0 || c.Resumed != 10 || c.StormResumed != 10 {
		t.Errorf("%+v", c)
	}
}

// TestLiveMessagesAreLostInAStorm: of live ones what came meanwhile is a gap.
func TestLiveMessagesAreLostInAStorm(t *testing.T) {
	node := startRoost(t)
	s := roostScenario([]*server.Server{node}, 20, ramp(20), upheaval(func(p *scenario.Phase) {
		p.Storm = &scenario.Storm{Share: .5, How: scenario.CloseRST}
	}))
	r := newRig(t, s, 2)
	r.run(0)
	r.begin(1)
	r.await("restored", func() bool { p := r.progress(); return p.PlanDone && p.Restored == 10 })
	r.finish(r.settled())
	c := r.sum.Total()
	r.conserve(c)
	if c.Expected != 20*upheavalMessages || c.Missing != 0 || c.Gap == 0 {
		t.Errorf("%+v", c)
	}
}

// TestNeverReadersSeeTheEnd: who does not read is told of the server's FIN all
// the same.
func TestNeverReadersSeeTheEnd(t *testing.T) {
	f := newFake(t, &fake{})
	s := f.plain(10, ramp(10), scenario.Phase{For: time.Minute})
	s.Groups = []scenario.Group{
		{Name: "healthy", Share: .5, Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true},
		{Name: "never", Share: .5, Read: scenario.Read{Mode: scenario.ReadNever}, AnswerPing: true},
	}
	r := newRig(t, s, 1)
	r.run(0)
	r.begin(1)
	f.ping() // something to be left unread
	f.cut(func(int) bool { return true })
	r.await("ends", func() bool { return r.progress().Connected == 0 })
	r.finish(nil)
	c := r.sum.Total()
	r.conserve(c)
	if c.Lost != 5 || c.Cut != 5 {
		t.Errorf("%+v", c)
	}
}
