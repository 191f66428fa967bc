package inbox

import (
	"errors"

	"roost/server/inbox/journal"
)

const (
	// cleanStep is how much of the log one step of the cleaner reads: about a
	// millisecond, between two batches of publishers.
	cleanStep = 256 << 10

	// deviceBytes and keyBytes are about what a device and a key take in the log.
	deviceBytes, keyBytes = 64, 48
)

// cleaner keeps the log from growing: it copies what still counts in the oldest
// segment to the end of the log, and drops the segment. The log is allowed twice
// what counts, and some segments: so each byte that is published is copied about
// once in its life at most. It is a part of the committing goroutine.
type cleaner struct {
	f       *File
	slack   int64 // bytes
	pressed bool  // the disk was full since the last look
	busy    bool  // a segment is being cleaned
	segment uint32
	next    uint32 // offset where its next step begins
	w       logWriter

	// Copies in w, to be told to the index when they are safe.
	moved []move

	// The last body record, for the receivers behind it.
	body    journal.Pos
	bodyRec []byte
	copied  bool  // into w
	gone    []Ref // receivers of a shared message that do not wait any more
}

// move is a record of content that got another place.
type move struct {
	body     uint32 // number of a body, or
	latest   string // name of a topic
	from, to uint64 // to is the index in the batch until it is written
}

func (c *cleaner) init(f *File, segmentBytes int64) {
	c.f, c.slack, c.w.x = f, 2*segmentBytes, f.x
}

// trim gives up the memory of a burst while nothing is cleaned.
func (c *cleaner) trim() {
	if !c.busy {
		c.w.reset()
		c.w.trim()
		c.moved, c.gone = trimmed(c.moved[:0]), trimmed(c.gone[:0])
	}
}

// due reports whether the log is larger than it should be.
func (c *cleaner) due() bool {
	f := c.f
	f.x.mu.Lock()
	live := f.x.n.Bytes + int64(f.x.ids.Len())*deviceBytes + int64(f.x.keys.len())*keyBytes + f.x.topics.bytes
	f.x.mu.Unlock()
	if c.pressed {
		return f.journal.Size() > live+live/2+min(pressedSlack, c.slack)
	}
	return f.journal.Size() > 2*live+c.slack
}

// pressedSlack is what may be superfluous in the log when the disk is full.
const pressedSlack = 1 << 20

// choose returns the segment to be cleaned, if one is due. On a full disk that may
// be the one that is being written: it is sealed.
func (c *cleaner) choose() (segment uint32, due bool) {
	due = c.due()
	pressed := c.pressed
	c.pressed = false
	if !due {
		return 0, false
	}
	segments := c.f.journal.Segments()
	if len(segments) < 2 && (!pressed || c.f.journal.Rotate() != nil) {
		return 0, false
	}
	return segments[0].Number, true
}

// step does a part of the work if there is any, and reports whether it did.
func (c *cleaner) step() bool {
	if !c.busy {
		segment, due := c.choose()
		if !due {
			return false
		}
		c.busy, c.segment, c.next = true, segment, 0
	}
	c.w.reset()
	c.moved = c.moved[:0]
	next, done, err := c.f.journal.Scan(c.segment, c.next, cleanStep, c.record)
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		c.busy = false // the disk; it is tried again when the next segment is due
		return false
	}
	if done {
		c.f.x.mu.Lock()
		c.w.era()
		c.f.x.mu.Unlock()
	}
	if !c.write() {
		c.busy = false
		return false
	}
	c.next = next
	if done {
		c.busy = false
		return c.f.journal.DropOldest() == nil
	}
	return true
}

// write appends the copies and tells the index where they are.
func (c *cleaner) write() bool {
	err := c.w.err
	if err == nil && c.w.batch.Len() > 0 {
		err = c.f.journal.Append(&c.w.batch, true)
	}
	x := c.f.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		c.w.failed()
		return false
	}
	c.w.done()
	for _, m := range c.moved {
		to := c.w.place(int(m.to))
		if m.latest != "" {
			if it := x.topics.byName[m.latest]; it != nil && it.loc == m.from {
				it.loc = to
			}
		} else if m.body < x.bodies.end { // else the last of them was acknowledged, and the slab is gone
			if b := x.bodies.at(m.body); b.loc == m.from {
				b.loc = to
			}
		}
	}
	return true
}

// record copies a record if it still counts.
func (c *cleaner) record(pos journal.Pos, rec []byte) error {
	if len(rec) == 0 {
		return nil
	}
	x := c.f.x
	x.mu.Lock()
	defer x.mu.Unlock()
	f := fields{b: rec[1:]}
	switch rec[0] {
	case recDevice:
		// Its topics, and what was acknowledged since, go with it: so their own
		// records need not be copied.
		ref := Ref(f.uvarint())
		if d := x.get(ref); d != nil {
			if at := d.segment &^ dirtyBit; at == 0 || at == pos.Segment()&segmentMask {
				c.w.device(ref, d)
			}
		}
	case recMessage:
		c.message(pos, rec, &f)
	case recBody, recShared:
		c.body, c.bodyRec, c.copied = pos, append(c.bodyRec[:0], rec...), false
	case recReceivers:
		c.receivers(&f)
	case recLatest:
		name := string(f.bytes())
		if it := x.topics.byName[name]; it != nil && it.loc == uint64(pos) && it.latest != nil {
			c.moved = append(c.moved, move{latest: name, from: uint64(pos), to: uint64(c.copy(rec))})
		}
	case recKey:
		if ref, expires, seq := Ref(f.uvarint()), uint32(f.uvarint()), f.uvarint(); expires > x.seconds() && c.isKey(ref, seq, string(f.bytes()), f.b) {
			c.copy(rec)
		}
	}
	return nil
}

func (c *cleaner) copy(rec []byte) int {
	c.w.batch.Begin()
	c.w.batch.Buf = append(c.w.batch.Buf, rec...)
	return c.w.end()
}

func (c *cleaner) message(pos journal.Pos, rec []byte, f *fields) {
	ref, seq, stored := Ref(f.uvarint()), f.uvarint(), uint32(f.uvarint())
	if body := c.f.x.waiting(ref, seq, uint64(pos)); body != 0 {
		c.w.know(ref)
		c.moved = append(c.moved, move{body: body, from: uint64(pos), to: uint64(c.copy(rec))})
		return
	}
	c.key(ref, "", f.b, stored)
}

// key keeps the idempotency key of a message that is dropped.
func (c *cleaner) key(ref Ref, topic string, content []byte, stored uint32) {
	x := c.f.x
	var m Message
	if m.parseContent(content) != nil || len(m.ID) == 0 || keyExpires(stored, m.TTL) <= x.seconds() {
		return
	}
	k := x.spreadKey(topic, m.ID)
	if ref != 0 {
		if x.get(ref) == nil {
			return
		}
		k = x.keyOf(ref, m.ID)
	}
	v, known := x.keys.get(k, x.seconds())
	if !known {
		return
	}
	c.w.begin(recKey)
	c.w.uvarint(uint64(ref))
	c.w.uvarint(uint64(v.expires))
	c.w.uvarint(v.seq)
	c.w.bytes(topic)
	c.w.batch.Buf = append(c.w.batch.Buf, m.ID...)
	c.w.end()
}

// isKey reports whether a key still stands for message seq of the device: its
// device may have been removed, and the number be another one's now.
func (c *cleaner) isKey(ref Ref, seq uint64, topic string, id []byte) bool {
	x := c.f.x
	k := x.spreadKey(topic, id)
	if ref != 0 {
		k = x.keyOf(ref, id)
	}
	v, known := x.keys.get(k, x.seconds())
	return known && v.seq == seq
}

// receivers copies a message to many for those who still wait for it.
func (c *cleaner) receivers(f *fields) {
	x := c.f.x
	open := false
	c.gone = c.gone[:0]
	for len(f.b) > 0 && !f.short {
		ref, seq := Ref(f.uvarint()), f.uvarint()
		item := x.waiting(ref, seq, uint64(c.body))
		if item == 0 {
			c.gone = append(c.gone, ref)
			continue
		}
		if !c.copied {
			// Once, for all of its receivers' records, which are in its batch: the
			// index has one place for it.
			c.copied = true
			c.moved = append(c.moved, move{body: item, from: uint64(c.body), to: uint64(c.copy(c.bodyRec))})
		}
		if !open {
			c.w.begin(recReceivers)
			open = true
		}
		c.w.uvarint(uint64(ref))
		c.w.uvarint(seq)
	}
	if open {
		c.w.end()
	}
	b := fields{b: c.bodyRec[1:]}
	stored := uint32(b.uvarint())
	if c.bodyRec[0] == recShared {
		for _, ref := range c.gone {
			c.key(ref, "", b.b, stored)
		}
	} else if topic := string(b.bytes()); !c.copied {
		c.key(0, topic, b.b, stored)
	}
}
