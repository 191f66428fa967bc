package journal

import (
	"bytes"
	"fmt"
	"slices"
)

// state of a segment's file at Open.
type state uint8

const (
	whole   state = iota // the header is readable
	blank                // no header and nothing behind it: a crash while it was made
	damaged              // no header, but data
	void                 // without meaning: its making failed, or it stayed empty
)

// found is a segment's file at Open.
type found struct {
	header // of a whole one; else only its number
	state  state
	size   int64
	clean  bool // replayed, and nothing in it was lost

	// What the successor says.
	stated bool   // it says something
	limit  uint32 // bytes that count, then

	end  uint32 // what counts after replay
	sure uint32 // what of that is known to be durable
}

// list finds all segments and reads their headers.
func (r *recovery) list() error {
	names, err := r.j.fs.List()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	for _, name := range names {
		number, ok := segmentNumber(name)
		if !ok {
			continue
		}
		f, err := r.inspect(name, number)
		if err != nil {
			return err
		}
		r.found = append(r.found, f)
	}
	slices.SortFunc(r.found, func(a, b *found) int { return int(int64(a.number) - int64(b.number)) })
	return nil
}

// inspect reads one header.
func (r *recovery) inspect(name string, number uint32) (*found, error) {
	file, err := r.j.fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	defer file.Close()
	f := &found{header: header{number: number}}
	if f.size, err = file.Size(); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	w := &r.walk.window
	w.reset(file, uint32(min(f.size, maxSegmentNo)))
	head := min(w.end, firstBatch)
	b, err := w.at(0, int(head))
	if err != nil {
		return nil, err
	}
	for _, at := range []uint32{0, copyAt} {
		if head < at {
			break
		}
		h, version, ok := decodeHeader(b[at:])
		switch {
		case !ok:
			continue
		case version != formatVersion:
			return nil, fmt.Errorf("%w: %s has format version %d, this program knows %d: start the program that wrote it, or a newer one, or choose another directory",
				ErrVersion, name, version, formatVersion)
		case h.number != number:
			return nil, fmt.Errorf("journal: %s is segment %08x by its header: it was renamed or copied, move it away", name, h.number)
		}
		f.header = h
		return f, nil
	}
	return f, f.judge(name, w, b)
}

// judge tells a file without a header that was never written from one that was
// damaged and from one that is not ours.
func (f *found) judge(name string, w *window, b []byte) error {
	readable := len(w.bad) == 0 || w.bad[0].from >= headerLen
	magic := b[:min(len(b), len(segmentMagic))]
	ours := bytes.Equal(magic, []byte(segmentMagic)[:len(magic)]) || isZero(magic)
	if !ours && readable {
		return fmt.Errorf("journal: %s has the name of a segment and is none (it begins with %q): move it away", name, magic)
	}
	f.state = blank
	if !readable {
		f.state = damaged
	}
	for at := uint32(firstBatch); at < w.end && f.state == blank; {
		n := min(w.end-at, chunk/2)
		p, err := w.at(at, int(n))
		if err != nil {
			return err
		}
		if !isZero(p) || w.isBad(at, n) {
			f.state = damaged
		}
		at += n
	}
	return nil
}

func isZero(b []byte) bool {
	return len(bytes.TrimLeft(b, "\x00")) == 0
}

// chain reads from the newest segment to the oldest what each says of the one
// before it.
func (r *recovery) chain() {
	var next *found // with a header
	for i := len(r.found) - 1; i >= 0; i-- {
		f := r.found[i]
		switch {
		case next == nil:
		case f.number > next.prev:
			f.state = void
			continue
		case f.number == next.prev:
			f.stated, f.limit = true, next.valid
		default:
			r.lose(Damage{Pos: makePos(next.prev, 0)}) // a file is missing
		}
		next = nil
		switch {
		case f.state == whole:
			next = f
		case f.stated && f.limit <= firstBatch, f.state == blank && !f.stated:
			f.state = void
		default:
			f.state = damaged
		}
	}
}

// empty reports whether segment i, which is the last, holds nothing and the
// header of the next one can name the segment before it instead.
func (r *recovery) empty(i int) bool {
	f := r.found[i]
	if f.state != whole || f.end != firstBatch || !f.clean {
		return false
	}
	for i--; i >= 0; i-- {
		if r.found[i].state != void {
			return r.found[i].number == f.prev && r.found[i].stated
		}
	}
	return true
}
