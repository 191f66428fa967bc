package inbox

import (
	"encoding/binary"
	"hash/crc32"

	"roost/server/inbox/journal"
)

// Kinds of records: the first byte. Integers are uvarints, bytes have their
// length before them, the last field takes the rest.
//
// A number of a device is given shifted by one; the lowest bit says that another
// number follows, how many devices had it before and were removed. When damage takes
// some of the records, the others are so not taken for those of another device.
//
// Replayed in the order of the log they make the index. A device record is all
// that there is to say about a device but its messages, as of what was committed:
// so it stands in front of whatever its batch says about the device. Records of
// messages may come again, and out of order, when the cleaner has copied them.
const (
	recDevice    = 1  // number, era, acked, lag, id, topics: count and each
	recMessage   = 2  // number, seq, stored at (s since 1970); content
	recBody      = 3  // stored at, topic; content: of the receivers records behind it
	recReceivers = 4  // tag of the body record before, see bodyTag; pairs of number and seq
	recAcks      = 5  // pairs of number and acked
	recRemove    = 6  // number
	recSubscribe = 7  // number; topic
	recLeave     = 8  // number; topic
	recLatest    = 9  // topic, expires (s since 1970); content
	recClear     = 10 // topic
	recKey       = 11 // number or 0, expires, seq, topic, id: an idempotency key whose message is gone
	recEra       = 12 // the newest era
	recShared    = 13 // stored at; content: of the receivers records behind it, each with a key of its own
	recEpoch     = 14 // number, era: the device's from here on
	recCopy      = 15 // receivers at first, stored at, topic; content: a body record that was copied
)

// receiversPerRecord keeps a record within the journal's bound. It is a variable
// for tests.
var receiversPerRecord = 500_000

// logWriter is the writer of File: it appends records to a batch. It belongs to the
// committing goroutine; what it says of the index it says with index.mu held.
type logWriter struct {
	x       *index
	batch   journal.Batch
	content []byte
	logged  []loggedDevice // device records in the batch
	eras    []Ref          // who has an era record in it
	acks    []Ref          // whose acknowledgements are in it
	fresh   []Ref          // taken from index.fresh for it
	err     error          // a record that the batch did not take
}

// loggedDevice remembers what to restore if the batch fails: device.segment without
// dirtyBit.
type loggedDevice struct {
	ref     Ref
	segment uint32
}

func (w *logWriter) reset() {
	w.batch.Reset()
	w.logged, w.eras, w.acks, w.fresh, w.err = w.logged[:0], w.eras[:0], w.acks[:0], w.fresh[:0], nil
}

// writerMark is a place in a batch to go back to.
type writerMark struct{ records, logged, eras int }

func (w *logWriter) mark() writerMark {
	return writerMark{w.batch.Len(), len(w.logged), len(w.eras)}
}

// back takes out what was written since the mark.
func (w *logWriter) back(to writerMark) {
	w.restore(to)
	w.batch.Cut(to.records)
	w.logged, w.eras, w.err = w.logged[:to.logged], w.eras[:to.eras], nil
}

// trim gives up the memory of a burst.
func (w *logWriter) trim() {
	if cap(w.batch.Buf) > keepBytes {
		w.batch = journal.Batch{}
	}
	w.logged, w.eras, w.acks, w.fresh = trimmed(w.logged), trimmed(w.eras), trimmed(w.acks), trimmed(w.fresh)
	w.x.mu.Lock()
	w.x.fresh, w.x.dirty = trimmed(w.x.fresh), trimmed(w.x.dirty)
	w.x.mu.Unlock()
}

// keepBytes and keepEntries are what a list that is used over and over keeps.
const (
	keepBytes   = 64 << 10
	keepEntries = 1024
)

// trimmed returns an empty list without its memory if that is much.
func trimmed[T any](list []T) []T {
	if len(list) == 0 && cap(list) > keepEntries {
		return nil
	}
	return list
}

func (w *logWriter) begin(kind byte) {
	w.batch.Begin()
	w.batch.Buf = append(w.batch.Buf, kind)
}

func (w *logWriter) uvarint(v uint64) { w.batch.Buf = binary.AppendUvarint(w.batch.Buf, v) }

func (w *logWriter) bytes(b string) {
	w.uvarint(uint64(len(b)))
	w.batch.Buf = append(w.batch.Buf, b...)
}

// name writes the number of a device, 0 for none.
func (w *logWriter) name(ref Ref) {
	if n := w.x.lives[ref].n; n > 0 && ref != 0 {
		w.uvarint(uint64(ref)<<1 | 1)
		w.uvarint(uint64(n))
		return
	}
	w.uvarint(uint64(ref) << 1)
}

// name is the inverse of logWriter.name.
func (r *fields) name() (ref Ref, life uint32) {
	v := r.uvarint()
	if v&1 != 0 {
		life = uint32(r.uvarint())
	}
	return Ref(v >> 1), life
}

func (w *logWriter) end() int {
	i, err := w.batch.End()
	if err != nil && w.err == nil {
		w.err = err
	}
	return i
}

func (w *logWriter) message(m *Message) []byte {
	w.content = m.appendContent(w.content[:0])
	return w.content
}

// know logs a device, or its new era, before the first record that names it.
func (w *logWriter) know(ref Ref) {
	d := w.x.get(ref)
	switch {
	case d == nil:
	case d.segment&(segmentPending|segmentMask) == 0:
		w.device(ref, d)
	case d.segment&eraBit != 0:
		d.segment &^= eraBit
		w.eras = append(w.eras, ref)
		w.begin(recEpoch)
		w.name(ref)
		w.uvarint(uint64(d.era))
		w.end()
	}
}

// device logs all there is to say about a device.
func (w *logWriter) device(ref Ref, d *device) {
	w.logged = append(w.logged, loggedDevice{ref, d.segment &^ dirtyBit})
	d.segment = d.segment&dirtyBit | segmentPending
	w.begin(recDevice)
	w.name(ref)
	w.uvarint(uint64(d.era))
	w.uvarint(d.acked)
	w.uvarint(w.x.committed(d) - d.acked)
	w.bytes(string(w.x.ids.ID(uint32(ref) - 1)))
	names := w.x.topicNames(d)
	w.uvarint(uint64(len(names)))
	for _, name := range names {
		w.bytes(name)
	}
	w.end()
}

// keep does nothing: records are read from the log.
func (w *logWriter) keep(uint32, []byte) {}

func (w *logWriter) put(ref Ref, seq uint64, now uint32, content []byte) int {
	w.know(ref)
	w.begin(recMessage)
	w.name(ref)
	w.uvarint(seq)
	w.uvarint(uint64(now))
	w.batch.Buf = append(w.batch.Buf, content...)
	return w.end()
}

func (w *logWriter) spread(x *index, s *Spread, now uint32, content []byte) int {
	for i, ref := range s.receivers {
		if w.know(ref); i%slice == slice-1 {
			x.pause()
		}
	}
	body := w.body(now, s.Topic, content)
	w.receivers(bodyTag(content), len(s.receivers), func(i int) (Ref, uint64) {
		if i%slice == slice-1 {
			x.pause()
		}
		ref := s.receivers[i]
		return ref, x.get(ref).last()
	})
	return body
}

func (w *logWriter) shared(puts []*Put, now uint32, content []byte) int {
	for _, p := range puts {
		w.know(p.Ref)
	}
	w.begin(recShared)
	w.uvarint(uint64(now))
	w.batch.Buf = append(w.batch.Buf, content...)
	body := w.end()
	w.receivers(bodyTag(content), len(puts), func(i int) (Ref, uint64) { return puts[i].Ref, puts[i].Seq })
	return body
}

func (w *logWriter) body(now uint32, topic string, content []byte) int {
	w.begin(recBody)
	w.uvarint(uint64(now))
	w.bytes(topic)
	w.batch.Buf = append(w.batch.Buf, content...)
	return w.end()
}

// bodyTag is what receivers know of their body: if that is damaged, the one before it
// in the log is not theirs.
func bodyTag(content []byte) uint64 { return uint64(crc32.Checksum(content, castagnoli)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (w *logWriter) receivers(tag uint64, n int, of func(i int) (Ref, uint64)) {
	for i := 0; i < max(n, 1); i++ { // one record at least: the cleaner keeps the key when it meets it
		if i%receiversPerRecord == 0 {
			if i > 0 {
				w.end()
			}
			w.begin(recReceivers)
			w.uvarint(tag)
		}
		if i < n {
			ref, seq := of(i)
			w.name(ref)
			w.uvarint(seq)
		}
	}
	w.end()
}

func (w *logWriter) latest(topic string, expires uint32, m *Message) int {
	w.begin(recLatest)
	w.bytes(topic)
	w.uvarint(uint64(expires))
	w.batch.Buf = m.appendContent(w.batch.Buf)
	return w.end()
}

func (w *logWriter) clear(topic string) {
	w.begin(recClear)
	w.batch.Buf = append(w.batch.Buf, topic...)
	w.end()
}

func (w *logWriter) subscription(ref Ref, topic string, on bool) {
	w.know(ref)
	w.begin(map[bool]byte{true: recSubscribe, false: recLeave}[on])
	w.name(ref)
	w.batch.Buf = append(w.batch.Buf, topic...)
	w.end()
}

func (w *logWriter) remove(ref Ref) {
	w.begin(recRemove)
	w.name(ref)
	w.end()
	w.era(w.x.era + 1) // which whoever comes under its id will have
}

func (w *logWriter) era(era uint32) {
	w.begin(recEra)
	w.uvarint(uint64(era))
	w.end()
}

func (w *logWriter) place(record int) uint64 { return uint64(w.batch.Pos(record)) }

// lazily logs what may wait: new devices and eras, and how far others have
// acknowledged, at most so many of each, and about flushBytes.
func (w *logWriter) lazily(atMost int) {
	x := w.x
	x.mu.Lock()
	defer x.mu.Unlock()
	n := min(len(x.fresh), atMost)
	w.fresh = append(w.fresh, x.fresh[:n]...)
	x.fresh = x.fresh[:copy(x.fresh, x.fresh[n:])]
	for i, ref := range w.fresh {
		if w.batch.Bytes() > flushBytes {
			x.fresh = append(x.fresh, w.fresh[i:]...)
			w.fresh = w.fresh[:i]
			break
		}
		if w.know(ref); i%slice == slice-1 {
			x.pause()
		}
	}
	if n = min(len(x.dirty), atMost); n == 0 {
		return
	}
	w.begin(recAcks)
	for i, ref := range x.dirty[:n] {
		if i%slice == slice-1 {
			x.pause() // what becomes dirty meanwhile comes behind
		}
		if d := x.get(ref); d != nil && d.segment&dirtyBit != 0 {
			d.segment &^= dirtyBit
			w.acks = append(w.acks, ref)
			w.name(ref)
			w.uvarint(d.acked)
		}
	}
	x.dirty = x.dirty[:copy(x.dirty, x.dirty[n:])]
	w.end()
}

// done notes in which segment device records are. A device that has begun an era
// meanwhile has that still to be logged.
func (w *logWriter) done() {
	if w.batch.Len() == 0 {
		return
	}
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	segment := w.batch.Pos(0).Segment() & segmentMask
	for i, l := range w.logged {
		if d := w.x.get(l.ref); d != nil && d.segment&segmentPending != 0 {
			d.segment = d.segment&(dirtyBit|eraBit) | segment
		}
		if i%slice == slice-1 {
			w.x.pause()
		}
	}
}

// restore takes back what devices were told about records behind the mark.
func (w *logWriter) restore(to writerMark) {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	for i, l := range w.logged[to.logged:] {
		if d := w.x.get(l.ref); d != nil && d.segment&segmentPending != 0 {
			d.segment = d.segment&(dirtyBit|eraBit) | l.segment
		}
		if i%slice == slice-1 {
			w.x.pause()
		}
	}
	for _, ref := range w.eras[to.eras:] {
		if d := w.x.get(ref); d != nil {
			d.segment |= eraBit
		}
	}
}

// failed takes back what the index was told about the batch.
func (w *logWriter) failed() {
	w.restore(writerMark{})
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	for _, ref := range w.fresh {
		if d := w.x.get(ref); d != nil && (d.segment&segmentMask == 0 || d.segment&eraBit != 0) {
			w.x.fresh = append(w.x.fresh, ref)
		}
	}
	for _, ref := range w.acks {
		if d := w.x.get(ref); d != nil {
			w.x.soil(ref, d)
		}
	}
}
