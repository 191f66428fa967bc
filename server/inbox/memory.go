package inbox

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"
)

// Memory is a Store that lives as long as the process. Every one has streams of
// its own: a device that comes back to another begins anew.
type Memory struct {
	common

	planning sync.Mutex // held by who commits, but for a Spread
	content  memoryContent
	closed   bool // under planning
}

// memoryContent keeps the bytes of bodies, by their number. It is covered by
// index.mu.
type memoryContent struct {
	bytes [][]byte
	used  int // of them
}

// NewMemory returns an empty store. now is the clock, nil for time.Now.
func NewMemory(limits Limits, now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	var id [8]byte
	rand.Read(id[:]) // never fails
	m := &Memory{common: common{newIndex(limits, now, binary.LittleEndian.Uint64(id[:]))}}
	m.x.content, m.x.atOnce = &m.content, true
	return m
}

// Commit implements Store: done before it returns. The loops of a server call it, so
// nobody waits for a message to all: other commits overtake one with a Spread.
func (m *Memory) Commit(c *Commit) {
	m.planning.Lock()
	defer m.planning.Unlock()
	if m.closed {
		c.Err = ErrFailed
	} else {
		m.carryOut(c)
	}
	c.Done(c) // under the lock: in the order of the commits
}

// carryOut does the operations one by one: none can fail for the sake of another.
func (m *Memory) carryOut(c *Commit) {
	x := m.x
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for ops := c.Ops; len(ops) > 0; {
		_, long := ops[0].(*Spread)
		if long {
			x.mu.Unlock()
			m.planning.Unlock()
			x.mu.Lock()
		}
		k := x.planNext(ops, &m.content)
		for _, op := range ops[:k] {
			op.commit(x, &m.content)
		}
		if long {
			x.mu.Unlock()
			m.planning.Lock()
			x.mu.Lock()
		}
		ops = ops[k:]
		if n += k; n >= slice {
			n = 0
			x.pause()
		}
	}
	x.n.Commits++
}

// Fetch implements Store.
func (m *Memory) Fetch(f *Fetch) {
	m.x.mu.Lock()
	defer m.x.mu.Unlock()
	m.x.fetch(f)
	for i := range f.Items {
		it := &f.Items[i]
		f.Err = it.Message.parseContent(m.content.bytes[it.body])
	}
}

// Tick implements Store.
func (m *Memory) Tick() {
	m.x.sweep()
	m.x.mu.Lock()
	defer m.x.mu.Unlock()
	m.x.clean()
}

// clean forgets who is fresh or dirty: nothing is logged.
func (x *index) clean() {
	for _, ref := range x.dirty {
		if d := x.get(ref); d != nil {
			d.segment &^= dirtyBit
		}
	}
	x.dirty, x.fresh = x.dirty[:0], x.fresh[:0]
}

// Counts implements Store.
func (m *Memory) Counts() Counts { return m.counts() }

// Close implements Store.
func (m *Memory) Close() error {
	m.end()
	m.planning.Lock()
	defer m.planning.Unlock()
	m.closed = true
	return nil
}

func (c *memoryContent) message(m *Message) []byte {
	return m.appendContent(make([]byte, 0, m.contentSize()))
}

func (c *memoryContent) keep(body uint32, content []byte) {
	for int(body) >= len(c.bytes) {
		c.bytes = append(c.bytes, nil)
	}
	c.bytes[body] = content
	c.used++
}

// drop gives the list up when it is empty: it is as long as there were ever bodies.
func (c *memoryContent) drop(i uint32, _ *body) {
	c.bytes[i] = nil
	if c.used--; c.used == 0 && len(c.bytes) > keepEntries {
		c.bytes = nil
	}
}

func (c *memoryContent) put(Ref, uint64, uint32, []byte) int        { return 0 }
func (c *memoryContent) shared([]*Put, uint32, []byte) int          { return 0 }
func (c *memoryContent) spread(*index, *Spread, uint32, []byte) int { return 0 }
func (c *memoryContent) latest(string, uint32, *Message) int        { return 0 }
func (c *memoryContent) clear(string)                               {}
func (c *memoryContent) subscription(Ref, string, bool)             {}
func (c *memoryContent) remove(Ref)                                 {}
func (c *memoryContent) place(int) uint64                           { return 1 }
