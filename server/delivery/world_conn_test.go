package delivery_test

import (
	"fmt"
	"slices"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
)

// frame is a message of either direction.
type frame struct {
	kind    string // down: welcome, msg, skip, close, refused, res; up: ack, sub, unsub
	seq     uint64 // of msg, skip and ack
	id      string
	payload string
	code    int
	session delivery.Session
}

func (f frame) String() string { return fmt.Sprintf("%s %d %s%s", f.kind, f.seq, f.id, f.payload) }

// conn is a connection: the device's end, the node's end, and what is between
// them.
type conn struct {
	w    *world
	lane *lane
	n    int // in world.conns
	dev  *device

	// The node's end.
	peer   delivery.Peer
	begun  bool
	over   bool
	sent   uint64
	acct   *account
	topics []string
	queue  []frame // what the kernel did not take
	kernel int     // frames that the kernel holds
	room   int     // how many it can
	most   int     // how many the queue takes

	// Between. cut says that what is under way is lost.
	down, up time.Time // when the last frame of each direction arrives
	cut      bool

	// The device's end.
	gone bool
}

func (c *conn) name() delivery.Conn { return delivery.Conn(c.n + 1) }

// codes of closes, as in docs/PROTOCOL.md.
const (
	closeReplaced  = 4002
	closeOther     = 4303
	closeMalformed = 4304
	closeRemoved   = 4305
)

// dial makes a connection of a device and has the node's loop take it.
func (w *world) dial(d *device, hello delivery.Hello) *conn {
	c := &conn{w: w, lane: w.lanes[w.rng.IntN(len(w.lanes))], n: len(w.conns), dev: d, room: 1 << 30, most: 64}
	if !w.calm {
		c.room, c.most = 1+w.rng.IntN(40), 1+w.rng.IntN(8)
	}
	w.conns = append(w.conns, c)
	hello.ID, hello.Conn, hello.Fresh = []byte(d.id), c.name(), uint64(c.n+1)
	w.at(c.arrival(&c.up), fmt.Sprintf("%s dials %d", d.id, c.n), func() {
		l := c.lane
		l.post(fmt.Sprintf("handshake of %s, connection %d", d.id, c.n), func() { c.handshake(&hello) })
	})
	return c
}

// arrival is when the next frame of a direction arrives.
func (c *conn) arrival(last *time.Time) time.Time {
	at := c.w.now.Add(c.w.delay())
	if at.Before(*last) {
		at = *last
	}
	*last = at
	return at
}

// handshake does what the node's loop does with a new connection.
func (c *conn) handshake(hello *delivery.Hello) {
	w := c.w
	s, err := w.hub.Connect(hello)
	w.note("%s connects: %+v %v -> %+v %v", c.dev.id, hello.Resume, hello.SID, s, err)
	if err != nil {
		c.send(frame{kind: "refused", payload: err.Error()})
		c.over = true
		return
	}
	c.peer, c.acct = delivery.Peer{Ref: s.Ref, Fence: s.Fence}, w.ledger.byRef(s.Ref)
	c.begun, c.sent = true, s.Acked
	if s.Old != 0 {
		code := closeOther
		if s.SameSession {
			code = closeReplaced
		}
		old := w.conn(delivery.Conn(s.Old))
		old.lane.post(fmt.Sprintf("replace %d", old.n), func() { old.close(code) })
	}
	c.write(frame{kind: "welcome", session: s})
	c.lane.Begin(c.name(), &c.peer)
	if c.begun && !c.over {
		w.store.EachTopic(c.peer.Ref, func(t string) { c.topics = append(c.topics, t) })
	}
}

// write is what the poller does with a frame.
func (c *conn) write(f frame) delivery.Result {
	if c.over {
		return delivery.Gone
	}
	if len(c.queue) == 0 && c.kernel < c.room && !c.w.chance(10) {
		c.send(f)
		return delivery.Written
	}
	control := f.kind != "msg" && f.kind != "skip"
	if len(c.queue) >= c.most && !control {
		return delivery.Full
	}
	c.queue = append(c.queue, f)
	c.w.soon(fmt.Sprintf("connection %d flushes", c.n), c.flush)
	return delivery.Queued
}

// flush gives the kernel what waits.
func (c *conn) flush() {
	if len(c.queue) == 0 || c.over {
		return
	}
	for len(c.queue) > 0 && c.kernel < c.room {
		c.send(c.queue[0])
		c.queue = c.queue[1:]
	}
	if len(c.queue) == 0 {
		c.lane.post(fmt.Sprintf("connection %d has drained", c.n), func() {
			if !c.over {
				c.lane.Drained(&c.peer)
			}
		})
	}
}

// send puts a frame on the wire.
func (c *conn) send(f frame) {
	c.kernel++
	c.w.at(c.arrival(&c.down), fmt.Sprintf("to %s on %d: %v", c.dev.id, c.n, f), func() {
		c.kernel--
		c.flush()
		if !c.gone && !c.cut {
			c.dev.receive(c, f)
		}
	})
}

// close is the node's: a last frame, then nothing.
func (c *conn) close(code int) {
	if c.over {
		return
	}
	c.queue = append(c.queue, frame{kind: "close", code: code})
	for _, f := range c.queue {
		c.send(f)
	}
	c.queue = nil
	c.leave()
}

// leave takes the connection out of the node.
func (c *conn) leave() {
	if c.over {
		return
	}
	c.over = true
	if c.begun {
		c.w.reg.Unregister(uint32(c.peer.Ref), uint64(c.name()))
		c.lane.End(&c.peer)
	}
}

// abort is the device's: what is under way to it is lost, and some time later
// the node notices.
func (c *conn) abort() {
	if c.gone {
		return
	}
	c.gone = true
	c.w.at(c.arrival(&c.up), fmt.Sprintf("connection %d ends", c.n), func() { c.lane.post(fmt.Sprintf("end of %d", c.n), c.leave) })
}

// say sends a frame of the device.
func (c *conn) say(f frame) {
	c.w.at(c.arrival(&c.up), fmt.Sprintf("from %s on %d: %v", c.dev.id, c.n, f), func() {
		c.lane.post(fmt.Sprintf("%s on %d says %v", c.dev.id, c.n, f), func() { c.hear(f) })
	})
}

// hear is what the node does with a frame.
func (c *conn) hear(f frame) {
	if c.over || !c.begun {
		return
	}
	switch f.kind {
	case "ack":
		old := c.fenced()
		ok := c.lane.Ack(c.name(), &c.peer, f.seq)
		if old = old || c.fenced(); !ok {
			if f.seq <= c.sent && !old {
				c.w.fatal("an acknowledgement of %d was refused, %d was sent", f.seq, c.sent)
			}
			c.close(closeMalformed)
		} else if f.seq > c.sent && !old {
			c.w.fatal("an acknowledgement of %d was taken, %d was sent", f.seq, c.sent)
		}
	case "sub", "unsub":
		sub := &inbox.Subscription{Ref: c.peer.Ref, Fence: c.peer.Fence, Topic: f.payload, On: f.kind == "sub"}
		c.w.store.Commit(&inbox.Commit{Ops: []inbox.Op{sub}, Done: func(commit *inbox.Commit) {
			ok := commit.Err == nil && sub.Err == nil
			c.lane.post(fmt.Sprintf("%s on %d has %v: %v", c.dev.id, c.n, f, ok), func() { c.subscribed(f, ok) })
		}})
	}
}

// fenced reports whether the device has a later session, or was removed.
func (c *conn) fenced() bool { return !c.w.store.Store.Current(c.peer.Ref, c.peer.Fence) }

// subscribed does for the connection what the store has done for the device; for
// the device's current one, if this is over.
func (c *conn) subscribed(f frame, ok bool) {
	if !c.over {
		c.align(f, ok)
		c.write(frame{kind: "res", payload: fmt.Sprint(f.payload, ok)})
		return
	}
	for _, o := range c.w.conns {
		if ok && o.dev == c.dev && o.begun && !o.over {
			o.lane.post(fmt.Sprintf("%s on %d has %v", o.dev.id, o.n, f), func() { o.align(f, true) })
		}
	}
}

// align puts the connection into what the store says its device is in.
func (c *conn) align(f frame, ok bool) {
	if c.over || !ok {
		return
	}
	c.topics = slices.DeleteFunc(c.topics, func(t string) bool { return t == f.payload })
	c.w.store.EachTopic(c.peer.Ref, func(topic string) {
		if topic == f.payload {
			c.topics = append(c.topics, topic)
		}
	})
	c.lane.Look(c.name(), &c.peer) // a message to the topic may just have missed it
}

// spread takes a message to the connected ones of its receivers.
func (w *world) spread(s *inbox.Spread) {
	for _, l := range w.lanes {
		l.post("spread "+string(s.Message.Payload), func() {
			for _, c := range w.conns {
				if c.lane == l && c.begun && !c.over && (s.Topic == "" || slices.Contains(c.topics, s.Topic)) {
					l.OfferBody(c.name(), s.Body, func(name delivery.Conn, seq uint64) delivery.Result {
						return l.Message(name, seq, s.Message)
					})
				}
			}
		})
	}
}
