package inbox

import (
	"errors"
	"fmt"

	"roost/server/inbox/journal"
)

const (
	// maxQueued bounds the commits that wait for the disk, maxQueuedBytes what
	// is in them.
	maxQueued      = 16 << 10
	maxQueuedBytes = 256 << 20

	// batchBytes is about how much goes into one batch, beside the last commit.
	batchBytes = 1 << 20

	// lazyRecords is how many acknowledgements, and new devices, one batch
	// takes.
	lazyRecords = 16 << 10

	// flushBytes ends a batch of records that nobody waits for.
	flushBytes = 4 << 20
)

// size returns about how many bytes the commit's messages have.
func (c *Commit) size() (n int) {
	var last *Message
	for _, op := range c.Ops {
		n += 64
		switch op := op.(type) {
		case *Put:
			if op.Message != last { // else it shares the body
				n += len(op.Message.Payload)
			}
			last = op.Message
		case *Spread:
			n += len(op.Message.Payload)
		case *Latest:
			if op.Message != nil {
				n += len(op.Message.Payload)
			}
		}
	}
	return n
}

// run is the committing goroutine.
func (f *File) run() {
	defer close(f.ended)
	for f.wait() {
		f.Step()
	}
	for f.take() { // what is still queued
		f.write(f.taken, false)
	}
}

// wait waits for something to do; it reports false when the store is closed.
func (f *File) wait() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) == 0 && !f.tick && !f.closed && !f.cleaner.more {
		f.wake.Wait()
	}
	return !f.closed
}

// Step writes one batch of what waits, and does as much of the cleaning as that
// makes necessary: whoever publishes without a pause keeps neither the cleaner
// waiting nor what is logged lazily. It reports whether there was anything to do.
// The committing goroutine calls it; with FileOptions.Manual, the test.
func (f *File) Step() bool {
	f.mu.Lock()
	tick := f.tick
	f.tick = false
	f.mu.Unlock()
	did, written := f.take(), 0
	if did || tick {
		written = f.write(f.taken, tick)
	}
	if tick {
		f.w.reset()
		f.w.trim()
		f.cleaner.trim()
	}
	return f.cleaner.work(written) || did || tick
}

// take moves the commits of the next batch to f.taken.
func (f *File) take() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = f.taken[:0]
	n, size := 0, 0
	for n < len(f.queue) && size < batchBytes {
		c := f.queue[n]
		if c.isAlone() && n > 0 {
			break
		}
		size += c.size()
		n++
		if c.isAlone() {
			break
		}
	}
	f.taken = append(f.taken, f.queue[:n]...)
	f.bytes -= size
	rest := copy(f.queue, f.queue[n:])
	clear(f.queue[rest:])
	f.queue = f.queue[:rest]
	return n > 0
}

// isAlone reports whether the commit must not share a batch.
func (c *Commit) isAlone() bool {
	for _, op := range c.Ops {
		if op.alone() {
			return true
		}
	}
	return false
}

// write writes the commits, nearly always as one batch, with what is logged lazily
// in front of them. It returns how many bytes that was.
func (f *File) write(cs []*Commit, lazily bool) (bytes int) {
	cs = f.admit(cs)
	for first := true; lazily || len(cs) > 0; lazily = false {
		n, err := f.batch(cs, lazily)
		bytes += f.w.batch.Bytes()
		switch {
		case n > 0 || lazily:
			first = true
		case first: // perhaps because all of its devices have to be logged with it
			f.logFresh()
			first = false
		default:
			n, first = 1, true
			f.refuse(cs[0], err)
		}
		cs = cs[n:]
	}
	return bytes
}

// batch makes one batch of as many of the commits as fit into it, syncs it and
// says what came of them. When none fits, err is why.
func (f *File) batch(cs []*Commit, lazily bool) (n int, unfit error) {
	f.w.reset()
	if lazily {
		// In front: records of devices must not undo what others say about them.
		f.w.lazily(lazyRecords)
	}
	for n < len(cs) && unfit == nil {
		if unfit = f.plan(cs[n]); unfit == nil {
			n++
		}
	}
	cs = cs[:n]
	err := f.w.err
	if err == nil && f.w.batch.Len() > 0 {
		err = f.journal.Append(&f.w.batch, true)
	}
	if err == nil {
		f.w.done()
		f.x.commit(cs, &f.w)
	} else {
		f.cleaner.pressed = f.cleaner.pressed || errors.Is(err, journal.ErrFull)
		f.x.undo(cs, wrapDisk(err))
		f.w.failed()
	}
	for i, c := range cs {
		cs[i] = nil
		c.Done(c)
	}
	return n, unfit
}

// plan plans a commit, or leaves no trace of it when its records do not fit into
// the batch.
func (f *File) plan(c *Commit) error {
	mark := f.w.mark()
	f.x.plan(c, &f.w)
	err := f.w.err
	if err != nil {
		f.x.unplan(c)
		f.w.back(mark)
	}
	return err
}

// logFresh logs the devices that are not in the log yet, in batches of their own.
func (f *File) logFresh() {
	for left := f.x.unlogged(); left > 0; {
		f.batch(nil, true)
		now := f.x.unlogged()
		if now >= left {
			return // the disk does not take it, or they come faster
		}
		left = now
	}
}

func (x *index) unlogged() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.fresh)
}

// refuse ends a commit that is larger than a batch may be.
func (f *File) refuse(c *Commit, err error) {
	f.x.mu.Lock()
	f.x.n.Failed++
	f.x.mu.Unlock()
	c.Err = fmt.Errorf("%w: %w", ErrTooLarge, err)
	c.Done(c)
}

// wrapDisk puts an error of the journal into ours.
func wrapDisk(err error) error {
	if errors.Is(err, journal.ErrFull) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}
