package delivery_test

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
)

// device follows the client's rules of docs/PROTOCOL.md, as far as they are
// about kept messages; the scenario makes it forget, lie and go away.
type device struct {
	w  *world
	id string

	sid   uint64
	epoch string
	seq   uint64
	done  uint64    // highest number handled in this epoch: above seq while messages are repeated
	era   int       // +1 when the epoch changes
	ids   []knownID // of the last kept messages (rule 3)

	conn    *conn // the newest
	welcome bool  // conn has had one
	acked   uint64
	lazy    bool // acknowledges late or not at all
	stopped bool // was told not to come back

	life    int            // +1 when the device forgets what it has handled
	handled []handled      // by the application
	seen    map[string]int // "epoch seq" to payload: a number never means two messages
	got     map[int]bool   // payloads, in any life
	saved   kept
}

// handled is one message that the application has got.
type handled struct {
	life    int
	era     int
	epoch   string
	seq     uint64
	payload int
	id      string
}

// kept is what a device keeps over restarts.
type kept struct {
	sid   uint64
	epoch string
	seq   uint64
	done  uint64
	ids   []knownID
}

// knownID is the id of a message that was handled. In the era of its own it
// proves nothing: a repeat has a number that was there before, and an id may be
// used again for something new.
type knownID struct {
	id  string
	era int
}

func (w *world) device(id string) *device {
	d := &device{w: w, id: id, seen: map[string]int{}, got: map[int]bool{}}
	w.devices = append(w.devices, d)
	return d
}

// connect dials with what the device knows.
func (d *device) connect() {
	d.stopped = false
	r := inbox.Resume{}
	if d.epoch != "" {
		r = inbox.Resume{Given: true, Epoch: []byte(d.epoch), Seq: d.seq}
	}
	d.dial(r)
}

// dial makes a new connection, which replaces the one that is there.
func (d *device) dial(r inbox.Resume) {
	d.conn = d.w.dial(d, delivery.Hello{SID: d.sid, Resume: r})
	d.welcome = false
}

// drop gives the connection up.
func (d *device) drop() {
	if d.conn != nil {
		d.conn.abort()
		d.conn, d.welcome = nil, false
	}
}

// connected reports whether the device has a connection that it thinks alive.
func (d *device) connected() bool { return d.conn != nil }

// receive takes a frame.
func (d *device) receive(c *conn, f frame) {
	if c != d.conn {
		return // of a connection that was replaced
	}
	switch f.kind {
	case "refused":
		d.conn = nil
	case "welcome":
		d.welcome = true
		if epoch := f.session.Epoch.String(); epoch != d.epoch {
			d.epoch, d.done = epoch, 0
			d.era++
		}
		d.sid, d.seq, d.acked = f.session.SID, f.session.Acked, f.session.Acked
		d.done = max(d.done, d.seq)
	case "msg":
		d.message(f)
	case "skip":
		d.seq = max(d.seq, f.seq)
		d.done = max(d.done, d.seq)
		d.acknowledge()
	case "close":
		c.gone, d.conn, d.welcome = true, nil, false
		d.stopped = f.code/100 == 43
	}
}

// message is rule 2 and 3.
func (d *device) message(f frame) {
	switch {
	case f.seq <= d.seq:
		d.acked = min(d.acked, d.seq-1)
		d.acknowledge()
		return
	case f.seq > d.seq+1:
		d.w.fatal("%s: message %d after %d", d.id, f.seq, d.seq)
	}
	n, err := strconv.Atoi(f.payload)
	if err != nil {
		d.w.fatal("%s: payload %q", d.id, f.payload)
	}
	place := fmt.Sprint(d.epoch, " ", f.seq)
	if d.w.ledger.lying {
		place = fmt.Sprint(d.life, " ", d.era, " ", f.seq) // a name may come again, but not next
	}
	if old, ok := d.seen[place]; ok && old != n {
		d.w.fatal("%s: number %d of %s is message %d, it was %d", d.id, f.seq, d.epoch, n, old)
	}
	d.seen[place] = n
	d.seq++
	d.w.ledger.received(d, f, n)
	if d.seq > d.done {
		d.done = d.seq
		if !slices.ContainsFunc(d.ids, func(k knownID) bool { return k.id == f.id && k.era != d.era }) {
			d.handle(handled{d.life, d.era, d.epoch, f.seq, n, f.id})
		}
		d.got[n] = true // or its id says that it was handled: publishers are told not to use one again
		if f.id != "" {
			d.ids = append(d.ids, knownID{f.id, d.era})
			d.ids = d.ids[max(0, len(d.ids)-1000):]
		}
	}
	d.acknowledge()
}

// handle is the application.
func (d *device) handle(h handled) {
	for _, old := range d.handled {
		if old.payload == h.payload && old.life == h.life && (old.era == h.era || h.id != "") {
			d.w.fatal("%s handles message %d twice: %+v, then %+v", d.id, h.payload, old, h)
		}
	}
	d.handled = append(d.handled, h)
}

// acknowledge is rule 4.
func (d *device) acknowledge() {
	switch {
	case d.lazy && d.w.rng.IntN(8) > 0:
	case d.calm() || d.seq-d.acked >= 16:
		d.ack(d.seq)
	default:
		c, seq := d.conn, d.seq
		d.w.at(d.w.now.Add(time.Duration(d.w.rng.Int64N(int64(200*time.Millisecond)))), d.id+" acknowledges", func() {
			if d.conn == c && d.welcome && d.seq >= seq && d.acked < seq {
				d.ack(d.seq)
			}
		})
	}
}

func (d *device) calm() bool { return d.w.calm }

func (d *device) ack(seq uint64) {
	d.acked = seq
	d.conn.say(frame{kind: "ack", seq: seq})
}

// save writes down what is to survive a restart.
func (d *device) save() { d.saved = kept{d.sid, d.epoch, d.seq, d.done, slices.Clone(d.ids)} }

// restart makes the device what it was when it last saved, with a new memory of
// what it has handled: the application starts anew.
func (d *device) restart() {
	d.drop()
	d.life++
	d.sid, d.epoch, d.seq, d.done, d.ids = d.saved.sid, d.saved.epoch, d.saved.seq, d.saved.done, slices.Clone(d.saved.ids)
}

// forget makes the device a new one.
func (d *device) forget() {
	d.saved = kept{}
	d.restart()
}

// payloads returns all that were handled, in order.
func (d *device) payloads() (all []int) {
	for _, h := range d.handled {
		all = append(all, h.payload)
	}
	return all
}
