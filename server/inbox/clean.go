package inbox

import (
	"errors"

	"roost/server/inbox/journal"
)

const (
	// cleanStep is how much of the log one step of the cleaner reads: about a
	// millisecond, between two batches of publishers.
	cleanStep = 256 << 10

	// catchUp bounds what is cleaned beside, after a batch, when the log is much
	// larger than it should be.
	catchUp = 4 << 20

	// pressedSlack is what may be superfluous in the log when the disk is full.
	pressedSlack = 1 << 20
)

// cleaner keeps the log from growing: it copies what still counts in the oldest
// segment to the end of the log, and drops the segment. The log is allowed twice
// what counts, and some segments: so each byte that is published is copied about
// once in its life at most. It is a part of the committing goroutine.
type cleaner struct {
	f       *File
	slack   int64 // bytes
	over    int64 // bytes by which the log was too large at the last look
	pressed bool  // the disk was full since the last look
	more    bool  // there is more to do at once
	busy    bool  // a segment is being cleaned
	segment uint32
	next    uint32 // offset where its next step begins
	w       logWriter
	hurt    bool // something in it could not be read
	tries   int  // how often that was so
	pass    pass
	stuck   stuck
	copier
}

// pass is one walk of the cleaner through all that was in the log at its start.
type pass struct {
	last         uint32 // segment, 0: none has begun
	read, copied int64  // bytes of records
}

// stuck is the log after a pass that was for nearly nothing.
type stuck struct{ size, live int64 }

// is reports whether another pass would be for nothing too: the log has hardly
// grown, and what counts has hardly become less.
func (s *stuck) is(size, live int64) bool {
	return s.size > 0 && size < s.size+s.size/4 && live > s.live-s.live/8
}

func (c *cleaner) init(f *File, segmentBytes int64) {
	c.f, c.slack, c.w.x = f, 2*segmentBytes, f.x
}

// trim gives up the memory of a burst while nothing is cleaned.
func (c *cleaner) trim() {
	if !c.busy {
		c.w.reset()
		c.w.trim()
		c.copier.trim()
	}
}

// What things take in the log beside their own bytes: about.
const (
	deviceBytes   = 32
	receiverBytes = 8
	keyBytes      = 28
	latestBytes   = 32
)

// live returns about how many bytes of the log count: what the cleaner would write
// if it copied all of it.
func (x *index) live() int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.n.Bytes + int64(x.n.InFlight)*receiverBytes +
		int64(x.ids.Len())*deviceBytes + x.idBytes + x.topics.subscribed +
		int64(x.keys.len())*keyBytes + x.keys.bytes() +
		x.topics.bytes + int64(len(x.topics.byName))*latestBytes
}

// due reports whether the log is larger than it should be.
func (c *cleaner) due() bool {
	size, live := c.f.journal.Size(), c.f.x.live()
	allowed := 2*live + c.slack
	if c.pressed {
		allowed = live + live/2 + min(pressedSlack, c.slack)
	}
	c.over = size - allowed
	return c.over > 0 && !c.stuck.is(size, live)
}

// choose returns the segment to be cleaned, if one is due. On a full disk that may
// be the one that is being written: it is sealed.
func (c *cleaner) choose() (segment uint32, due bool) {
	due = c.due()
	pressed := c.pressed
	c.pressed = false
	if !due {
		return 0, false
	}
	segments := c.f.journal.Segments()
	if len(segments) < 2 && (!pressed || c.f.journal.Rotate() != nil) {
		return 0, false
	}
	oldest := segments[0]
	if p := &c.pass; p.last != 0 && oldest.Number > p.last {
		useless := p.copied > p.read-p.read/8
		*p = pass{}
		if c.stuck = (stuck{}); useless {
			c.stuck = stuck{c.f.journal.Size(), c.f.x.live()}
			return 0, false
		}
	}
	if c.pass.last == 0 {
		c.pass.last = segments[len(segments)-1].Number
	}
	return oldest.Number, true
}

// work cleans after so many bytes were written: in steps, and as much as the log
// does not grow by, whoever writes it. Half of what is read is copied at most on
// average, so twice as much is read as was written.
func (c *cleaner) work(written int) (did bool) {
	todo := cleanStep + 2*written + int(min(max(c.over/64, 0), catchUp))
	for todo > 0 {
		n, ok := c.step()
		if !ok {
			c.more = false
			return did
		}
		todo -= max(n, 1)
		did = true
	}
	c.more = true
	return did
}

// step does a part of the work if there is any: it returns how much of the log it
// has read.
func (c *cleaner) step() (read int, did bool) {
	if !c.busy {
		segment, due := c.choose()
		if !due {
			return 0, false
		}
		c.busy, c.segment, c.next, c.hurt = true, segment, 0, false
	}
	c.w.reset()
	c.moved = c.moved[:0]
	next, done, err := c.f.journal.Scan(c.segment, c.next, cleanStep, c.record)
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		c.busy = false // the disk; it is tried again when the next segment is due
		return 0, false
	}
	if c.hurt = c.hurt || c.f.journal.Passed(); done && c.hurt && !c.giveUp() {
		return 0, false
	}
	if done {
		c.f.x.mu.Lock()
		c.w.era(c.f.x.era)
		c.f.x.mu.Unlock()
	}
	if !c.write() {
		c.busy = false
		return 0, false
	}
	read = int(next - c.next)
	c.next = next
	if done {
		c.busy, c.tries = false, 0
		return read, c.f.journal.DropOldest() == nil
	}
	return read, true
}

// readTries is how often a segment is read of which something cannot be read.
const readTries = 4

// giveUp decides about a segment of which something could not be read. It is tried
// again later; in the end what memory knows better is written from there, and what
// it does not is lost.
func (c *cleaner) giveUp() bool {
	if c.tries++; c.tries < readTries {
		c.write() // what could be read
		c.busy = false
		return false
	}
	c.busy = c.rescue() == nil
	return c.busy
}

// write appends the copies and tells the index where they are.
func (c *cleaner) write() bool {
	err := c.w.err
	if err == nil && c.w.batch.Len() > 0 {
		err = c.f.journal.Append(&c.w.batch, true)
	}
	if err != nil {
		c.w.failed()
		return false
	}
	c.w.done()
	c.pass.copied += int64(c.w.batch.Bytes())
	x := c.f.x
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, m := range c.moved {
		to := c.w.place(int(m.to))
		if m.latest != "" {
			if it := x.topics.byName[m.latest]; it != nil && it.loc == m.from {
				it.loc = to
			}
		} else if m.body < x.bodies.end { // else the last of them was acknowledged, and the slab is gone
			if b := x.bodies.at(m.body); b.loc == m.from {
				b.loc = to
			}
		}
		if i%slice == slice-1 {
			x.pause()
		}
	}
	return true
}

// flush writes what was copied so far, in the middle of a step.
func (c *cleaner) flush() error {
	if !c.write() {
		return errCleaner
	}
	c.w.reset()
	c.moved = c.moved[:0]
	return nil
}

// errCleaner ends a step whose copies could not be written.
var errCleaner = errors.New("inbox: the log could not be cleaned")
