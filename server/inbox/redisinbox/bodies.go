package redisinbox

import "roost/server/inbox"

// Bounds of the contents of messages to many that are kept here: a device that comes
// back shares them with thousands of others.
const (
	maxContents     = 256
	maxContentBytes = 16 << 20
	// maxSpreads is how many messages to many this node remembers the receivers of.
	maxSpreads = 1024
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
}

// spreading is a message to many.
type spreading struct {
	name    string
	serial  uint32
	expires uint32
	seqs    map[inbox.Ref]receipt // of devices here
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
	for serial, old := range b.spreads {
		if len(b.spreads) <= maxSpreads {
			break
		}
		if old != v {
			b.end(serial)
		}
	}
	return v
}

func (b *bodies) end(serial uint32) {
	if v := b.spreads[serial]; v != nil {
		delete(b.spreads, serial)
		if b.byName[v.name] == v {
			delete(b.byName, v.name)
		}
	}
}

// dropped notes that receivers have acknowledged, or that it has expired for them. It returns
// those that are counted, and are other nodes'.
func (b *bodies) dropped(names []string) (others []string) {
	for _, name := range names {
		if v := b.byName[name]; v != nil {
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
	_, n := s.receipt(ref, fence, body)
	return n != 0 && n == seq
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
