package redisinbox

import (
	"maps"

	"roost/server/inbox"
)

// Bounds of the contents of messages to many that are kept here: a device that comes
// back shares them with thousands of others.
const (
	maxContents     = 256
	maxContentBytes = 16 << 20
	// maxSpreads is how many messages to many this node remembers, 4 MiB of them. What is forgotten counts as
	// acknowledged by all to one that waits for it: 30 s at most, in which 500 more would have to come each second.
	maxSpreads = 16 << 10
	// maxReceipts is how many of their numbers, 44 bytes each, are kept, for 57 at most: 27 MiB. Who has none gets the message
	// out of Redis, as if another node had published it. All of it is in what server/capacity.go leaves for the process itself.
	maxReceipts = 500_000
)

// bodies are messages to many: contents that were fetched, and who of the devices here
// gets those that this node has published. It is covered by Store.mu.
type bodies struct {
	contents map[string]string // by name
	order    []string          // of contents, oldest first
	bytes    int

	spreads map[uint32]*spreading // by Body.Serial
	byName  map[string]*spreading
	serial  uint32
	oldest  uint32 // no spreads before it
	bare    uint32 // those before it have no receipts

	receipts int // there is room for
}

// spreading is a message to many.
type spreading struct {
	name    string
	serial  uint32
	expires uint32
	seqs    map[inbox.Ref]receipt // of devices here that have not acknowledged; nil: there are none any more
	room    int                   // for how many there is memory
	left    int                   // receivers everywhere that have not acknowledged, as far as is known here
	ended   bool                  // left counts all receivers

	elsewhere int // receivers that have acknowledged at other nodes: see Recount
}

// receipt is the number that a message has for a device here.
type receipt struct {
	life uint32
	seq  uint64
}

func (b *bodies) init() {
	b.contents, b.spreads, b.byName = map[string]string{}, map[uint32]*spreading{}, map[string]*spreading{}
}

func (b *bodies) content(name string) string { return b.contents[name] }

// keep keeps a content, for as long as there is room.
func (b *bodies) keep(name, content string) {
	if _, had := b.contents[name]; had || content == "" || len(content) > maxContentBytes/4 {
		return
	}
	b.contents[name] = content
	b.order = append(b.order, name)
	b.bytes += len(content)
	for len(b.order) > maxContents || b.bytes > maxContentBytes {
		b.bytes -= len(b.contents[b.order[0]])
		delete(b.contents, b.order[0])
		b.order = b.order[1:]
	}
}

// begin makes a message to many known here.
func (b *bodies) begin(name string, expires uint32) *spreading {
	b.serial++
	if b.serial == 0 {
		b.serial = 1
	}
	v := &spreading{name: name, serial: b.serial, expires: expires, seqs: map[inbox.Ref]receipt{}}
	b.spreads[v.serial], b.byName[name] = v, v
	for ; len(b.spreads) > maxSpreads; b.oldest++ {
		b.end(b.oldest)
	}
	return v
}

func (b *bodies) end(serial uint32) {
	if v := b.spreads[serial]; v != nil {
		b.strip(v)
		delete(b.spreads, serial)
		if b.byName[v.name] == v {
			delete(b.byName, v.name)
		}
	}
}

// note notes the number that a message has for a device here. Where there is no room, the oldest messages' are forgotten.
func (b *bodies) note(v *spreading, ref inbox.Ref, r receipt) {
	for ; b.receipts >= maxReceipts && b.bare != v.serial; b.bare++ {
		if old := b.spreads[b.bare]; old != nil {
			b.strip(old)
		}
	}
	if v.seqs == nil || b.receipts >= maxReceipts {
		return
	}
	v.seqs[ref] = r
	if n := len(v.seqs); n > v.room {
		b.receipts, v.room = b.receipts+n-v.room, n
	}
}

// had forgets the number of a device that has the message. A map keeps its memory, so one that has become
// four times too large is exchanged.
func (b *bodies) had(v *spreading, ref inbox.Ref) {
	delete(v.seqs, ref)
	switch n := len(v.seqs); {
	case !v.ended || 4*n > v.room:
	case n == 0:
		b.strip(v)
	default:
		left := make(map[inbox.Ref]receipt, n)
		maps.Copy(left, v.seqs)
		b.receipts, v.room, v.seqs = b.receipts+n-v.room, n, left
	}
}

// strip forgets the numbers of a message.
func (b *bodies) strip(v *spreading) {
	b.receipts -= v.room
	v.seqs, v.room = nil, 0
}

// dropped notes that a receiver has acknowledged messages, or that they have expired for it. It returns
// those that are counted, and are other nodes'.
func (b *bodies) dropped(ref inbox.Ref, names []string) (others []string) {
	for _, name := range names {
		if v := b.byName[name]; v != nil {
			b.had(v, ref)
			if v.left--; v.left <= 0 && v.ended {
				b.end(v.serial)
			}
		} else if isCounted(name) {
			others = append(others, name)
		}
	}
	return others
}

// sweep forgets what has expired.
func (b *bodies) sweep(now uint32) {
	for serial, v := range b.spreads {
		if v.expires <= now {
			b.end(serial)
		}
	}
}

// receipt returns the number that the message has for a device's session here, 0 for
// none.
func (s *Store) receipt(ref inbox.Ref, fence uint32, body inbox.Body) (d *device, seq uint64) {
	v := s.bodies.spreads[body.Serial()]
	if d = s.m.current(ref, fence); d == nil || v == nil || v.expires <= s.seconds() {
		return nil, 0
	}
	if r := v.seqs[ref]; r.life == d.life && r.seq > d.acked {
		return d, r.seq
	}
	return d, 0
}

// IsNext implements inbox.Store. It is sure of messages that this node has published;
// others come to their devices by Fetch.
func (s *Store) IsNext(ref inbox.Ref, fence uint32, seq uint64, body inbox.Body) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, n := s.receipt(ref, fence, body)
	return n != 0 && n == seq && n <= d.sure.seq
}

// Waits implements inbox.Store, as far as IsNext does.
func (s *Store) Waits(ref inbox.Ref, fence uint32, body inbox.Body) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, n := s.receipt(ref, fence, body)
	return n != 0
}

// Remaining implements inbox.Store: it knows of acknowledgements that were written by
// this node, and of those that the last Recount has found.
func (s *Store) Remaining(body inbox.Body) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.bodies.spreads[body.Serial()]; v != nil && v.expires > s.seconds() {
		return max(v.left-v.elsewhere, 0)
	}
	return 0
}
