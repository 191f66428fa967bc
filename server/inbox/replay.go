package inbox

import (
	"errors"
	"math"
	"slices"

	"roost/server/idmap"
	"roost/server/inbox/journal"
)

// errRecord says that a record makes no sense although its checksum is right:
// a mistake of ours, or of whoever wrote the file.
var errRecord = errors.New("inbox: a record of the log makes no sense")

// replay makes an index from the records of a log. Messages may come before the
// record of their device, which the cleaner has copied forward.
type replay struct {
	x     *index
	now   uint32
	items []found // messages, in the order of the log
	check int     // len(items) at which it is worth to look for dead ones
	// orphans are messages of devices that are not in the log.
	orphans int
	topics  int    // the bound: what comes and goes in the log was never there all at once
	body    uint32 // of the last body record, for the receivers behind it
	tag     uint64 // of it
	last    struct {
		key     key // of a spread with an id, else hash 0
		first   first
		counted bool   // first has the number of all receivers
		id      []byte // of a shared message: each of its receivers has the key
		expires uint32 // of those keys
	}
}

// begin gets the index ready.
func (r *replay) begin() {
	r.topics, r.x.limits.Topics = r.x.limits.Topics, math.MaxInt
}

// record takes one record.
func (r *replay) record(pos journal.Pos, rec []byte) error {
	if len(rec) == 0 {
		return errRecord
	}
	f := fields{b: rec[1:]}
	switch rec[0] {
	case recDevice:
		r.device(pos, &f)
	case recMessage:
		r.message(pos, &f)
	case recBody, recShared, recCopy:
		r.spread(pos, rec)
	case recReceivers:
		r.receivers(&f)
	case recAcks:
		for len(f.b) > 0 {
			ref, life := f.name()
			if acked, d := f.uvarint(), r.x.living(ref, life); d != nil {
				d.advance(acked)
			}
		}
	case recRemove:
		r.remove(f.name())
	case recSubscribe, recLeave:
		r.subscription(rec[0], &f)
	case recLatest, recClear:
		r.latest(pos, rec[0], &f)
	case recKey:
		r.key(&f)
	case recEra:
		r.x.era = max(r.x.era, uint32(f.uvarint()))
	case recEpoch:
		ref, life := f.name()
		era := uint32(f.uvarint())
		if d := r.x.living(ref, life); d != nil {
			d.era = era
		}
		r.x.era = max(r.x.era, era)
	}
	if f.short {
		return errRecord
	}
	return nil
}

// advance sets how far the device is; its last number is never below that.
func (d *device) advance(acked uint64) {
	last := max(d.last(), acked)
	d.acked = max(d.acked, acked)
	d.lag = uint32(last - d.acked)
}

// reach notes a number that was given.
func (d *device) reach(seq uint64) {
	if seq > d.last() {
		d.lag = uint32(seq - d.acked)
	}
}

func (r *replay) device(pos journal.Pos, f *fields) {
	ref, life := f.name()
	era := uint32(f.uvarint())
	acked, lag := f.uvarint(), f.uvarint()
	id := f.bytes()
	n := f.uvarint()
	if f.short || ref == 0 || len(id) == 0 || len(id) > idmap.MaxID || n > MaxSubscriptions {
		f.short = true
		return
	}
	x := r.x
	if life < x.lives[ref].n {
		return // it was removed
	}
	d := x.living(ref, life)
	if d != nil && string(x.ids.ID(uint32(ref)-1)) != string(id) {
		f.short = true
		return
	}
	if d == nil {
		if x.get(ref) != nil {
			r.remove(ref, x.lives[ref].n) // the record of its removal was lost
		}
		if old, other := x.find(id); other != nil {
			r.remove(old, x.lives[old].n) // likewise
		}
		r.live(ref, life)
		if !x.ids.Place(idmap.Hash(x.seed, id), id, uint32(ref)-1) {
			f.short = true
			return
		}
		x.idBytes += int64(len(id))
		for x.devices.end < uint32(ref)+1 {
			x.devices.alloc()
		}
		d = x.devices.at(uint32(ref))
		d.fence = awayBit
	}
	d.era, d.segment = era, pos.Segment()&segmentMask
	x.era = max(x.era, era)
	d.advance(acked)
	d.reach(acked + lag)
	x.unsubscribeAll(d)
	for range n {
		if err := x.subscribe(ref, d, string(f.bytes())); err != nil {
			return // over a bound that was lowered since
		}
	}
}

// remove forgets a device; what was found for it is dropped by prune.
func (r *replay) remove(ref Ref, life uint32) {
	if r.x.living(ref, life) != nil {
		r.x.remove(ref)
		return
	}
	r.live(ref, life+1) // its record has gone with a segment, or was lost
}

// live notes that a number belongs to this life now, if not to a later one.
func (r *replay) live(ref Ref, n uint32) {
	if l := r.x.lives[ref]; n > l.n {
		r.x.lives[ref] = life{n, l.fence}
	}
}

func (r *replay) message(pos journal.Pos, f *fields) {
	ref, life := f.name()
	seq, stored := f.uvarint(), uint32(f.uvarint())
	if f.short || ref == 0 {
		return
	}
	if body := r.content(pos, f.b, stored, ref, life, "", seq); !r.wants(ref, life, seq) {
		r.forget(body)
	} else if body != 0 {
		r.add(found{ref, body, life, seq})
	}
}

// wants notes that a number was given and reports whether the message may still
// be waited for.
func (r *replay) wants(ref Ref, life uint32, seq uint64) bool {
	d := r.x.living(ref, life)
	if d == nil {
		return life >= r.x.lives[ref].n // its record may come
	}
	d.reach(seq)
	return seq > d.acked
}

// content makes the body of a message that has not expired and remembers its
// idempotency key.
func (r *replay) content(pos journal.Pos, content []byte, stored uint32, ref Ref, life uint32, topic string, seq uint64) uint32 {
	var m Message
	if m.parseContent(content) != nil {
		return 0
	}
	r.last.key, r.last.id = key{}, r.last.id[:0]
	if expires := keyExpires(stored, m.TTL); len(m.ID) > 0 && expires > r.now {
		r.last.first = first{seq: seq, expires: expires, size: uint16(len(topic) + len(m.ID))}
		if r.last.key = r.x.spreadKey(topic, m.ID); ref != 0 {
			r.last.key = r.x.keyIn(ref, life, m.ID)
		}
		r.x.keys.set(r.last.key, r.last.first)
	}
	return r.newBody(pos, len(content), stored+m.TTL)
}

// shared makes the body of a message of several puts, and notes its id for the
// receivers behind it.
func (r *replay) shared(pos journal.Pos, content []byte, stored uint32) uint32 {
	var m Message
	if m.parseContent(content) != nil {
		return 0
	}
	r.last.key, r.last.id = key{}, r.last.id[:0]
	if r.last.expires = keyExpires(stored, m.TTL); r.last.expires > r.now {
		r.last.id = append(r.last.id, m.ID...)
	}
	return r.newBody(pos, len(content), stored+m.TTL)
}

func (r *replay) newBody(pos journal.Pos, size int, expires uint32) uint32 {
	if expires <= r.now {
		return 0
	}
	body := r.x.newBody(size, expires)
	r.x.settle(body, uint64(pos))
	return body
}

func (r *replay) spread(pos journal.Pos, rec []byte) {
	b := bodyFields(rec)
	if b.short {
		return
	}
	r.forget(r.body) // one that nobody was found for
	r.tag = bodyTag(b.content)
	if r.last.counted = rec[0] == recCopy; rec[0] == recShared {
		r.body = r.shared(pos, b.content, b.stored)
	} else {
		r.body = r.content(pos, b.content, b.stored, 0, 0, b.topic, b.receivers)
	}
}

func (r *replay) receivers(f *fields) {
	n := uint64(0)
	theirs := f.uvarint() == r.tag
	for len(f.b) > 0 {
		ref, life := f.name()
		seq := f.uvarint()
		if f.short || ref == 0 {
			return
		}
		if !theirs {
			r.wants(ref, life, seq) // the body is lost, the number was given
			continue
		}
		n++
		if len(r.last.id) > 0 {
			r.x.keys.set(r.x.keyIn(ref, life, r.last.id), first{seq: seq, expires: r.last.expires, size: uint16(len(r.last.id))})
		}
		if r.wants(ref, life, seq) && r.body != 0 {
			r.add(found{ref, r.body, life, seq})
		}
	}
	if theirs && r.last.key.hash != 0 && !r.last.counted {
		r.last.first.seq += n
		r.x.keys.set(r.last.key, r.last.first)
	}
}

func (r *replay) subscription(kind byte, f *fields) {
	ref, life := f.name()
	d := r.x.living(ref, life)
	switch {
	case d == nil:
	case kind == recSubscribe:
		_ = r.x.subscribe(ref, d, string(f.b)) // a bound stops it as it did then
	default:
		r.x.unsubscribe(d, string(f.b))
	}
}

func (r *replay) latest(pos journal.Pos, kind byte, f *fields) {
	if kind == recClear {
		r.clear(string(f.b))
		return
	}
	name, expires := string(f.bytes()), uint32(f.uvarint())
	if f.short {
		return
	}
	if expires <= r.now {
		r.clear(name)
	} else if it, err := r.x.makeTopic(name); err == nil {
		r.x.setLatest(it, slices.Clone(f.b), expires, uint64(pos))
	}
}

func (r *replay) clear(topic string) {
	if it := r.x.topics.byName[topic]; it != nil {
		r.x.setLatest(it, nil, 0, 0)
	}
}

func (r *replay) key(f *fields) {
	ref, life := f.name()
	expires, seq := uint32(f.uvarint()), f.uvarint()
	topic, id := string(f.bytes()), f.b
	if f.short || expires <= r.now {
		return
	}
	k := r.x.spreadKey(topic, id)
	if ref != 0 {
		k = r.x.keyIn(ref, life, id)
	}
	r.x.keys.set(k, first{seq: seq, expires: expires, size: uint16(len(topic) + len(id))})
}

// bodyRecord is what a record of content says.
type bodyRecord struct {
	receivers uint64 // recCopy: at first
	stored    uint32
	topic     string
	content   []byte
	short     bool // it is not whole
}

// bodyFields reads a record of kind recBody, recShared or recCopy.
func bodyFields(rec []byte) (b bodyRecord) {
	f := fields{b: rec[1:]}
	if rec[0] == recCopy {
		b.receivers = f.uvarint()
	}
	b.stored = uint32(f.uvarint())
	if rec[0] != recShared {
		b.topic = string(f.bytes())
	}
	b.content, b.short = f.b, f.short
	return b
}

// contentOf returns the content in a record of a message.
func contentOf(rec []byte) ([]byte, error) {
	if len(rec) == 0 {
		return nil, errRecord
	}
	switch rec[0] {
	case recMessage:
		f := fields{b: rec[1:]}
		f.name()
		f.uvarint()
		f.uvarint()
		if f.short {
			return nil, errRecord
		}
		return f.b, nil
	case recBody, recShared, recCopy:
		if b := bodyFields(rec); !b.short {
			return b.content, nil
		}
	}
	return nil, errRecord
}
