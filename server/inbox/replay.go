package inbox

import (
	"cmp"
	"errors"
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
	body    uint32 // of the last body record, for the receivers behind it
	last    struct {
		dead  bool // it has expired
		topic string
		key   key // of a spread with an id, else hash 0
		first first
	}
}

// found is a message of a device in the log.
type found struct {
	ref  Ref
	body uint32
	seq  uint64
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
	case recBody:
		r.spread(pos, &f)
	case recReceivers:
		r.receivers(&f)
	case recAcks:
		for len(f.b) > 0 {
			ref, acked := Ref(f.uvarint()), f.uvarint()
			if d := r.x.get(ref); d != nil {
				d.advance(acked)
			}
		}
	case recRemove:
		r.remove(Ref(f.uvarint()))
	case recSubscribe, recLeave:
		r.subscription(rec[0], &f)
	case recLatest, recClear:
		r.latest(pos, rec[0], &f)
	case recKey:
		r.key(&f)
	case recEra:
		r.x.era = max(r.x.era, uint32(f.uvarint()))
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
	ref, era := Ref(f.uvarint()), uint32(f.uvarint())
	acked, lag := f.uvarint(), f.uvarint()
	id := f.bytes()
	n := f.uvarint()
	if f.short || ref == 0 || len(id) == 0 || len(id) > idmap.MaxID || n > MaxSubscriptions {
		f.short = true
		return
	}
	x := r.x
	d := x.get(ref)
	if d != nil && string(x.ids.ID(uint32(ref)-1)) != string(id) {
		r.remove(ref) // the record of its removal was lost
		d = nil
	}
	if d == nil {
		if old, other := x.find(id); other != nil {
			r.remove(old) // likewise
		}
		if !x.ids.Place(idmap.Hash(x.seed, id), id, uint32(ref)-1) {
			f.short = true
			return
		}
		for x.devices.end < uint32(ref)+1 {
			x.devices.alloc()
		}
		d = x.devices.at(uint32(ref))
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

// remove forgets a device and what was found for it.
func (r *replay) remove(ref Ref) {
	kept := r.items[:0]
	for _, it := range r.items {
		if it.ref == ref {
			r.drop(it.body)
		} else {
			kept = append(kept, it)
		}
	}
	r.items = kept
	if r.x.get(ref) != nil {
		r.x.remove(ref)
	} else {
		r.x.lives[ref]++ // its record has gone with a segment, its messages and their keys have not
	}
}

func (r *replay) message(pos journal.Pos, f *fields) {
	ref, seq, stored := Ref(f.uvarint()), f.uvarint(), uint32(f.uvarint())
	if f.short || ref == 0 {
		return
	}
	if body := r.content(pos, f.b, stored, ref, "", seq); !r.wants(ref, seq) {
		r.forget(body)
	} else if body != 0 {
		r.add(ref, seq, body)
	}
}

// wants notes that a number was given and reports whether the message may still
// be waited for.
func (r *replay) wants(ref Ref, seq uint64) bool {
	d := r.x.get(ref)
	if d == nil {
		return true // its record may come
	}
	d.reach(seq)
	return seq > d.acked
}

// content makes the body of a message that has not expired and remembers its
// idempotency key.
func (r *replay) content(pos journal.Pos, content []byte, stored uint32, ref Ref, topic string, seq uint64) uint32 {
	var m Message
	if m.parseContent(content) != nil {
		return 0
	}
	r.last.key = key{}
	if expires := keyExpires(stored, m.TTL); len(m.ID) > 0 && expires > r.now {
		r.last.first = first{seq: seq, expires: expires}
		if r.last.key = r.x.spreadKey(topic, m.ID); ref != 0 {
			r.last.key = r.x.keyOf(ref, m.ID)
		}
		r.x.keys.set(r.last.key, r.last.first)
	}
	if stored+m.TTL <= r.now {
		return 0
	}
	body := r.x.newBody(len(content), stored+m.TTL)
	r.x.settle(body, uint64(pos))
	return body
}

func (r *replay) spread(pos journal.Pos, f *fields) {
	stored, topic := uint32(f.uvarint()), string(f.bytes())
	if f.short {
		return
	}
	r.forget(r.body) // one that nobody was found for
	r.body = r.content(pos, f.b, stored, 0, topic, 0)
}

func (r *replay) receivers(f *fields) {
	n := uint64(0)
	for len(f.b) > 0 {
		ref, seq := Ref(f.uvarint()), f.uvarint()
		n++
		if !f.short && ref != 0 && r.wants(ref, seq) && r.body != 0 {
			r.add(ref, seq, r.body)
		}
	}
	if r.last.key.hash != 0 {
		r.last.first.seq += n
		r.x.keys.set(r.last.key, r.last.first)
	}
}

func (r *replay) add(ref Ref, seq uint64, body uint32) {
	r.x.bodies.at(body).refs++
	r.items = append(r.items, found{ref, body, seq})
	if len(r.items) > r.check {
		r.prune(false)
		r.check = 2*len(r.items) + 1<<20
	}
}

// forget drops a body that has no items.
func (r *replay) forget(body uint32) {
	if body != 0 && r.x.bodies.at(body).refs == 0 {
		r.x.dropBody(body)
		if r.body == body {
			r.body = 0
		}
	}
}

func (r *replay) drop(body uint32) {
	r.x.bodies.at(body).refs--
	r.forget(body)
}

// prune drops what has been acknowledged since it was found; at the end also
// what is nobody's.
func (r *replay) prune(final bool) {
	kept := r.items[:0]
	for _, it := range r.items {
		if d := r.x.get(it.ref); d == nil && final || d != nil && it.seq <= d.acked {
			if d == nil {
				r.orphans++
			}
			r.drop(it.body)
		} else {
			kept = append(kept, it)
		}
	}
	r.items = kept
}

func (r *replay) subscription(kind byte, f *fields) {
	ref := Ref(f.uvarint())
	d := r.x.get(ref)
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
		if it := r.x.topics.byName[string(f.b)]; it != nil {
			r.x.setLatest(it, nil, 0, 0)
		}
		return
	}
	name, expires := string(f.bytes()), uint32(f.uvarint())
	if f.short {
		return
	}
	if it, err := r.x.makeTopic(name); err == nil {
		r.x.setLatest(it, slices.Clone(f.b), expires, uint64(pos))
	}
}

func (r *replay) key(f *fields) {
	ref, expires, seq := Ref(f.uvarint()), uint32(f.uvarint()), f.uvarint()
	topic, id := string(f.bytes()), f.b
	if f.short || expires <= r.now {
		return
	}
	k := r.x.spreadKey(topic, id)
	if ref != 0 {
		k = r.x.keyOf(ref, id)
	}
	r.x.keys.set(k, first{seq: seq, expires: expires})
}

// finish puts what was found into the inboxes. After a loss every stream begins
// a new era; a message whose device is not there, and was not removed, is a sign
// of one: an oldest segment that is missing looks like one that was dropped.
func (r *replay) finish(lossy bool) (orphans int) {
	x := r.x
	r.forget(r.body)
	r.prune(true)
	lossy = lossy || r.orphans > 0
	x.ids.Rebuilt()
	// Copies of the cleaner come later in the log than their neighbours.
	slices.SortStableFunc(r.items, func(a, b found) int { return cmp.Or(cmp.Compare(a.ref, b.ref), cmp.Compare(a.seq, b.seq)) })
	x.lossy = lossy
	for i, it := range r.items {
		if i+1 < len(r.items) && r.items[i+1].ref == it.ref && r.items[i+1].seq == it.seq {
			r.drop(it.body) // the copy counts
			continue
		}
		x.recover(it)
	}
	r.items = nil
	for n := range x.ids.End() {
		if d := x.get(Ref(n + 1)); d != nil {
			x.fill(d)
		}
	}
	x.keys.began = r.now
	x.beginEra(r.now)
	if lossy {
		for n := range x.ids.End() {
			if d := x.get(Ref(n + 1)); d != nil {
				d.era, d.segment = x.era, d.segment&dirtyBit
				x.fresh = append(x.fresh, Ref(n+1))
			}
		}
	}
	x.n = Counts{Recovered: x.n.InFlight, InFlight: x.n.InFlight, Bytes: x.n.Bytes}
	return r.orphans
}

// recover puts a message at its place in the inbox: behind those that are there
// already.
func (x *index) recover(it found) {
	d := x.get(it.ref)
	d.reach(it.seq)
	if d.box == 0 {
		i, b := x.boxes.alloc()
		d.box = i
		*b = box{first: it.seq, expires: ^uint32(0)}
	}
	b := x.boxes.at(d.box)
	for b.first+uint64(b.n) < it.seq {
		hole := uint32(expired)
		if x.lossy {
			hole = lost
		}
		x.push(b, hole)
	}
	x.push(b, it.body)
	x.bodies.at(it.body).refs-- // push has counted it again
	x.n.InFlight++
}

// fill makes holes behind the last message found, up to the last number given.
func (x *index) fill(d *device) {
	if d.box == 0 {
		return
	}
	b := x.boxes.at(d.box)
	for b.first+uint64(b.n) <= d.last() {
		x.push(b, expired)
	}
}

// contentOf returns the content in a record of a message.
func contentOf(rec []byte) ([]byte, error) {
	if len(rec) == 0 {
		return nil, errRecord
	}
	f := fields{b: rec[1:]}
	switch rec[0] {
	case recMessage:
		f.uvarint()
		f.uvarint()
		f.uvarint()
	case recBody:
		f.uvarint()
		f.bytes()
	default:
		return nil, errRecord
	}
	if f.short {
		return nil, errRecord
	}
	return f.b, nil
}
