package inbox

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"roost/server/inbox/journal"
)

// FileOptions says where a File is and how it works. A zero field means its
// default.
type FileOptions struct {
	// FS is the directory; the store closes it. Required.
	FS     journal.FS
	Limits Limits
	Now    func() time.Time // default time.Now
	// SegmentBytes is the size of a file of the log; default 64 MiB, less on a
	// disk that Space says is smaller than 2 GiB.
	SegmentBytes int64
	// Space asks for the room on the disk; when no more is free than SegmentBytes
	// and a little, new messages are refused with ErrFull. Nil: they are until the
	// disk refuses, and it may then take others than us to make room again.
	Space func() (Space, error)
	// Manual leaves the work to Step, for tests.
	Manual bool
	// Random makes ids of stores and salts; default: the system's.
	Random func() uint64
}

// File is a Store on disk: what it has accepted outlives the process and the
// machine. Commits that wait are written and synced together, by one goroutine;
// acknowledgements follow within a second or with the next commit that comes.
type File struct {
	common

	// Static after construction.
	journal  *journal.Journal
	recovery journal.Recovery
	ended    chan struct{} // closed when the committing goroutine is done
	room     room

	// mu covers the following. It is taken alone.
	mu     sync.Mutex
	wake   *sync.Cond
	queue  []*Commit
	bytes  int  // of the queue's messages
	tick   bool // a second has passed
	closed bool

	// Owned by the committing goroutine.
	w       logWriter
	taken   []*Commit
	cleaner cleaner
}

// OpenFile opens a store, or makes one. The recovery says what was found; when
// its Lost is not 0, what was stored has been damaged: every stream then has a
// new epoch, so that no device takes what it misses for granted. The errors are
// those of journal.Open.
func OpenFile(opt FileOptions) (*File, journal.Recovery, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.SegmentBytes == 0 {
		opt.SegmentBytes = defaultSegment
		if opt.Space != nil {
			space, err := opt.Space()
			if err != nil {
				return nil, journal.Recovery{}, errors.Join(err, opt.FS.Close())
			}
			opt.SegmentBytes = segmentFor(space)
		}
	}
	x := newIndex(opt.Limits, opt.Now, 0)
	x.content = logContent{}
	r := replay{x: x, now: uint32(opt.Now().Unix())}
	r.begin()
	j, recovery, err := journal.Open(journal.Options{FS: opt.FS, SegmentBytes: opt.SegmentBytes, Random: opt.Random}, r.record)
	if err != nil {
		return nil, recovery, fmt.Errorf("inbox: %w", err)
	}
	x.storeID = j.ID()
	if orphans := r.finish(recovery.Lost > 0); orphans > 0 {
		recovery.Lost++
	}
	f := &File{common: common{x}, journal: j, recovery: recovery, ended: make(chan struct{}),
		room: room{opt.Space, opt.SegmentBytes + reserveBeside}}
	f.wake = sync.NewCond(&f.mu)
	f.w.x = x
	f.cleaner.init(f, opt.SegmentBytes)
	f.stakeEras()
	if opt.Manual {
		close(f.ended)
		return f, recovery, nil
	}
	go f.run()
	return f, recovery, nil
}

// stakeEras logs where the eras of this process begin, so that those of the next one
// begin behind. When the disk does not take it, it does not take devices either.
func (f *File) stakeEras() {
	f.w.reset()
	f.w.era(f.x.era)
	_ = f.journal.Append(&f.w.batch, true)
}

// logContent is the content of a File: nothing has to be dropped, the cleaner
// sees what is dead.
type logContent struct{}

func (logContent) drop(uint32, *body) {}

// Commit implements Store.
func (f *File) Commit(c *Commit) {
	size := c.size()
	f.mu.Lock()
	switch {
	case f.closed:
		c.Err = fmt.Errorf("%w: it is closed", ErrFailed)
	case len(f.queue) >= maxQueued || f.bytes+size > maxQueuedBytes && f.bytes > 0:
		c.Err = ErrBusy
	default:
		f.queue = append(f.queue, c)
		f.bytes += size
		f.wake.Signal()
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	c.Done(c)
}

// Tick implements Store.
func (f *File) Tick() {
	f.x.sweep()
	f.mu.Lock()
	f.tick = true
	f.wake.Signal()
	f.mu.Unlock()
}

// fetchTries is how often Fetch looks again when a message was moved while it
// read.
const fetchTries = 8

// Fetch implements Store.
func (f *File) Fetch(q *Fetch) {
	missing := uint64(0)
	for tries := fetchTries; tries > 0; tries-- {
		f.x.mu.Lock()
		f.x.fetch(q)
		f.x.mu.Unlock()
		at, err := f.read(q)
		if q.Err = err; err == nil {
			return
		}
		notFound := errors.Is(err, journal.ErrNotFound)
		switch {
		case errors.Is(err, journal.ErrDamaged), notFound && at.loc == missing:
			// The device learns that it is gone, instead of waiting for ever. What is
			// not found where it was said to be afterwards was not moved: the cleaner
			// could not read it.
			f.x.lose(q.Ref, at)
		case notFound:
			missing = at.loc
		default:
			tries = 0
		}
	}
	if len(q.Items) > 0 && q.Err != nil {
		q.Items, q.Skip = q.Items[:0], 0
	}
}

// read gets the bytes of what was found; bad is the message that could not be
// read. When it is not the first, the list ends before it.
func (f *File) read(q *Fetch) (bad Item, err error) {
	for i := range q.Items {
		it := &q.Items[i]
		if i == len(q.bufs) {
			q.bufs = append(q.bufs, nil)
		}
		rec, err := f.journal.Read(journal.Pos(it.loc), q.bufs[i])
		if err == nil {
			q.bufs[i] = rec[:cap(rec)]
			var content []byte
			if content, err = contentOf(rec); err == nil {
				err = it.Message.parseContent(content)
			}
		}
		if err != nil && i > 0 {
			q.Items = q.Items[:i]
			return bad, nil
		} else if err != nil {
			return *it, err
		}
	}
	return bad, nil
}

// Counts implements Store.
func (f *File) Counts() Counts {
	c := f.counts()
	c.Disk, c.Damages = f.journal.Size(), f.recovery.Lost
	return c
}

// Close implements Store.
func (f *File) Close() error {
	f.end()
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	f.wake.Signal()
	f.mu.Unlock()
	<-f.ended
	for f.take() { // Manual
		f.write(f.taken, false)
	}
	for {
		f.x.mu.Lock()
		left := len(f.x.dirty) + len(f.x.fresh)
		f.x.mu.Unlock()
		if left == 0 {
			break
		}
		f.write(nil, true)
		if f.w.batch.Len() > 0 && f.w.place(0) == 0 {
			break // the disk does not take it
		}
	}
	return f.journal.Close()
}
