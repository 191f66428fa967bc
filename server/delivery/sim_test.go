package delivery_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
)

// TestSimulation plays random scenarios: publishers, devices that come, go, take
// over, forget and lie, slow sockets, messages that expire, devices that are
// removed, and for the store on disk faults and crashes. The ledger watches every
// step; at the end everything is in order again, and each message that was
// accepted has been handled.
//
//	ROOST_SIM_SEEDS=n  seeds for each store
//	ROOST_SIM_SEED=n   this one only; if it fails, all its events are printed
func TestSimulation(t *testing.T) {
	for _, kind := range storeKinds {
		t.Run(kind.name, func(t *testing.T) {
			simulate(t, func(t testing.TB, seed uint64) { newSim(t, kind, seed).play() })
		})
	}
}

// simulate plays seeds until there are enough of them or it takes too long.
func simulate(t *testing.T, play func(t testing.TB, seed uint64)) {
	first, seeds, until := uint64(1), uint64(3000), time.Now().Add(5*time.Second)
	if testing.Short() {
		seeds = 200
	}
	if n, err := strconv.ParseUint(os.Getenv("ROOST_SIM_SEEDS"), 10, 64); err == nil {
		seeds, until = n, time.Now().Add(24*time.Hour)
	}
	if n, err := strconv.ParseUint(os.Getenv("ROOST_SIM_SEED"), 10, 64); err == nil {
		first, seeds = n, 1
	}
	played := uint64(0)
	for seed := first; played < seeds && time.Now().Before(until); seed++ {
		play(t, seed)
		played++
	}
	t.Logf("%d seeds", played)
}

// sim is one scenario.
type sim struct {
	*world
	keys    int // of publishers
	crashes bool
}

var simTopics = []string{"fw", "eu", "x"}

func newSim(t testing.TB, kind *storeKind, seed uint64) *sim {
	w := newWorld(t, kind, seed, worldOptions{})
	w.opt = worldOptions{
		limits: inbox.Limits{Messages: 10 + w.rng.IntN(80)}, inline: !kind.survives && w.rng.IntN(2) == 0, lossy: w.rng.IntN(4) == 0,
	}
	w.start() // with these
	s := &sim{world: w, crashes: kind.survives && w.rng.IntN(2) == 0}
	if s.crashes && w.rng.IntN(4) == 0 {
		s.note("the disk lies until the first crash")
		w.disk.Lie(true)
		w.disk.lies, w.disk.lied = true, true
	}
	for i := range 1 + w.rng.IntN(5) {
		w.device(fmt.Sprint("d", i)).lazy = w.rng.IntN(3) == 0
	}
	return s
}

// play is the scenario: a storm, then calm.
func (s *sim) play() {
	for range 60 + s.rng.IntN(120) {
		s.act()
		s.pass(s.pause())
	}
	s.clear()
	if len(s.ledger.owed()) > 0 {
		s.fatal("nobody got: %v", s.ledger.owed())
	}
	s.ledger.end()
}

// pause is the time between two things that happen from outside.
func (s *sim) pause() time.Duration {
	switch s.rng.IntN(12) {
	case 0:
		return time.Duration(s.rng.Int64N(int64(3 * time.Second)))
	case 1:
		return time.Duration(s.rng.Int64N(int64(40 * time.Second)))
	case 2, 3, 4:
		return 0
	}
	return time.Duration(s.rng.Int64N(int64(30 * time.Millisecond)))
}

// clear ends all that is wrong: every device comes, acknowledges, and time
// passes.
func (s *sim) clear() {
	s.note("calm")
	s.calm, s.opt.lossy = true, false
	s.disk.heal()
	for range 20 {
		for _, c := range s.conns {
			c.room, c.most = 1<<30, 64
		}
		for _, d := range s.devices {
			d.lazy = false
			if !d.connected() {
				d.connect()
			} else if d.welcome {
				d.ack(d.seq)
			}
		}
		s.pass(3 * time.Second)
	}
}

// act is one thing that happens from outside.
func (s *sim) act() {
	d := s.devices[s.rng.IntN(len(s.devices))]
	switch n := s.rng.IntN(100); {
	case n < 30:
		s.publish(s.put())
	case n < 38:
		var ops []inbox.Op
		for range 2 + s.rng.IntN(40) {
			ops = append(ops, s.put())
		}
		s.publish(ops...)
	case n < 46:
		s.publishSpread()
	case n < 52:
		s.subscribe(d)
	case n < 72:
		s.come(d)
	case n < 80:
		d.drop()
	case n < 86:
		s.lie(d)
	case n < 89:
		d.save()
	case n < 91:
		d.restart()
	case n < 92:
		d.forget()
	case n < 93:
		s.remove(d)
	case n < 96:
		s.squeeze(d)
	default:
		s.harm()
	}
}

// come connects a device, whether it is connected or not.
func (s *sim) come(d *device) {
	if d.connected() && s.rng.IntN(3) > 0 {
		return
	}
	r := inbox.Resume{Given: true, Epoch: []byte(d.epoch), Seq: d.seq}
	switch s.rng.IntN(12) {
	case 0:
		r = inbox.Resume{}
	case 1:
		r.Seq = 1<<40 + uint64(s.rng.IntN(3))
	case 2:
		// What a lying disk has lost is seen by the epoch that the device knows.
		if r.Epoch = []byte("nobody.7"); s.disk.lied {
			d.connect()
			return
		}
	case 3:
		r.Seq /= 2
	default:
		if s.rng.IntN(4) == 0 && d.conn != nil {
			old := d.conn // it lingers: what it still says comes late
			s.soon("an old connection ends", old.abort)
		}
		d.connect()
		return
	}
	if d.epoch == "" {
		r = inbox.Resume{}
	}
	sid := d.sid
	if s.rng.IntN(4) == 0 {
		d.sid = uint64(s.rng.IntN(20)) // a stranger
	}
	if !r.Given || r.Seq < d.seq {
		d.life++ // it may see again what it has handled
		d.seq, d.done, d.ids = r.Seq, r.Seq, nil
		d.save()
	}
	d.dial(r)
	d.sid = sid
}

// lie has a device say what makes no sense, or twice.
func (s *sim) lie(d *device) {
	if d.conn == nil || !d.welcome {
		return
	}
	seq := d.seq
	switch s.rng.IntN(5) {
	case 0:
		seq += 1 << 40
	case 1:
		seq /= 2
	case 2:
		seq = 0
	}
	d.conn.say(frame{kind: "ack", seq: seq})
}

func (s *sim) squeeze(d *device) {
	if d.conn != nil {
		d.conn.room, d.conn.most = 1+s.rng.IntN(3), 1+s.rng.IntN(3)
	}
}

func (s *sim) subscribe(d *device) {
	if d.conn != nil && d.welcome {
		kind := "sub"
		if s.rng.IntN(3) == 0 {
			kind = "unsub"
		}
		d.conn.say(frame{kind: kind, payload: simTopics[s.rng.IntN(len(simTopics))]})
	}
}

// id returns an idempotency key, now and then one that was used.
func (s *sim) id() string {
	switch s.rng.IntN(6) {
	case 0:
		return ""
	case 1:
		return fmt.Sprint("k", s.rng.IntN(s.keys+1))
	}
	s.keys++
	return fmt.Sprint("k", s.keys)
}

func (s *sim) ttl() uint32 {
	return [...]uint32{1, 5, 30, 3600, 86400, 86400, 86400}[s.rng.IntN(7)]
}

func (s *sim) put() inbox.Op {
	id := fmt.Sprint("d", s.rng.IntN(len(s.devices)))
	if s.rng.IntN(30) == 0 {
		id = "nobody"
	}
	return &inbox.Put{Device: id, Message: s.ledger.message(s.id(), s.ttl(), "")}
}

// publish is a publisher: it may ask to hear of the acknowledgement.
func (s *sim) publish(ops ...inbox.Op) {
	s.soon("publish", func() {
		hub, c := s.hub, &inbox.Commit{Ops: ops}
		hub.Publish(c, nil, func() {
			s.answered(c)
			p := ops[0].(*inbox.Put)
			if e := s.ledger.entryOf(p); e != nil && s.rng.IntN(3) == 0 {
				s.waits = append(s.waits, &wait{hub, hub.Wait(p), e, s.ledger})
			}
		})
	})
}

// answered looks at what a publisher is told.
func (s *sim) answered(c *inbox.Commit) {
	for _, op := range c.Ops {
		p := op.(*inbox.Put)
		told := p.Outcome != uint8(delivery.StatusNone)
		if c.Err == nil && told != (p.Verdict == inbox.Stored) && p.Verdict != inbox.Duplicate {
			s.fatal("verdict %d has outcome %d", p.Verdict, p.Outcome)
		}
	}
}

func (s *sim) publishSpread() {
	topic := ""
	if s.rng.IntN(3) > 0 {
		topic = simTopics[s.rng.IntN(len(simTopics))]
	}
	op := &inbox.Spread{Topic: topic, Message: s.ledger.message(s.id(), s.ttl(), topic)}
	s.soon("publish to many", func() {
		c := &inbox.Commit{Ops: []inbox.Op{op}}
		s.hub.Publish(c, nil, func() {
			if c.Err == nil && op.Verdict == inbox.Stored {
				s.soon("spread", func() { s.spread(op) })
			}
		})
	})
}

// remove forgets a device and closes its connection.
func (s *sim) remove(d *device) {
	r := &inbox.Removal{Device: d.id}
	s.soon("remove "+d.id, func() {
		s.store.Commit(&inbox.Commit{Ops: []inbox.Op{r}, Done: func(c *inbox.Commit) {
			if c.Err != nil || r.Err != nil {
				return
			}
			if name, ok := s.reg.Lookup(uint32(r.Ref)); ok {
				old := s.conn(delivery.Conn(name))
				old.lane.post("close the removed", func() {
					if old.begun && !old.over && old.fenced() {
						old.close(closeRemoved)
					}
				})
			}
		}})
	})
}

// harm is a fault of the disk, or the end of the machine.
func (s *sim) harm() {
	if s.kind.survives {
		s.disk.harm(s)
	}
}
