package mesh_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"roost/server/fanout"
)

var (
	simSeeds = flag.Uint64("seeds", fromEnv("ROOST_SIM_SEEDS"), "how many scenarios TestSimulation plays; 0 is as many as in some seconds")
	simSeed  = flag.Uint64("seed", fromEnv("ROOST_SIM_SEED"), "the only scenario that TestSimulation plays, with all its events printed")
)

// fromEnv is how the other simulations are told.
func fromEnv(name string) uint64 {
	n, _ := strconv.ParseUint(os.Getenv(name), 10, 64)
	return n
}

// TestSimulation plays random scenarios of a cluster in virtual time, with the product's own mesh, presence, delivery,
// registry and rings: publishers; devices that connect, move, ignore, acknowledge late and vanish; nodes that die and come back; a bus
// that is cut, partitioned, slow, or repeats itself; Redis gone for all; new rings, on trial or at once. Beside it a model of
// what was accepted and what was handled.
//
// A seed fixes what happens from outside; goroutines interleave as they like.
func TestSimulation(t *testing.T) {
	first, seeds, until := uint64(1), uint64(1<<62), time.Now().Add(4*time.Second)
	if testing.Short() {
		until = time.Now().Add(time.Second)
	}
	if *simSeeds > 0 {
		seeds, until = *simSeeds, time.Now().Add(24*time.Hour)
	}
	if *simSeed > 0 {
		first, seeds = *simSeed, 1
	}
	played, n := uint64(0), tally{}
	for seed := first; played < seeds && time.Now().Before(until) && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			defer w.end()
			w.play()
			n.add(&w.tally)
		})
		played++
	}
	t.Logf("%d seeds: %+v", played, n)
}

// tally says what the scenarios were made of, so that it shows if they become empty.
type tally struct {
	Accepted, Handled, Acknowledged, Spreads, Lives, Connects, Moves, Kills, Outages, Rings, Forwarded, Debts int
}

func (n *tally) add(o *tally) {
	n.Accepted += o.Accepted
	n.Handled += o.Handled
	n.Acknowledged += o.Acknowledged
	n.Spreads += o.Spreads
	n.Lives += o.Lives
	n.Connects += o.Connects
	n.Moves += o.Moves
	n.Kills += o.Kills
	n.Outages += o.Outages
	n.Rings += o.Rings
	n.Forwarded += o.Forwarded
	n.Debts += o.Debts
}

// play is the scenario: a storm, then calm.
func (w *world) play() {
	for range 40 + w.rng.IntN(80) {
		w.act()
		w.pass(w.pause())
		if w.failed() {
			return
		}
	}
	w.last()
	w.settle()
	if !w.failed() {
		w.verify()
	}
}

// last is what nothing follows that would make good for it by chance: a device that gets one message finds
// those before it, too.
func (w *world) last() {
	for range 3 {
		w.harmBus()
	}
	how := w.rng.IntN(4) // one of them alone, for each has the nodes look that are told of it late
	for _, d := range w.devices {
		if how == 0 || how == 3 {
			w.subscribe(d, simTopics[1+w.rng.IntN(len(simTopics)-1)], true, w.rng.IntN(4) > 0)
		}
		if how == 1 || how == 3 {
			w.publish(d, w.rng.IntN(2) == 0)
		}
	}
	if how >= 2 {
		w.publishSpread(simTopics[w.rng.IntN(len(simTopics))])
	}
	w.pass(w.pause())
}

// pause is the time between two things that happen from outside.
func (w *world) pause() time.Duration {
	switch w.rng.IntN(10) {
	case 0:
		return time.Duration(w.rng.Int64N(int64(10 * time.Second)))
	case 1, 2, 3:
		return 0
	}
	return time.Duration(w.rng.Int64N(int64(300 * time.Millisecond)))
}

// pass lets time pass, and all that is due in it happen.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// act is one thing that happens from outside.
func (w *world) act() {
	d := w.devices[w.rng.IntN(len(w.devices))]
	switch n := w.rng.IntN(100); {
	case n < 28:
		w.publish(d, w.rng.IntN(3) == 0)
	case n < 34:
		w.publishSpread(simTopics[w.rng.IntN(len(simTopics))])
	case n < 44:
		w.publishLive(d)
	case n < 47:
		w.publishCast(w.rng.IntN(2) == 0)
	case n < 53:
		w.subscribe(d, simTopics[1+w.rng.IntN(len(simTopics)-1)], w.rng.IntN(4) > 0, w.rng.IntN(2) == 0)
	case n < 68:
		w.come(d)
	case n < 74:
		w.drop(d)
	case n < 77:
		d.set(func() { d.lazy = !d.lazy })
	case n < 79:
		d.set(func() { d.stubborn = !d.stubborn })
	case n < 84:
		w.harmNode()
	case n < 92:
		w.harmBus()
	case n < 94:
		w.redisDown(w.rng.IntN(2) == 0)
	default:
		w.changeRing()
	}
}

var simTopics = []string{"", "fw", "eu"}

// come connects a device, or has one that is connected move.
func (w *world) come(d *device) {
	node := ""
	if w.rng.IntN(4) == 0 {
		node = w.ids[w.rng.IntN(len(w.ids))]
	}
	w.dial(d, node)
}

// drop has a device vanish.
func (w *world) drop(d *device) {
	w.mu.Lock()
	c := d.cur
	d.cur = nil
	w.mu.Unlock()
	if c != nil {
		w.note("%s vanishes from %s", d.id, c.p.id)
		c.hangUp(time.Duration(w.rng.Int64N(int64(5 * time.Second))))
	}
}

// harmNode kills a node, or starts one that is dead.
func (w *world) harmNode() {
	id := w.ids[w.rng.IntN(len(w.ids))]
	if w.proc(id) == nil {
		w.start(id)
	} else if w.alive() > 1 && w.rng.IntN(2) == 0 {
		w.kill(id)
	}
}

// harmBus breaks the bus somewhere, or mends it.
func (w *world) harmBus() {
	id := w.ids[w.rng.IntN(len(w.ids))]
	switch w.rng.IntN(8) {
	case 0:
		w.note("%s is alone", id)
		w.hub.Partition([]string{id})
		w.parted = true
	case 1, 2:
		w.note("the bus is whole")
		w.mendBus()
	case 3, 4:
		cut := !w.cut[id]
		w.note("%s is cut off the bus: %v", id, cut)
		w.cut[id] = cut
		w.hub.SetCut(id, cut)
	case 5:
		w.busDown = !w.busDown
		w.note("the bus is down: %v", w.busDown)
		w.hub.SetDown(w.busDown)
	default:
		w.note("the bus is slow and repeats itself")
		w.hub.SetFault(w.fault)
	}
}

// fault is what happens to a flight. What the bus really loses it says by Up or Dropped; so only
// live messages and answers, which are not missed, are dropped here.
func (w *world) fault(f fanout.Flight) fanout.Fault {
	var out fanout.Fault
	switch w.roll(10) {
	case 0:
		out.Copies = 1 + w.roll(2)
	case 1:
		out.Drop = f.Kind == fanout.KindLive || f.Kind == fanout.KindResult
	case 2, 3:
		out.Delay = time.Duration(w.roll(300)) * time.Millisecond
	case 4:
		out.Delay = time.Duration(w.roll(4000)) * time.Millisecond
	}
	return out
}

func (w *world) mendBus() {
	w.hub.SetFault(nil)
	w.hub.Partition()
	if w.parted {
		// Who sends to a topic cannot know who has not heard it: in Redis a partition is a connection that is dead, and
		// made anew.
		for _, id := range w.ids {
			w.hub.SetCut(id, true)
			w.cut[id] = true
		}
		w.parted = false
	}
	for id := range w.cut {
		w.hub.SetCut(id, false)
	}
	clear(w.cut)
	w.busDown = false
	w.hub.SetDown(w.truth.isDown())
}

// redisDown takes the store, presence and the bus away from everybody, or gives them back.
func (w *world) redisDown(down bool) {
	w.note("Redis is down: %v", down)
	if down {
		w.tally.Outages++
	}
	w.truth.setDown(down)
	w.presence.SetDown(down)
	w.hub.SetDown(down || w.busDown)
}

// changeRing makes a weight, promotes or rolls back.
func (w *world) changeRing() {
	w.plan(func(p *planner) {
		switch {
		case p.canary == nil:
			p.reweigh(w.ids[w.rng.IntN(len(w.ids))], 0.25+2*w.rng.Float64(), 500+w.rng.IntN(9000))
		case w.rng.IntN(3) == 0:
			p.rollBack()
		default:
			p.promote()
		}
	})
}

// settle ends all that is wrong. Devices that are connected stay so: what they miss the nodes have to
// find. The others come.
func (w *world) settle() {
	w.note("calm")
	w.redisDown(false)
	w.mendBus()
	w.plan(func(p *planner) {
		if p.canary != nil {
			p.promote()
		}
	})
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	for i := range 75 {
		if i == 60 {
			w.verifyHandled() // before anything else makes them look
			// Those who were told late of a subscription listen by now.
			for _, topic := range simTopics[1:] {
				w.publishSpread(topic)
			}
		}
		for _, d := range w.devices {
			var c *conn
			d.set(func() {
				d.lazy, d.stubborn = false, false
				c = d.cur
			})
			if c == nil {
				w.dial(d, "")
			} else {
				d.acknowledge(c)
			}
		}
		w.pass(time.Second)
	}
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked(format, args...)
}

func (w *world) noteLocked(format string, args ...any) {
	const keep = 80
	line := fmt.Sprintf("%9.3f %s", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
	if *simSeed > 0 {
		fmt.Println(line)
		return
	}
	if len(w.trace) >= 2*keep {
		w.trace = append(w.trace[:0], w.trace[keep:]...)
	}
	w.trace = append(w.trace, line)
}
