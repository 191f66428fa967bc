package inbox

import (
	"errors"
	"fmt"
	"syscall"

	"roost/server/inbox/journal"
)

// Space is how much room a disk has, in bytes.
type Space struct{ Total, Free int64 }

// SpaceOf asks for the room on the disk that has path.
func SpaceOf(path string) (Space, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return Space{}, fmt.Errorf("inbox: room on the disk of %s: %w", path, err)
	}
	return Space{Total: int64(st.Blocks) * st.Frsize, Free: int64(st.Bavail) * st.Frsize}, nil
}

const (
	// defaultSegment is the size of a file of the log, smallSegment on the
	// smallest disks. The log is cleaned once it has two files more than it
	// needs: on a disk that is not much larger than that it never would be.
	defaultSegment, smallSegment = 64 << 20, 1 << 20

	// reserveBeside is what has to be free beside one segment's worth for new
	// messages to be taken: for zeros that are written ahead, headers, and the
	// acknowledgements and subscriptions of a full disk.
	reserveBeside = 1 << 20
)

// segmentFor returns the size of segments for a disk.
func segmentFor(space Space) int64 {
	return min(max(space.Total/32, smallSegment), defaultSegment)
}

// room says whether there is room for more messages. What is left when there is
// not belongs to the cleaner, which has to copy what counts in a file before it
// can remove it, and to all that makes messages superfluous.
type room struct {
	ask     func() (Space, error) // nil: nobody knows, the disk says when it is full
	reserve int64
}

// check returns ErrFull when only the reserve is left, and ErrFailed when the
// directory is not there any more: what is written to files without a name is
// gone with the process.
func (r *room) check() error {
	if r.ask == nil {
		return nil
	}
	s, err := r.ask()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	if s.Free >= r.reserve {
		return nil
	}
	return fmt.Errorf("%w: %d MiB are free, %d MiB are kept for making room: %w", ErrFull, s.Free>>20, r.reserve>>20, journal.ErrFull)
}

// grows reports whether the commit stores messages.
func (c *Commit) grows() bool {
	for _, op := range c.Ops {
		switch op := op.(type) {
		case *Put, *Spread:
			return true
		case *Latest:
			if op.Message != nil {
				return true
			}
		}
	}
	return false
}

// admit refuses those of the commits that there is no room for, and returns the
// others.
func (f *File) admit(cs []*Commit) []*Commit {
	var full error
	asked := false
	kept := cs[:0]
	for _, c := range cs {
		if c.grows() {
			if !asked {
				full, asked = f.room.check(), true
			}
			if full != nil {
				f.x.undo([]*Commit{c}, full)
				c.Done(c)
				continue
			}
		}
		kept = append(kept, c)
	}
	clear(cs[len(kept):])
	f.cleaner.pressed = f.cleaner.pressed || errors.Is(full, ErrFull)
	return kept
}
