package inbox

import "roost/server/inbox/journal"

// copier is what the cleaner remembers while it copies records.
type copier struct {
	moved []move // copies in the batch, to be told to the index when they are safe

	// The last body record, for the receivers behind it.
	body    journal.Pos
	bodyRec []byte
	copied  bool  // into the batch
	gone    []Ref // receivers of a shared message that do not wait any more
}

// move is a record of content that got another place.
type move struct {
	body     uint32 // number of a body, or
	latest   string // name of a topic
	from, to uint64 // to is the index in the batch until it is written
}

func (c *copier) trim() { c.moved, c.gone = trimmed(c.moved[:0]), trimmed(c.gone[:0]) }

// receiversAlone is how long a record of receivers is for which a new batch is begun,
// so that a message to all and all of its receivers fit into it, as they once did.
const receiversAlone = 1 << 20

// recordFrame is about what a record takes beside its bytes.
const recordFrame = 12

// record copies a record if it still counts.
func (c *cleaner) record(pos journal.Pos, rec []byte) error {
	if len(rec) == 0 {
		return nil
	}
	c.pass.read += int64(len(rec)) + recordFrame
	// Records of devices may have become longer, so the copies of a batch are not
	// always shorter than it.
	f := fields{b: rec[1:]}
	if rec[0] == recReceivers {
		if !c.copied && len(rec) > receiversAlone && c.w.batch.Len() > 0 {
			if err := c.flush(); err != nil {
				return err
			}
		}
		c.receivers(&f)
		return nil
	}
	if c.w.batch.Bytes() > flushBytes {
		if err := c.flush(); err != nil {
			return err
		}
	}
	x := c.f.x
	x.mu.Lock()
	defer x.mu.Unlock()
	switch rec[0] {
	case recDevice:
		// Its topics, its era, and what was acknowledged since, go with it: so their
		// own records need not be copied.
		ref, life := f.name()
		if d := x.living(ref, life); d != nil {
			if at := d.segment &^ (dirtyBit | eraBit); at == 0 || at == pos.Segment()&segmentMask {
				c.w.device(ref, d)
			}
		}
	case recMessage:
		c.message(pos, rec, &f)
	case recBody, recShared, recCopy:
		c.body, c.bodyRec, c.copied = pos, append(c.bodyRec[:0], rec...), false
	case recLatest:
		name := string(f.bytes())
		if it := x.topics.byName[name]; it != nil && it.loc == uint64(pos) && it.latest != nil {
			c.moved = append(c.moved, move{latest: name, from: uint64(pos), to: uint64(c.copy(rec))})
		}
	case recKey:
		ref, life := f.name()
		expires, seq := uint32(f.uvarint()), f.uvarint()
		if topic := string(f.bytes()); expires > x.seconds() && (ref == 0 || x.living(ref, life) != nil) && c.isKey(ref, seq, topic, f.b) {
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
	ref, life := f.name()
	seq, stored := f.uvarint(), uint32(f.uvarint())
	if c.f.x.living(ref, life) == nil {
		return
	}
	if body := c.f.x.waiting(ref, seq, uint64(pos)); body != 0 {
		c.w.know(ref)
		c.moved = append(c.moved, move{body: body, from: uint64(pos), to: uint64(c.copy(rec))})
		return
	}
	c.key(ref, "", f.b, stored)
}

// find returns what is remembered of a message with an id; a device may have been
// removed, and the number be another one's now.
func (c *cleaner) find(ref Ref, topic string, id []byte) (first, bool) {
	x := c.f.x
	if ref == 0 {
		return x.keys.get(x.spreadKey(topic, id), x.seconds())
	}
	return x.keys.get(x.keyOf(ref, id), x.seconds())
}

// key keeps the idempotency key of a message that is dropped.
func (c *cleaner) key(ref Ref, topic string, content []byte, stored uint32) {
	x := c.f.x
	var m Message
	if m.parseContent(content) != nil || len(m.ID) == 0 || keyExpires(stored, m.TTL) <= x.seconds() {
		return
	}
	v, known := c.find(ref, topic, m.ID)
	if !known || ref != 0 && x.get(ref) == nil {
		return
	}
	c.w.begin(recKey)
	c.w.name(ref)
	c.w.uvarint(uint64(v.expires))
	c.w.uvarint(v.seq)
	c.w.bytes(topic)
	c.w.batch.Buf = append(c.w.batch.Buf, m.ID...)
	c.w.end()
}

// isKey reports whether a key still stands for message seq of the device.
func (c *cleaner) isKey(ref Ref, seq uint64, topic string, id []byte) bool {
	v, known := c.find(ref, topic, id)
	return known && v.seq == seq
}

// receivers copies a message to many for those who still wait for it.
func (c *cleaner) receivers(f *fields) {
	x := c.f.x
	x.mu.Lock()
	defer x.mu.Unlock()
	open := false
	c.gone = c.gone[:0]
	tag := f.uvarint()
	if len(c.bodyRec) == 0 || bodyTag(bodyFields(c.bodyRec).content) != tag {
		return // theirs could not be read
	}
	for i := 1; len(f.b) > 0 && !f.short; i++ {
		if i%slice == 0 {
			x.pause()
		}
		ref, life := f.name()
		seq := f.uvarint()
		if x.living(ref, life) == nil {
			continue
		}
		item := x.waiting(ref, seq, uint64(c.body))
		if item == 0 {
			c.gone = append(c.gone, ref)
			continue
		}
		if !c.copied {
			// Once, for all of its receivers' records, which are in its batch: the
			// index has one place for it.
			c.copied = true
			c.moved = append(c.moved, move{body: item, from: uint64(c.body), to: uint64(c.copyBody())})
		}
		if !open {
			c.w.begin(recReceivers)
			c.w.uvarint(tag)
			open = true
		}
		c.w.name(ref)
		c.w.uvarint(seq)
	}
	if open {
		c.w.end()
	}
	b := bodyFields(c.bodyRec)
	if c.bodyRec[0] == recShared {
		for i, ref := range c.gone {
			if c.key(ref, "", b.content, b.stored); i%slice == slice-1 {
				x.pause()
			}
		}
	} else if !c.copied {
		c.key(0, b.topic, b.content, b.stored)
	}
}

// copyBody copies the body record. That of a message with an id gets the number of
// those who got it at first: a repetition is answered with that.
func (c *cleaner) copyBody() int {
	var m Message
	b := bodyFields(c.bodyRec)
	if c.bodyRec[0] != recBody || m.parseContent(b.content) != nil || len(m.ID) == 0 {
		return c.copy(c.bodyRec)
	}
	v, known := c.find(0, b.topic, m.ID)
	if !known {
		return c.copy(c.bodyRec)
	}
	c.w.begin(recCopy)
	c.w.uvarint(v.seq)
	c.w.batch.Buf = append(c.w.batch.Buf, c.bodyRec[1:]...)
	return c.w.end()
}

// rescue writes what is in the segment and in memory too: devices and latest values.
func (c *cleaner) rescue() error {
	x := c.f.x
	x.mu.Lock()
	defer x.mu.Unlock()
	for n := uint32(0); n < x.ids.End(); n++ {
		if d := x.get(Ref(n + 1)); d != nil && d.segment&(segmentPending|segmentMask) == c.segment&segmentMask {
			c.w.device(Ref(n+1), d)
		}
		if err := c.breathe(n); err != nil {
			return err
		}
	}
	for n := uint32(0); n < uint32(len(x.topics.byID)); n++ {
		if it := x.topics.byID[n]; it != nil && it.latest != nil && journal.Pos(it.loc).Segment() == c.segment {
			c.w.begin(recLatest)
			c.w.bytes(it.name)
			c.w.uvarint(uint64(it.expires))
			c.w.batch.Buf = append(c.w.batch.Buf, it.latest...)
			c.moved = append(c.moved, move{latest: it.name, from: it.loc, to: uint64(c.w.end())})
		}
		if err := c.breathe(n); err != nil {
			return err
		}
	}
	return nil
}

// breathe lets others at the index now and then, and writes what has become much.
func (c *cleaner) breathe(n uint32) (err error) {
	if n%slice != slice-1 {
		return nil
	}
	c.f.x.mu.Unlock()
	if c.w.batch.Bytes() > flushBytes {
		err = c.flush()
	}
	c.f.x.mu.Lock()
	return err
}
