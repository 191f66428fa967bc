package inbox

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// model is the naive twin of index: slices and maps, nothing shared, nothing
// lazy but what is said.
type model struct {
	limits  Limits
	now     uint32
	devices map[string]*mDevice
	keys    map[string]mKey
	latest  map[string]mLatest // an expired one stays until the tick, and keeps its topic
	lives   int
	epochs  map[string]bool  // all that were ever given, "device epoch"
	bytes   map[string]mSize // by payload: what Total counts at most, until the tick
	held    map[string]bool  // spread and not committed: counts without receivers
	stored  uint64           // messages that were ever stored, one per receiver
	removed uint64
	acked   uint64 // numbers acknowledged that had a message
}

type mDevice struct {
	id     string
	life   int // no two have the same, also not a device that was removed and came back
	ref    Ref
	fence  uint32
	epoch  string
	acked  uint64
	msgs   []mMsg // acked+1 and so on; pending ones are last
	topics map[string]bool
}

type mMsg struct {
	payload string
	size    int
	expires uint32
	pending bool
}

type mKey struct {
	seq     uint64
	outcome uint8
	expires uint32
}

type mLatest struct {
	payload string
	size    int
	expires uint32
}

type mSize struct {
	size    int
	expires uint32
}

func newModel(limits Limits, now uint32) *model {
	return &model{
		limits: limits, now: now, devices: map[string]*mDevice{}, keys: map[string]mKey{},
		latest: map[string]mLatest{}, epochs: map[string]bool{}, bytes: map[string]mSize{}, held: map[string]bool{},
	}
}

// last is the last number that is stored for good.
func (d *mDevice) last() uint64 {
	n := len(d.msgs)
	for n > 0 && d.msgs[n-1].pending {
		n--
	}
	return d.acked + uint64(n)
}

func (d *mDevice) ack(seq uint64) (messages int) {
	if seq <= d.acked || seq > d.last() {
		return 0
	}
	messages = int(seq - d.acked)
	d.msgs = slices.Clone(d.msgs[messages:])
	d.acked = seq
	return messages
}

// waiting returns the messages that have not expired, and their bytes.
func (m *model) waiting(d *mDevice) (n, bytes int) {
	for _, v := range d.msgs {
		if v.pending || v.expires > m.now {
			n++
			bytes += v.size
		}
	}
	return n, bytes
}

// places is how many numbers an inbox holds: holes at the front are none.
func (m *model) places(d *mDevice) int {
	for i, v := range d.msgs {
		if v.pending || v.expires > m.now {
			return len(d.msgs) - i
		}
	}
	return 0
}

// full reports whether a device's inbox has no room for size more bytes.
func (m *model) full(d *mDevice, size int) bool {
	_, bytes := m.waiting(d)
	return m.places(d) >= m.limits.Messages || bytes+size > m.limits.Bytes
}

// total returns the bounds of what counts against Limits.Total: what is needed,
// and what the last tick has left.
func (m *model) total() (least, most int64) {
	needed := map[string]bool{}
	for _, d := range m.devices {
		for _, v := range d.msgs {
			if v.pending || v.expires > m.now {
				needed[v.payload] = true
			}
		}
	}
	for payload, v := range m.bytes {
		if needed[payload] {
			least += int64(v.size) + bodyCost
		}
		most += int64(v.size) + bodyCost
	}
	return least, most
}

// tick forgets what may be forgotten.
func (m *model) tick() {
	needed := map[string]bool{}
	for _, d := range m.devices {
		for _, v := range d.msgs {
			if v.pending || v.expires > m.now {
				needed[v.payload] = true
			}
		}
	}
	maps.DeleteFunc(m.bytes, func(payload string, _ mSize) bool { return !needed[payload] && !m.held[payload] })
	maps.DeleteFunc(m.latest, func(_ string, v mLatest) bool { return v.expires <= m.now })
}

// open is the resume table of docs/PROTOCOL.md.
func (m *model) open(id string, r Resume) (d *mDevice, resumed bool, from uint64, newEpoch bool) {
	d = m.devices[id]
	if d == nil {
		m.lives++
		d = &mDevice{id: id, life: m.lives, topics: map[string]bool{}}
		m.devices[id] = d
		return d, false, 0, true
	}
	switch {
	case !r.Given:
		return d, true, 0, false
	case string(r.Epoch) != d.epoch:
		return d, false, 0, false
	case r.Seq < d.acked:
		return d, false, d.acked + 1, false
	case r.Seq > d.last():
		return d, false, 0, true
	}
	m.acked += uint64(d.ack(r.Seq))
	return d, true, 0, false
}

// fetched is what a Fetch has to answer.
type fetched struct {
	skip, last, first uint64
	payloads          []string
}

func (m *model) fetch(d *mDevice, f *Fetch) (want fetched) {
	want.last = d.last()
	next := max(f.From, d.acked+1)
	at := func() *mMsg { return &d.msgs[next-d.acked-1] }
	for next <= want.last && at().expires <= m.now {
		want.skip = next
		next++
	}
	want.first = next
	bytes := 0
	for next <= want.last && len(want.payloads) < f.Max && at().expires > m.now {
		if bytes += at().size; bytes > f.Bytes && len(want.payloads) > 0 {
			break
		}
		want.payloads = append(want.payloads, at().payload)
		next++
	}
	return want
}

// subscribers returns the devices of a topic, or all.
func (m *model) audience(topic string) (ids []string) {
	for id, d := range m.devices {
		if topic == "" || d.topics[topic] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// topics returns the topics that exist.
func (m *model) topics() map[string]int {
	have := map[string]int{}
	for _, d := range m.devices {
		for t := range d.topics {
			have[t]++
		}
	}
	for t := range m.latest {
		have[t] += 0
	}
	return have
}

// byRef returns the device that has the number.
func (m *model) byRef(ref Ref) *mDevice {
	for _, d := range m.devices {
		if d.ref == ref {
			return d
		}
	}
	return nil
}

// settle ends the fate of what is pending.
func (d *mDevice) settle(stored bool) (n int) {
	for i := len(d.msgs) - 1; i >= 0 && d.msgs[i].pending; i-- {
		n++
		if stored {
			d.msgs[i].pending = false
		} else {
			d.msgs = d.msgs[:i]
		}
	}
	return n
}

// testClock is a clock that stands still.
type testClock struct{ t time.Time }

func (c *testClock) now() time.Time { return c.t }

func (c *testClock) add(d time.Duration) { c.t = c.t.Add(d) }

func newClock() *testClock { return &testClock{time.Unix(1_800_000_000, 0)} }

func payload(n int) string { return fmt.Sprintf(`{"n":%d}`, n) }
