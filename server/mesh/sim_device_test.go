package mesh_test

import (
	"slices"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/presence"
)

// device follows the client's rules, as far as they are about where it connects and what it handles.
// Its fields are guarded by world.mu.
type device struct {
	w  *world
	id string

	cur      *conn // that it listens to; nil: none
	dialing  bool
	lazy     bool // acknowledges late or not at all
	stubborn bool // ignores every redirect

	epoch   string
	seq     uint64
	done    uint64 // highest number handled: above seq while messages are repeated
	acked   uint64
	handled map[int]int // by number of message
	live    map[int]int
}

// conn is a connection: the device's end and the node's end.
type conn struct {
	// Static once it is open.
	p       *proc
	dev     *device
	n       delivery.Conn
	claim   uint32 // presence's fence
	fence   uint32 // the store's
	alone   bool   // Redis was away: live messages only
	settled chan struct{}

	// Owned by the node's loop.
	peer   delivery.Peer
	begun  bool
	over   bool
	topics []string

	// Guarded by world.mu: the device's end.
	gone    bool
	decided bool // settled is closed
}

func (d *device) set(f func()) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	f()
}

func (d *device) conn() *conn {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return d.cur
}

func (d *device) lives(n int) int {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return d.live[n]
}

// dial has a device connect, to a node or wherever it is sent, unless it is about to. The connection that
// it has stays until the new one is up.
func (w *world) dial(d *device, node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.dialing || w.over {
		return
	}
	d.dialing = true
	w.noteLocked("%s dials %q", d.id, node)
	w.dials.Go(func() {
		var failed []string
		for range 20 {
			if node == "" {
				node = w.route(d, failed)
			}
			if d.try(node) {
				break
			}
			if failed = append(failed, node); len(failed) > len(w.ids) {
				failed = nil
			}
			node = ""
			time.Sleep(10*time.Millisecond + w.delay())
		}
		d.set(func() { d.dialing = false })
	})
}

// route asks some node where to connect.
func (w *world) route(d *device, failed []string) string {
	if p := w.someNode(); p != nil {
		if place, ok := p.mesh.Route([]byte(d.id), failed); ok {
			return place.Node
		}
	}
	return w.ids[w.roll(len(w.ids))]
}

// try connects to a node.
func (d *device) try(node string) bool {
	w, p := d.w, d.w.proc(node)
	if p == nil {
		return false
	}
	r := inbox.Resume{}
	d.set(func() {
		if d.epoch != "" {
			r = inbox.Resume{Given: true, Epoch: []byte(d.epoch), Seq: d.seq}
		}
	})
	time.Sleep(w.delay())
	if p.ctx.Err() != nil {
		return false
	}
	p.mu.Lock()
	p.last++
	c := &conn{p: p, dev: d, n: delivery.Conn(p.last), settled: make(chan struct{})}
	p.mu.Unlock()
	p.connect(c, r)
	select {
	case <-c.settled:
		return d.conn() == c
	case <-p.ctx.Done():
		return false
	}
}

// begin takes a connection into the node, on its loop.
func (c *conn) begin(s delivery.Session, late bool) {
	p := c.p
	if late {
		c.lost()
		return
	}
	if old := p.byID[c.dev.id]; old != nil {
		old.close("replaced")
	}
	p.conns[c.n], p.byID[c.dev.id] = c, c
	c.begun = true
	c.dev.welcome(c, s)
	if !c.alone {
		p.lane.Begin(c.n, &c.peer)
		c.align()
	}
}

// align has the node listen to what the store says that the device is subscribed to, and looks for
// messages.
func (c *conn) align() {
	if c.over || c.alone {
		return
	}
	var now []string
	c.p.store.EachTopic(c.peer.Ref, func(t string) { now = append(now, t) })
	c.listen(now)
	c.p.lane.Look(c.n, &c.peer)
}

// listen joins and leaves topics.
func (c *conn) listen(now []string) {
	p := c.p
	for _, t := range now {
		if !slices.Contains(c.topics, t) {
			if p.topics[t]++; p.topics[t] == 1 {
				p.mesh.Join(t, nil)
			}
		}
	}
	for _, t := range c.topics {
		if !slices.Contains(now, t) {
			if p.topics[t]--; p.topics[t] == 0 {
				p.mesh.Leave(t)
			}
		}
	}
	c.topics = now
}

// subscribe is the device's wish, on the node's loop.
func (c *conn) subscribe(topic string, on bool) {
	if c.over || c.alone {
		return
	}
	sub := &inbox.Subscription{Ref: c.peer.Ref, Fence: c.peer.Fence, Topic: topic, On: on}
	c.p.store.Commit(&inbox.Commit{Ops: []inbox.Op{sub}, Done: func(*inbox.Commit) { c.p.post(c.align) }})
}

// close is the node's, on its loop.
func (c *conn) close(why string) {
	if c.over {
		return
	}
	c.p.w.note("%s closes %s's connection %d: %s", c.p.id, c.dev.id, c.n, why)
	c.leave(4002)
	c.p.w.after(c.p.w.delay(), c.lost)
}

// leave takes it out of the node, on its loop.
func (c *conn) leave(why presence.Reason) {
	if c.over {
		return
	}
	c.over = true
	if !c.begun {
		return
	}
	p := c.p
	c.listen(nil)
	delete(p.conns, c.n)
	if p.byID[c.dev.id] == c {
		delete(p.byID, c.dev.id)
	}
	if !c.alone {
		p.reg.Unregister(uint32(c.peer.Ref), uint64(c.n))
		p.lane.End(&c.peer)
	}
	p.keeper.Release(c.dev.id, c.claim, why)
}

// hangUp is the device's; the node notices later.
func (c *conn) hangUp(later time.Duration) {
	c.dev.set(func() { c.gone = true })
	c.p.w.after(later, func() { c.p.post(func() { c.leave(presence.Hangup) }) })
}

// lost tells the device that its connection is over, or did not come about.
func (c *conn) lost() {
	d, again := c.dev, false
	d.set(func() {
		c.gone = true
		c.decide()
		if again = d.cur == c; again {
			d.cur = nil
		}
	})
	if again {
		d.w.after(d.w.delay(), func() { d.w.dial(d, "") })
	}
}

// decide ends the wait for a welcome. world.mu is held.
func (c *conn) decide() {
	if !c.decided {
		c.decided = true
		close(c.settled)
	}
}

// welcome makes a connection the device's; the one before is hung up.
func (d *device) welcome(c *conn, s delivery.Session) {
	var old *conn
	d.set(func() {
		old, d.cur = d.cur, c
		c.decide()
		if !c.alone {
			d.epoch, d.seq, d.acked = s.Epoch.String(), s.Acked, s.Acked
			d.done = max(d.done, d.seq)
		}
		d.w.tally.Connects++
		if old != nil && old.p != c.p {
			d.w.tally.Moves++
		}
		d.w.noteLocked("%s is at %s, connection %d, alone %v, acked %d, last %d", d.id, c.p.id, c.n, c.alone, s.Acked, s.Last)
	})
	if old != nil {
		old.hangUp(d.w.delay())
	}
}

// away is told to a device: go to a node, or come again.
func (d *device) away(c *conn, node string) {
	goes := false
	d.set(func() { goes = d.cur == c && (node == "" || !d.stubborn) })
	if goes {
		d.w.dial(d, node)
	}
}

// gotKept is a kept message for a device.
func (d *device) gotKept(c *conn, seq uint64, n int) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	if d.cur != c || c.gone {
		return
	}
	switch {
	case seq > d.seq+1:
		d.w.failLocked("%s gets %d after %d", d.id, seq, d.seq)
	case seq == d.seq+1:
		d.seq = seq
		if seq > d.done {
			d.done = seq
			d.handled[n]++
			d.w.noteLocked("%s handles message %d, number %d", d.id, n, seq)
			if d.handled[n] > 1 {
				d.w.failLocked("%s handles message %d twice", d.id, n)
			}
		}
	}
	if d.lazy && d.w.noise.IntN(8) > 0 {
		return
	}
	later := time.Duration(d.w.noise.Int64N(int64(200 * time.Millisecond)))
	time.AfterFunc(later, func() { c.p.post(func() { c.ack(d.seen()) }) })
}

func (d *device) seen() uint64 {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return d.seq
}

// acknowledge says all that a lazy device has kept to itself; where there is nothing, nothing: an
// idle connection must not be looked at for another reason than a message.
func (d *device) acknowledge(c *conn) {
	owes := false
	d.set(func() { owes = d.acked < d.seq })
	if owes {
		c.p.post(func() { c.ack(d.seen()) })
	}
}

// ack is heard by the node, on its loop.
func (c *conn) ack(seq uint64) {
	if c.over || c.alone || !c.begun {
		return
	}
	if !c.p.lane.Ack(c.n, &c.peer, seq) {
		if c.p.store.Current(c.peer.Ref, c.fence) && c.dev.conn() == c {
			c.p.w.fail("%s refuses an acknowledgement of %d by %s", c.p.id, seq, c.dev.id)
		}
		return
	}
	c.dev.set(func() {
		if c.dev.cur == c {
			c.dev.acked = max(c.dev.acked, seq)
		}
	})
}

// gotLive is a live message for a device. It may come twice: where a node's answer was lost and the
// device has moved meanwhile.
func (d *device) gotLive(c *conn, n int) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	if d.cur != c || c.gone {
		return
	}
	if d.live[n]++; d.live[n] > 2 {
		d.w.failLocked("%s gets live message %d for the third time", d.id, n)
	}
}
