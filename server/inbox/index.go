package inbox

import (
	"hash/maphash"
	"sync"
	"time"

	"roost/server/idmap"
)

// index is what every store knows in memory about devices and what waits for
// them: the rules, without the bytes of the messages and without a disk.
//
// One goroutine at a time plans and commits operations (whoever holds the
// store's committing role); everything else may come from anywhere. What plan
// has applied and commit has not yet confirmed is not shown to anybody: such a
// body has no place (loc 0), and it is always at the end of its inboxes.
type index struct {
	// Static after construction.
	limits  Limits
	now     func() time.Time
	storeID uint64
	seed    maphash.Seed
	content content
	// atOnce: what is planned cannot fail and is shown at once; commit only says so.
	atOnce bool

	// mu covers the following.
	mu sync.Mutex

	ids     *idmap.Map
	devices slab[device] // by Ref; Ref is the number in ids + 1
	boxes   slab[box]
	chunks  slab[chunk]
	bodies  slab[body]
	topics  topics
	keys    keys
	idBytes int64        // of the ids of devices
	lives   map[Ref]life // of numbers whose device was removed; most are not in it
	era     uint32       // the newest
	serial  uint32       // of the newest body
	pending int          // bodies that are planned and not committed
	held    int          // bodies that spreads under way hold one more of
	lossy   bool         // damage was found: holes may be losses
	dirty   []Ref        // acknowledged since they were last logged
	fresh   []Ref        // new, or in a new era, and perhaps not logged yet
	changes uint64       // of what Check adds up
	closed  bool         // nobody can begin a session any more
	swept   uint32       // where the sweep goes on
	n       Counts
}

// life tells devices that have the same number from those before.
type life struct {
	n     uint32 // devices that had the number and were removed
	fence uint32 // sessions up to this one were theirs
}

// content keeps the bytes of messages.
type content interface {
	// drop says that nobody waits for the body any more.
	drop(body uint32, b *body)
}

// device is what is kept about a known device: 32 bytes beside its id.
type device struct {
	acked uint64
	lag   uint32 // last number given - acked
	era   uint32 // of its epoch
	fence uint32 // number of its last session; before the first since the store was opened, see awayBit
	box   uint32 // 0: nothing waits
	subs  uint32 // first subscription, 0 for none
	// segment is the number of the segment that holds its newest record of
	// state, 0 for none; dirtyBit says that it is in index.dirty, eraBit that its
	// era is newer than the log's.
	segment uint32
}

// awayBit in device.fence says that the device was known when the store was opened
// and has not had a session since; the rest is how many messages it was given since.
const awayBit = 1 << 31

// Parts of device.segment: numbers of segments wrap around in 29 bits, and 0 is
// left for a device that is in no record.
const (
	dirtyBit       = 1 << 31
	segmentPending = 1 << 30 // its record is being written
	eraBit         = 1 << 29
	segmentMask    = 1<<29 - 1
)

func (d *device) last() uint64 { return d.acked + uint64(d.lag) }

// body is one stored message, which one device or many wait for.
type body struct {
	loc     uint64 // where its bytes are; 0: not committed yet
	expires uint32 // s since 1970
	refs    uint32 // devices that wait for it
	size    uint32 // bytes
	serial  uint32
}

// newIndex returns an empty index.
func newIndex(limits Limits, now func() time.Time, storeID uint64) *index {
	seed := maphash.MakeSeed()
	x := &index{limits: limits.withDefaults(), now: now, storeID: storeID, seed: seed, ids: idmap.New(seed), era: 1}
	x.topics.init()
	x.keys.init()
	x.lives = map[Ref]life{}
	return x
}

// seconds returns the time in the unit of body.expires.
func (x *index) seconds() uint32 { return uint32(x.now().Unix()) }

// find returns a known device.
func (x *index) find(id []byte) (Ref, *device) {
	n, ok := x.ids.Find(idmap.Hash(x.seed, id), id)
	if !ok {
		return 0, nil
	}
	return Ref(n + 1), x.devices.at(n + 1)
}

// get returns the device named by ref, nil if it was removed.
func (x *index) get(ref Ref) *device {
	if ref == 0 || !x.ids.Used(uint32(ref)-1) {
		return nil
	}
	return x.devices.at(uint32(ref))
}

// living returns the device named by ref if that many had the number before it.
func (x *index) living(ref Ref, life uint32) *device {
	if d := x.get(ref); d != nil && x.lives[ref].n == life {
		return d
	}
	return nil
}

// current returns the device if fence is that of its last session. A connection
// that was overtaken, or whose device was removed, gets nothing any more, also when
// another device has got the number since.
func (x *index) current(ref Ref, fence uint32) *device {
	if d := x.get(ref); d != nil && d.fence == fence {
		return d
	}
	return nil
}

// add makes a device known.
func (x *index) add(id []byte) (Ref, *device, error) {
	if x.ids.Len() >= x.limits.Devices {
		return 0, nil, ErrDevices
	}
	n, ok := x.ids.Insert(idmap.Hash(x.seed, id), id)
	if !ok {
		return 0, nil, ErrDevices
	}
	x.idBytes += int64(len(id))
	for x.devices.end < n+2 {
		x.devices.alloc() // numbers of devices are those of their ids
	}
	d := x.devices.at(n + 1)
	*d = device{era: x.era, fence: d.fence} // see remove
	return Ref(n + 1), d, nil
}

// committed returns the last number of a device that is stored for good.
func (x *index) committed(d *device) uint64 {
	last := d.last()
	if x.pending == 0 || d.box == 0 {
		return last
	}
	b := x.boxes.at(d.box)
	for i := b.n; i > 0 && x.isPending(x.item(b, i-1)); i-- {
		last--
	}
	return last
}

func (x *index) isPending(item uint32) bool { return isBody(item) && x.bodies.at(item).loc == 0 }

// ack takes all up to seq as delivered.
func (x *index) ack(ref Ref, d *device, seq uint64) {
	if seq <= d.acked {
		return
	}
	if seq > x.committed(d) {
		return // Store.Ack forbids it
	}
	if d.box != 0 {
		b := x.boxes.at(d.box)
		for b.n > 0 && b.first <= seq {
			if item := x.pop(b); isBody(item) {
				x.n.Acknowledged++
				x.n.InFlight--
				x.unref(item)
			}
		}
		x.tidy(d)
	}
	d.lag -= uint32(seq - d.acked)
	d.acked = seq
	x.soil(ref, d)
}

// soil notes that the state of a device is newer than what is logged.
func (x *index) soil(ref Ref, d *device) {
	if d.segment&dirtyBit == 0 {
		d.segment |= dirtyBit
		x.dirty = append(x.dirty, ref)
	}
}

// newBody makes a body that nobody waits for yet.
func (x *index) newBody(size int, expires uint32) uint32 {
	i, b := x.bodies.alloc()
	x.serial++
	*b = body{expires: expires, size: uint32(size), serial: x.serial}
	x.n.Bytes += int64(size) + bodyCost
	x.changes++
	if x.atOnce {
		b.loc = 1
	} else {
		x.pending++
	}
	return i
}

// bodyCost is what a message counts beside its bytes, against Limits.Total.
const bodyCost = 32

// unref takes one who waits from a body.
func (x *index) unref(i uint32) {
	b := x.bodies.at(i)
	if b.refs--; b.refs == 0 {
		x.dropBody(i)
	}
}

func (x *index) dropBody(i uint32) {
	b := x.bodies.at(i)
	x.n.Bytes -= int64(b.size) + bodyCost
	x.changes++
	if b.loc == 0 {
		x.pending--
	}
	x.content.drop(i, b)
	x.bodies.release(i)
}

// settle gives a planned body its place.
func (x *index) settle(i uint32, loc uint64) {
	x.bodies.at(i).loc = loc
	x.pending--
	x.changes++
}

// bodyOf returns the body that is still the one named.
func (x *index) bodyOf(b Body) *body {
	if b.index == 0 || b.index >= x.bodies.end {
		return nil
	}
	if v := x.bodies.at(b.index); v.serial == b.serial && v.refs > 0 {
		return v
	}
	return nil
}
