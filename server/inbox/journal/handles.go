package journal

import "sync"

// maxOpen is how many sealed segments are open at once.
const maxOpen = 16

// handles keeps the segments' files open that are read most recently. The
// file of the newest segment is held by the writer and not counted.
type handles struct {
	fs FS

	mu     sync.Mutex // covers the following and the fields of each handle but file
	idle   sync.Cond  // signalled when a handle has lost its last user
	open   map[uint32]*handle
	sealed int    // of open: those that count
	clock  uint64 // of uses
	closed bool
}

// handle is a file that is open, or about to be.
type handle struct {
	number uint32
	users  int
	used   uint64 // clock at the last use
	head   bool   // held by the writer
	gone   bool   // not in handles.open any more: closed by its last user

	opening sync.Mutex // covers file while it is nil
	file    File
}

func (c *handles) init(fs FS) {
	c.fs, c.open = fs, map[uint32]*handle{}
	c.idle.L = &c.mu
}

// take opens the segment's file, or finds it open. Every take needs its give.
// When all maxOpen files are in use it waits for one.
func (c *handles) take(number uint32) (*handle, error) {
	h, err := c.enter(number)
	if err != nil {
		return nil, err
	}
	h.opening.Lock()
	if h.file == nil {
		h.file, err = c.fs.Open(segmentName(number))
	}
	h.opening.Unlock()
	if err != nil {
		c.drop(number)
		c.give(h)
		return nil, err
	}
	return h, nil
}

// enter finds or makes the handle and counts the caller as a user.
func (c *handles) enter(number uint32) (*handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed {
			return nil, ErrClosed
		}
		h := c.open[number]
		if h == nil && c.room() {
			h = &handle{number: number}
			c.open[number] = h
			c.sealed++
		}
		if h != nil {
			h.users++
			c.clock++
			h.used = c.clock
			return h, nil
		}
		c.idle.Wait()
	}
}

// room makes a place for one more sealed segment, if it can. A file is closed
// with the lock held, so that the number of descriptors is never exceeded.
func (c *handles) room() bool {
	if c.sealed < maxOpen {
		return true
	}
	var oldest *handle
	for _, h := range c.open {
		if !h.head && h.users == 0 && (oldest == nil || h.used < oldest.used) {
			oldest = h
		}
	}
	if oldest == nil {
		return false
	}
	c.remove(oldest)
	return true
}

// remove takes h out of the table, and closes it if nobody uses it.
func (c *handles) remove(h *handle) {
	delete(c.open, h.number)
	if !h.head {
		c.sealed--
	}
	h.gone = true
	h.closeIfIdle()
}

func (h *handle) closeIfIdle() {
	if h.gone && h.users == 0 && h.file != nil {
		_ = h.file.Close() // nothing was written that Datasync has not reported
		h.file = nil
	}
}

// give ends a use.
func (c *handles) give(h *handle) {
	c.mu.Lock()
	h.users--
	h.closeIfIdle()
	if !h.gone && h.users == 0 && c.sealed > maxOpen {
		c.remove(h)
	}
	c.mu.Unlock()
	c.idle.Signal()
}

// adopt enters the file of a new head.
func (c *handles) adopt(number uint32, f File) *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &handle{number: number, head: true, file: f}
	c.open[number] = h
	return h
}

// seal makes the head's file one among the sealed. If all of those are in use,
// and so is this, there is one too many until the next give.
func (c *handles) seal(h *handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	room := c.room()
	h.head = false
	c.sealed++
	if !room && h.users == 0 {
		c.remove(h)
	}
}

// drop closes the segment's file, once its users have given it back.
func (c *handles) drop(number uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.open[number]; h != nil {
		c.remove(h)
	}
	c.idle.Signal()
}

// close closes all files; those in use are closed by their users.
func (c *handles) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, h := range c.open {
		c.remove(h)
	}
	c.idle.Broadcast()
}
