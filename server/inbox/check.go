package inbox

import "fmt"

// census is a walk through everything.
type census struct {
	x        *index
	problems []string

	refs                []uint32 // found, by body
	boxes, chunks, subs int
	bodies              int
	live, planned       uint64
}

func (c *census) bad(format string, args ...any) {
	if len(c.problems) < 20 {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

// checkTries is how often a check begins anew when something has changed meanwhile.
const checkTries = 3

// check walks through everything and returns what does not add up. It does so in
// slices between which others are at the index. Each device is looked at in one piece;
// sums over all are compared when nothing has changed meanwhile, which in a busy
// store is never: then they are left out.
func (x *index) check() (problems []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for range checkTries {
		c, before := &census{x: x}, x.changes
		c.walk()
		c.books()
		same := x.changes == before
		if same {
			c.sums()
		}
		if problems = c.problems; same || len(problems) > 0 {
			break
		}
	}
	return problems
}

// walk looks at all devices.
func (c *census) walk() {
	work := 0
	for n := uint32(0); n < c.x.ids.End(); n++ {
		if work > slice {
			work = 0
			c.x.pause()
		}
		work++
		if d := c.x.get(Ref(n + 1)); d != nil {
			work += c.device(n, d) / perItemChunk
		}
	}
}

// device looks at one device; it returns how many items its inbox has.
func (c *census) device(n uint32, d *device) (items int) {
	x := c.x
	for i := d.subs; i != 0; i = x.topics.nodes.at(i).next {
		c.subs++
		v := x.topics.nodes.at(i)
		if it := x.topics.byID[v.topic]; it == nil || it.members[v.pos] != i || v.ref != Ref(n+1) {
			c.bad("device %q: subscription %d is not in its topic", x.ids.ID(n), i)
		}
	}
	if d.box == 0 {
		return 0
	}
	c.boxes++
	b := x.boxes.at(d.box)
	if b.first <= d.acked || b.first+uint64(b.n) != d.last()+1 {
		c.bad("device %q: acknowledged %d, inbox from %d with %d, last %d", x.ids.ID(n), d.acked, b.first, b.n, d.last())
	}
	live, bytes := c.box(b)
	c.chunks += int((b.off+b.n-1)/perItemChunk) + 1
	c.live += uint64(live)
	if live != b.live || bytes != b.bytes {
		c.bad("device %q: inbox counts %d messages and %d bytes, has %d and %d", x.ids.ID(n), b.live, b.bytes, live, bytes)
	}
	if !isBody(x.item(b, 0)) {
		c.bad("device %q: inbox begins with a hole", x.ids.ID(n))
	}
	return int(b.n)
}

// box adds up the items of an inbox; planned ones are not in flight yet.
func (c *census) box(b *box) (live, bytes uint32) {
	x := c.x
	at, off := b.head, b.off
	for range b.n {
		if off == perItemChunk {
			at, off = x.chunks.at(at).next, 0
		}
		item := x.chunks.at(at).items[off]
		off++
		if !isBody(item) {
			continue
		}
		for int(item) >= len(c.refs) {
			c.refs = append(c.refs, make([]uint32, max(int(x.bodies.end), int(item)+1)-len(c.refs))...)
		}
		if c.refs[item]++; c.refs[item] == 1 {
			c.bodies++
		}
		v := x.bodies.at(item)
		live++
		bytes += v.size
		if v.loc == 0 {
			c.planned++
		}
	}
	return live, bytes
}

// books compares the counters with each other.
func (c *census) books() {
	if n := c.x.n; n.Published+n.Recovered != n.Acknowledged+n.Expired+n.Removed+n.Lost+n.InFlight {
		c.bad("published %d + recovered %d is not acknowledged %d + expired %d + removed %d + lost %d + in flight %d",
			n.Published, n.Recovered, n.Acknowledged, n.Expired, n.Removed, n.Lost, n.InFlight)
	}
}

// sums compares what was found with what is counted.
func (c *census) sums() {
	x := c.x
	for i, n := range c.refs {
		if n == 0 {
			continue
		}
		if v := x.bodies.at(uint32(i)); v.refs < n || v.refs > n+1 || v.refs > n && x.held == 0 {
			c.bad("body %d has %d references, %d were found", i, v.refs, n)
		}
	}
	if n := x.boxes.len(); n != c.boxes {
		c.bad("%d inboxes, %d belong to devices", n, c.boxes)
	}
	if n := x.chunks.len(); n != c.chunks {
		c.bad("%d pieces of lists, %d belong to inboxes", n, c.chunks)
	}
	if n := x.topics.nodes.len(); n != c.subs {
		c.bad("%d subscriptions, %d belong to devices", n, c.subs)
	}
	if n := x.bodies.len(); n < c.bodies || n > c.bodies+x.held {
		c.bad("%d bodies, %d belong to inboxes", x.bodies.len(), c.bodies)
	}
	if c.live-c.planned != x.n.InFlight {
		c.bad("%d messages in flight are counted, %d were found", x.n.InFlight, c.live-c.planned)
	}
}
