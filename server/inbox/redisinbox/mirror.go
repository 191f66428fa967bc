package redisinbox

import (
	"slices"
	"strings"

	"roost/server/inbox"
)

// mirror is what the node knows of the devices that are connected here: what the loops
// ask for without waiting. Redis has the truth; what is here was true a moment ago, and
// only ever lags behind, but for acknowledgements, which go from here to there.
//
//	          begin                    opened
//	(none) ---------> opening=1, fence 0 -------> connected
//	   ^                  | failed                |     ^
//	   |                  v                       |     | opened: the same Ref and life
//	   +---------------- (none)            leave  v     |
//	   +---------------------------------------- left --+
//	     swept after a minute: no task of the old connection is under way any more
//
// alone (alone.go): Redis was away when the session began. Its fence is this node's own, and
// what is known of the stream is that of the session before, or nothing: Redis is not asked
// about it, and nothing that is heard of the device counts, until the next one is opened.
//
// stale: Redis, or another node, has said that the session is over; its connection does
// not know yet. Everything about it is empty.
type mirror struct {
	byID map[string]inbox.Ref
	devs []device // by Ref; 0 is not used
	free []inbox.Ref
	left []parting // may have left, oldest first; for sweeping
	life uint32    // of the newest

	topics map[string]int // devices here that are in them
}

// device is what is known of one device.
type device struct {
	id    string // empty: the Ref is free
	life  uint32
	fence uint32 // of its session here; 0: before the first, or removed
	floor uint32 // of earlier sessions here: the next one's is higher
	epoch inbox.Epoch
	acked uint64 // by the device
	history

	gone    inbox.Epoch // of the stream that was removed
	stale   bool
	looking bool   // its topics are being asked for
	opening int32  // Opens under way
	alone   uint64 // not 0: the session began without Redis; 1 + what the device said that it has
	leftAt  uint32 // seconds; 0: it is connected
	topics  []string

	// The newest that was heard of a session that is not ours yet, and of topics while
	// Opens or questions for them are under way: their answers may be older.
	seen    mark
	changes []change
}

// parting is that a device has left. It says nothing any more once the device has come again, or left again.
type parting struct {
	ref inbox.Ref
	at  uint32 // device.leftAt
}

// topicsOf returns the topics of a device.
func (m *mirror) topicsOf(ref inbox.Ref) []string {
	if d := m.get(ref); d != nil {
		return d.topics
	}
	return nil
}

// change is that a device came into a topic or left it.
type change struct {
	topic string
	on    bool
}

// mark is a message in a session's stream.
type mark struct {
	fence uint32
	place
}

// quarantine is how long a Ref is not given to another device: longer than anything
// that names it can be under way.
const quarantine = 60

func newMirror() *mirror {
	return &mirror{byID: map[string]inbox.Ref{}, devs: make([]device, 1), topics: map[string]int{}}
}

// find returns the device with that id, nil if it is not known here.
func (m *mirror) find(id string) (inbox.Ref, *device) {
	ref := m.byID[id]
	if ref == 0 {
		return 0, nil
	}
	return ref, &m.devs[ref]
}

// get returns the device with that number, nil if there is none.
func (m *mirror) get(ref inbox.Ref) *device {
	if ref == 0 || int(ref) >= len(m.devs) || m.devs[ref].id == "" {
		return nil
	}
	return &m.devs[ref]
}

// current returns the device if fence is that of its session here and that is the last
// one, as far as is known.
func (m *mirror) current(ref inbox.Ref, fence uint32) *device {
	if d := m.get(ref); d != nil && d.fence == fence && fence != 0 && !d.stale && d.leftAt == 0 {
		return d
	}
	return nil
}

// begin prepares for a session that is being opened.
func (m *mirror) begin(id string) (inbox.Ref, *device) {
	ref, d := m.find(id)
	if d == nil {
		if n := len(m.free); n > 0 {
			ref = m.free[n-1]
			m.free = m.free[:n-1]
		} else {
			m.devs = append(m.devs, device{})
			ref = inbox.Ref(len(m.devs) - 1)
		}
		d = &m.devs[ref]
		m.life++
		*d = device{id: strings.Clone(id), life: m.life}
		m.byID[d.id] = ref
	}
	d.opening++
	return ref, d
}

// failed takes begin back.
func (m *mirror) failed(ref inbox.Ref, now uint32) {
	d := m.get(ref)
	if d == nil {
		return
	}
	d.opening--
	d.forgetChanges()
	if d.opening > 0 || d.fence != 0 || d.leftAt != 0 {
		return
	}
	if d.floor == 0 {
		m.drop(ref) // nobody can have heard of it
		return
	}
	m.part(ref, d, now)
}

// part notes that a device is away from now on.
func (m *mirror) part(ref inbox.Ref, d *device, now uint32) {
	d.leftAt = max(now, 1)
	m.left = append(m.left, parting{ref, d.leftAt})
}

// opened takes what a session has found. A later session of the device may have been
// quicker: then it stays.
func (m *mirror) opened(ref inbox.Ref, o *openReply) {
	d := m.get(ref)
	if d == nil {
		return
	}
	d.opening--
	changes := d.changes
	d.forgetChanges()
	if o.Epoch == d.gone || int32(o.Fence-max(d.fence, d.floor)) <= 0 {
		return // the device was removed meanwhile, or has a later session
	}
	d.fence, d.epoch, d.acked = o.Fence, o.Epoch, o.Acked
	d.history = history{last: o.Last, sure: place{o.Last, o.tag}}
	d.stale, d.leftAt, d.alone = false, 0, 0
	if d.seen.fence == d.fence && d.seen.seq > d.last {
		d.heard(d.seen.place, 0)
	}
	d.stale = int32(d.seen.fence-d.fence) > 0
	if d.seen.fence == d.fence {
		d.seen = mark{}
	}
	m.setTopics(d, changed(o.topics, changes))
}

// changed returns the topics after the changes, in order.
func changed(topics []string, changes []change) []string {
	for _, c := range changes {
		topics = c.apply(topics)
	}
	slices.Sort(topics)
	return topics
}

// forgetChanges forgets them when no answer is under way that they could be missing in.
func (d *device) forgetChanges() {
	if d.opening == 0 && !d.looking {
		d.changes = nil
	}
}

// looked takes what topics a device was in when it was asked for them; it reports whether that is
// news.
func (m *mirror) looked(ref inbox.Ref, fence uint32, topics []string) bool {
	d := m.get(ref)
	if d == nil {
		return false
	}
	d.looking = false
	topics = changed(topics, d.changes)
	d.forgetChanges()
	if m.current(ref, fence) == nil || d.alone != 0 || slices.Equal(topics, d.topics) {
		return false
	}
	m.setTopics(d, topics)
	return true
}

// apply returns the topics after the change, in a list of their own.
func (c change) apply(topics []string) []string {
	topics = slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return t == c.topic })
	if c.on {
		topics = append(topics, c.topic)
	}
	return topics
}

// subscribed notes that a device has come into a topic or left it.
func (m *mirror) subscribed(id string, c change) (ref inbox.Ref) {
	ref, d := m.find(id)
	if d == nil {
		return 0
	}
	if d.opening > 0 || d.looking {
		d.changes = append(d.changes, c)
	}
	if d.fence == 0 || d.leftAt != 0 {
		return 0
	}
	topics := c.apply(d.topics)
	slices.Sort(topics)
	m.setTopics(d, topics)
	return ref
}

// note is what is heard of a message that was stored.
type note uint8

const (
	nothing   note = iota
	moved          // the device has more to get: this message, behind those that are known
	ahead          // it has more to get, from Redis, which says whether that is behind what it has
	doubt          // numbers do not fit: Redis has to be asked
	overtaken      // the device has a later session elsewhere
)

// noted takes the news of a message, in the stream and the session that the device had in Redis then; before is the tag of
// the message before it, 0 if not known.
func (d *device) noted(fence uint32, epoch inbox.Epoch, m place, before uint32) note {
	ahead := int32(fence - d.fence)
	switch {
	case d.alone != 0 && d.opening == 0:
		return nothing // what there is it finds when it comes back for a session with Redis
	case d.fence == 0 || ahead > 0:
		if int32(fence-d.seen.fence) > 0 || fence == d.seen.fence && m.seq > d.seen.seq {
			d.seen = mark{fence, m}
		}
		if d.fence != 0 && d.opening == 0 && d.leftAt == 0 && !d.stale {
			return overtaken
		}
		return nothing
	case ahead < 0 || d.stale:
		return nothing // an earlier session's: ours has begun behind it
	case epoch != d.epoch:
		return doubt
	}
	news := d.heard(m, before)
	if d.leftAt != 0 && news != doubt {
		return nothing
	}
	return news
}

// leave ends a session; it reports whether it was the current one.
func (m *mirror) leave(ref inbox.Ref, fence, now uint32) bool {
	d := m.get(ref)
	if d == nil || d.fence != fence || d.leftAt != 0 {
		return false
	}
	m.part(ref, d, now)
	m.setTopics(d, nil)
	return true
}

// sweep frees what has left long ago. What has come again, or left again, is passed over: else one device
// that flaps would keep all that left behind it. It takes no longer than what it passes.
func (m *mirror) sweep(now uint32) {
	for len(m.left) > 0 && int32(now-m.left[0].at) >= quarantine {
		v := m.left[0]
		m.left = m.left[1:]
		d := m.get(v.ref)
		switch {
		case d == nil || d.leftAt != v.at:
		case d.opening > 0:
			m.part(v.ref, d, now) // it is coming; if that fails, it is looked at again
		default:
			m.drop(v.ref)
		}
	}
}

// drop forgets a device at once.
func (m *mirror) drop(ref inbox.Ref) {
	d := m.get(ref)
	if d == nil {
		return
	}
	m.setTopics(d, nil)
	delete(m.byID, d.id) // no other Ref has the id
	*d = device{}
	m.free = append(m.free, ref)
}

// removed ends whatever session a removed device has. If it comes again, it has the same
// Ref, another life and a higher fence.
func (m *mirror) removed(id string, epoch inbox.Epoch, now uint32) (ref inbox.Ref) {
	ref, d := m.find(id)
	if d == nil || d.fence == 0 && d.floor == 0 {
		return 0
	}
	m.setTopics(d, nil)
	m.life++
	*d = device{id: d.id, life: m.life, floor: max(d.fence, d.floor), gone: epoch, opening: d.opening}
	m.part(ref, d, now)
	return ref
}

// setTopics sets the topics of a device and counts them.
func (m *mirror) setTopics(d *device, topics []string) {
	for _, t := range d.topics {
		if m.topics[t]--; m.topics[t] <= 0 {
			delete(m.topics, t)
		}
	}
	d.topics = topics
	for _, t := range topics {
		m.topics[t]++
	}
}
