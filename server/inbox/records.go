package inbox

import (
	"encoding/binary"

	"roost/server/inbox/journal"
)

// Kinds of records: the first byte. Integers are uvarints, bytes have their
// length before them, the last field takes the rest.
//
// Replayed in the order of the log they make the index. A device record is all
// that there is to say about a device but its messages; records of messages may
// come again, and out of order, when the cleaner has copied them.
const (
	recDevice    = 1  // number, era, acked, lag, id, topics: count and each
	recMessage   = 2  // number, seq, stored at (s since 1970); content
	recBody      = 3  // stored at, topic; content: of the receivers records behind it
	recReceivers = 4  // pairs of number and seq
	recAcks      = 5  // pairs of number and acked
	recRemove    = 6  // number
	recSubscribe = 7  // number; topic
	recLeave     = 8  // number; topic
	recLatest    = 9  // topic, expires (s since 1970); content
	recClear     = 10 // topic
	recKey       = 11 // number or 0, expires, seq, topic, id: an idempotency key whose message is gone
	recEra       = 12 // the newest era
	recShared    = 13 // stored at; content: of the receivers records behind it, each with a key of its own
)

// receiversPerRecord keeps a record within the journal's bound. It is a variable
// for tests.
var receiversPerRecord = 500_000

// logWriter is the writer of File: it appends records to a batch. It is used
// with index.mu held.
type logWriter struct {
	x       *index
	batch   journal.Batch
	content []byte
	logged  []loggedDevice // device records in the batch
	acks    []Ref          // whose acknowledgements are in it
	fresh   []Ref          // taken from index.fresh for it
	err     error          // a record that the batch did not take
}

// loggedDevice remembers what to restore if the batch fails.
type loggedDevice struct {
	ref     Ref
	segment uint32
}

func (w *logWriter) reset() {
	w.batch.Reset()
	w.logged, w.acks, w.fresh, w.err = w.logged[:0], w.acks[:0], w.fresh[:0], nil
}

// trim gives up the memory of a burst.
func (w *logWriter) trim() {
	if cap(w.batch.Buf) > keepBytes {
		w.batch = journal.Batch{}
	}
	w.logged, w.acks = trimmed(w.logged), trimmed(w.acks)
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

// know logs a device before the first record that names it.
func (w *logWriter) know(ref Ref) {
	if d := w.x.get(ref); d != nil && d.segment&^dirtyBit == 0 {
		w.device(ref, d)
	}
}

// device logs all there is to say about a device.
func (w *logWriter) device(ref Ref, d *device) {
	w.logged = append(w.logged, loggedDevice{ref, d.segment &^ dirtyBit})
	d.segment |= segmentPending
	w.begin(recDevice)
	w.uvarint(uint64(ref))
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

func (w *logWriter) put(ref Ref, seq uint64, now uint32, _ uint32, content []byte) int {
	w.know(ref)
	w.begin(recMessage)
	w.uvarint(uint64(ref))
	w.uvarint(seq)
	w.uvarint(uint64(now))
	w.batch.Buf = append(w.batch.Buf, content...)
	return w.end()
}

func (w *logWriter) spread(x *index, s *Spread, now uint32, content []byte) int {
	for _, ref := range s.receivers {
		w.know(ref)
	}
	body := w.body(now, s.Topic, content)
	w.receivers(len(s.receivers), func(i int) (Ref, uint64) {
		ref := s.receivers[i]
		return ref, x.get(ref).last()
	})
	return body
}

func (w *logWriter) shared(puts []*Put, now uint32, _ uint32, content []byte) int {
	for _, p := range puts {
		w.know(p.Ref)
	}
	w.begin(recShared)
	w.uvarint(uint64(now))
	w.batch.Buf = append(w.batch.Buf, content...)
	body := w.end()
	w.receivers(len(puts), func(i int) (Ref, uint64) { return puts[i].Ref, puts[i].Seq })
	return body
}

func (w *logWriter) body(now uint32, topic string, content []byte) int {
	w.begin(recBody)
	w.uvarint(uint64(now))
	w.bytes(topic)
	w.batch.Buf = append(w.batch.Buf, content...)
	return w.end()
}

func (w *logWriter) receivers(n int, of func(i int) (Ref, uint64)) {
	for i := range n {
		if i%receiversPerRecord == 0 {
			if i > 0 {
				w.end()
			}
			w.begin(recReceivers)
		}
		ref, seq := of(i)
		w.uvarint(uint64(ref))
		w.uvarint(seq)
	}
	if n > 0 {
		w.end()
	}
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
	w.uvarint(uint64(ref))
	w.batch.Buf = append(w.batch.Buf, topic...)
	w.end()
}

func (w *logWriter) remove(ref Ref) {
	w.begin(recRemove)
	w.uvarint(uint64(ref))
	w.end()
}

func (w *logWriter) era() {
	w.begin(recEra)
	w.uvarint(uint64(w.x.era))
	w.end()
}

func (w *logWriter) place(record int) uint64 { return uint64(w.batch.Pos(record)) }

// lazily logs what may wait: new devices, and how far others have acknowledged,
// at most so many of each.
func (w *logWriter) lazily(atMost int) {
	x := w.x
	n := min(len(x.fresh), atMost)
	w.fresh = append(w.fresh, x.fresh[:n]...)
	for _, ref := range w.fresh {
		w.know(ref)
	}
	x.fresh = x.fresh[:copy(x.fresh, x.fresh[n:])]
	n = min(len(x.dirty), atMost)
	if n == 0 {
		return
	}
	w.begin(recAcks)
	for _, ref := range x.dirty[:n] {
		if d := x.get(ref); d != nil && d.segment&dirtyBit != 0 {
			d.segment &^= dirtyBit
			w.acks = append(w.acks, ref)
			w.uvarint(uint64(ref))
			w.uvarint(d.acked)
		}
	}
	x.dirty = x.dirty[:copy(x.dirty, x.dirty[n:])]
	w.end()
}

// done notes in which segment device records are.
func (w *logWriter) done() {
	if w.batch.Len() == 0 {
		return
	}
	segment := w.batch.Pos(0).Segment() & segmentMask
	for _, l := range w.logged {
		if d := w.x.get(l.ref); d != nil {
			d.segment = d.segment&dirtyBit | segment
		}
	}
}

// failed takes back what the index was told about the batch.
func (w *logWriter) failed() {
	for _, l := range w.logged {
		if d := w.x.get(l.ref); d != nil {
			d.segment = d.segment&dirtyBit | l.segment
		}
	}
	for _, ref := range w.fresh {
		if d := w.x.get(ref); d != nil && d.segment&^dirtyBit == 0 {
			w.x.fresh = append(w.x.fresh, ref)
		}
	}
	for _, ref := range w.acks {
		if d := w.x.get(ref); d != nil {
			w.x.soil(ref, d)
		}
	}
}
