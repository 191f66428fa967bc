package journal

// walker goes through the batches of one segment. It delivers what is whole,
// gets past what is damaged, and knows the difference between damage and the
// torn end that a crash leaves.
//
// A crash may tear everything that was not yet synced, in any order. So a place
// that does not check is a loss only if it was durable once, which is so below
// sure: for a segment that has a successor, up to the valid length that the
// successor's header states; in the last one, up to the highest offset that a
// batch header names as synced. Elsewhere it is the end of the log, whatever
// follows, for what follows was never promised, and to deliver it would leave
// a hole before it. The exception is a place that cannot be read: no crash
// makes one of those.
type walker struct {
	window
	seeds

	segment uint32
	off     uint32 // where the walk is
	valid   uint32 // end of what counts
	sure    uint32 // all before was durable once
	last    bool   // sure may rise: nobody states how much of the segment counts
	asked   bool   // it was raised
	header  uint32 // the last whole batch header that was found then
	next    uint64 // the least number that the next batch can have; 0 is any

	hurt   bool // the place before off is damaged
	taken  bool // the batch there was in the log, synced or not: one follows it
	torn   bool // the log ends at off
	credit int  // bytes that may still be hashed in search of records, see salvage

	fn      func(pos Pos, rec []byte) error
	batches int // that were whole and have records
	records int
	bytes   int64 // of the records
	saved   int   // records, from damaged batches
	damages []Damage
	lost    int
}

// Damage is a place that held data that was durable once and does not check.
type Damage struct {
	Pos   Pos
	Bytes int64 // up to the next whole batch or the end of the segment
}

// maxDamages is how many places are remembered, of all that are counted.
const maxDamages = 16

// maxCredit is how many bytes are hashed in search of records that are not there
// before the search has to earn its time.
const maxCredit = 2 * MaxRecord

// reset points the walker to a segment. end is where its bytes end; sealed says
// that they all were durable once.
func (w *walker) reset(segment uint32, f File, s seeds, end uint32, sealed bool) {
	w.window.reset(f, end)
	*w = walker{window: w.window, seeds: s, segment: segment, off: firstBatch, valid: firstBatch, last: !sealed, credit: maxCredit}
	if sealed {
		w.sure = end
	}
}

// done reports the end of the log in this segment.
func (w *walker) done() bool { return w.torn || w.off >= w.end }

// step goes one batch or one damaged place on.
func (w *walker) step() error {
	h, whole, err := w.look(w.off)
	if err != nil {
		return err
	}
	if whole {
		b, err := w.at(w.off, int(h.length))
		if err != nil {
			return err
		}
		// Zeros in place of what cannot be read may be right by chance, but then
		// Read could not read it.
		if w.bodyOK(h, b, w.off) && !w.isBad(w.off, h.length) {
			return w.deliver(h, b)
		}
	}
	return w.damaged(h, whole)
}

// look reads the batch header at off.
func (w *walker) look(off uint32) (h batch, whole bool, err error) {
	if w.end-off < minBatch {
		return batch{}, false, nil
	}
	b, err := w.at(off, batchHead)
	if err != nil {
		return batch{}, false, err
	}
	h, whole = w.batchAt(b, off, w.end)
	return h, whole && h.number >= w.next, nil
}

// deliver passes the records of a whole batch on.
func (w *walker) deliver(h batch, b []byte) error {
	if h.number != w.next && w.next != 0 && !w.hurt {
		w.lose(w.off) // a batch is missing, and no trace of it
	}
	w.hurt, w.next = false, h.number+1
	w.sure = max(w.sure, h.synced)
	at, n := batchHead, uint32(0)
	for ; n < h.count; n++ {
		if len(b)-batchTail-at < recordHead {
			break
		}
		size := int(le.Uint32(b[at+4:]))
		if size > MaxRecord || at+recordLen(size) > len(b)-batchTail {
			break
		}
		w.bytes += int64(size)
		if err := w.fn(makePos(w.segment, w.off+uint32(at)), b[at+recordHead:at+recordHead+size:at+recordHead+size]); err != nil {
			return err
		}
		at += recordLen(size)
	}
	if n != h.count || at != len(b)-batchTail {
		w.lose(w.off) // its checksum is right: a writer that was wrong
	}
	w.records += int(n)
	if n > 0 {
		w.batches++
	}
	w.off += h.length
	w.valid = w.off
	return nil
}

// damaged gets past the place at off, or finds that it is the end.
func (w *walker) damaged(h batch, whole bool) error {
	span := uint32(batchHead)
	if whole {
		span = h.length
	}
	span = min(span, w.end-w.off)
	if w.off >= w.sure && w.last && !w.asked {
		if err := w.ask(); err != nil {
			return err
		}
	}
	if w.off >= w.sure {
		if _, err := w.at(w.off, int(span)); err != nil { // after ask: isBad knows what at read
			return err
		}
		if !w.isBad(w.off, span) {
			w.torn = true
			return nil
		}
	}
	w.taken = w.header > w.off
	from, first := w.off, w.lose(w.off)
	err := w.pass(h, whole)
	if first && len(w.damages) > 0 {
		if d := &w.damages[len(w.damages)-1]; d.Pos == makePos(w.segment, from) {
			d.Bytes = int64(w.off - from)
		}
	}
	return err
}

// lose counts a damaged place, once until a whole batch follows.
func (w *walker) lose(off uint32) (first bool) {
	if w.hurt {
		return false
	}
	w.hurt = true
	w.lost++
	if len(w.damages) < maxDamages {
		w.damages = append(w.damages, Damage{Pos: makePos(w.segment, off)})
	}
	return true
}

// ask goes through the rest of the segment once and raises sure to what the
// batch headers there say.
func (w *walker) ask() error {
	w.asked = true
	for off := w.off; w.end-off >= minBatch; {
		h, whole, err := w.look(off)
		if err != nil {
			return err
		}
		if whole {
			w.sure, w.header = max(w.sure, h.synced), off
			off += h.length
		} else {
			off += align
		}
	}
	return nil
}

// pass moves off behind the damaged place: behind the batch if its header is
// whole, else to the next whole header. What was in the log for certain is
// searched for records on the way; the rest may be a batch that failed.
func (w *walker) pass(h batch, whole bool) error {
	stop := w.end
	if whole {
		stop = w.off + h.length
		w.next = h.number + 1
	}
	for w.off += align; w.off < stop; {
		if !whole {
			if _, found, err := w.look(w.off); err != nil || found {
				return err
			}
		}
		n, err := w.salvage(stop)
		if err != nil {
			return err
		}
		w.off += n
	}
	w.off = stop
	if !w.last {
		w.valid = w.off
	}
	return nil
}

// salvage delivers the record at off, if there is one, and returns how far to
// go on. A record has to end before stop.
//
// The bytes may have been made by a publisher who wants the search to take
// long: every 8 bytes a length that makes us hash megabytes. So bytes hashed in
// vain are paid from a credit that grows by what the walk gets on; in a place
// that a bad sector has left behind, lengths are small, and it never runs out.
func (w *walker) salvage(stop uint32) (uint32, error) {
	w.credit = min(w.credit+4*align, maxCredit)
	if w.off >= w.sure && !w.taken || stop-w.off < recordHead {
		return align, nil
	}
	b, err := w.at(w.off, recordHead)
	if err != nil {
		return 0, err
	}
	n := le.Uint32(b[4:])
	size := recordHead + n
	if n > MaxRecord || size > stop-w.off || int(size) > w.credit {
		return align, nil
	}
	if b, err = w.at(w.off, int(size)); err != nil {
		return 0, err
	}
	if !w.recordOK(b, w.off) || w.isBad(w.off, size) {
		w.credit -= int(size)
		return align, nil
	}
	w.saved++
	w.records++
	w.bytes += int64(n)
	pos := makePos(w.segment, w.off)
	w.valid = max(w.valid, w.off+uint32(recordLen(int(n))))
	return uint32(recordLen(int(n))), w.fn(pos, b[recordHead:size:size])
}

// junk returns how many bytes from off to the last one that is not zero the log
// does not count.
func (w *walker) junk(off uint32) (int64, error) {
	last := off
	for at := off; at < w.end; {
		n := min(w.end-at, chunk/2)
		b, err := w.at(at, int(n))
		if err != nil {
			return 0, err
		}
		for i := len(b) - 1; i >= 0; i-- {
			if b[i] != 0 {
				last = at + uint32(i) + 1
				break
			}
		}
		at += n
	}
	return int64(last - off), nil
}
