package journal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
)

const (
	// chunk is how much is read at once: it stays in the processor's second
	// cache until the records have been looked at.
	chunk = 256 << 10
	// sector is the piece in which bytes around an unreadable place are tried.
	sector = 512
)

// unreadable reports whether a read error means that the bytes are lost on the
// medium. Besides EIO these are the forms in which Linux reports a medium or
// checksum error of the device or the file system.
func unreadable(err error) bool {
	for _, e := range []error{syscall.EIO, syscall.ENODATA, syscall.EILSEQ, syscall.EREMOTEIO, syscall.EBADMSG, syscall.EUCLEAN, io.EOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// window gives forward access to a file through one buffer, which grows to the
// largest piece that was asked for.
type window struct {
	file File
	end  uint32 // nothing is read from here on

	buf  []byte
	base uint32   // offset of buf[0], a multiple of sector
	bad  []extent // what could not be read, ascending; zeros in buf
}

// extent is the bytes from from up to before to.
type extent struct{ from, to uint32 }

// reset points the window to a file, and forgets what it read.
func (w *window) reset(f File, end uint32) {
	*w = window{file: f, end: end, buf: w.buf[:0], bad: w.bad[:0]}
}

// at returns the n bytes at off, which lie before end; they are good until the
// next call. Bytes that cannot be read are zero, and isBad knows them.
func (w *window) at(off uint32, n int) ([]byte, error) {
	if i := int(off) - int(w.base); i >= 0 && i+n <= len(w.buf) {
		return w.buf[i : i+n], nil
	}
	if err := w.fill(off, n); err != nil {
		return nil, err
	}
	i := off - w.base
	return w.buf[i : int(i)+n], nil
}

// fill makes the buffer hold n bytes at off.
func (w *window) fill(off uint32, n int) error {
	start := off &^ (sector - 1)
	if start >= w.base && int(start-w.base) <= len(w.buf) {
		kept := copy(w.buf, w.buf[start-w.base:])
		w.buf = w.buf[:kept]
	} else {
		w.buf = w.buf[:0]
		for len(w.bad) > 0 && w.bad[len(w.bad)-1].to > start { // they will be found again
			w.bad = w.bad[:len(w.bad)-1]
		}
	}
	w.base = start
	want := max(int(off-start)+n, chunk)
	want = min(want, int(w.end-start))
	have := len(w.buf)
	if cap(w.buf) < want {
		w.buf = append(make([]byte, 0, want), w.buf...) // chunk, but for small files and large batches
	}
	w.buf = w.buf[:want]
	return w.read(w.buf[have:], start+uint32(have))
}

// read fills p from off, sector by sector if that is what it takes.
func (w *window) read(p []byte, off uint32) error {
	n, err := w.file.ReadAt(p, int64(off))
	if n == len(p) {
		return nil
	}
	if err == nil || !unreadable(err) {
		return fmt.Errorf("journal: read at %d: %w", off, errors.Join(err, io.ErrUnexpectedEOF))
	}
	for i := 0; i < len(p); {
		// The first piece ends where a sector does.
		k := min(sector-int(off+uint32(i))%sector, len(p)-i)
		n, err := w.file.ReadAt(p[i:i+k], int64(off)+int64(i))
		if n < k {
			if err == nil || !unreadable(err) {
				return fmt.Errorf("journal: read at %d: %w", int(off)+i, errors.Join(err, io.ErrUnexpectedEOF))
			}
			clear(p[i : i+k])
			w.addBad(off+uint32(i), off+uint32(i+k))
		}
		i += k
	}
	return nil
}

func (w *window) addBad(from, to uint32) {
	if n := len(w.bad); n > 0 && w.bad[n-1].to == from {
		w.bad[n-1].to = to
		return
	}
	w.bad = append(w.bad, extent{from, to})
}

// isBad reports whether one of the n bytes at off, which were asked for before,
// could not be read.
func (w *window) isBad(off, n uint32) bool {
	i, _ := slices.BinarySearchFunc(w.bad, off, func(e extent, off uint32) int {
		if e.to <= off {
			return -1
		}
		return 1
	})
	return i < len(w.bad) && w.bad[i].from < off+n
}
