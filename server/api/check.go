package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"time"
)

// The bounds of a publish request.
const (
	// maxMessage is the largest message as a device gets it, in bytes: what a
	// device's queue holds, and the same as devices may send.
	maxMessage = 64 << 10
	// maxEnvelope bounds what the protocol puts around payload, id and topic.
	maxEnvelope = 128
	// maxWait is the longest wait.
	maxWait = 30 * time.Second
	// maxTTL is the longest time to live.
	maxTTL = 24 * time.Hour
	// maxPace is the fastest paced broadcast, in receivers per second.
	maxPace = 1_000_000
	// maxDevices bounds the devices of one message.
	maxDevices = 1000
)

// builder makes publications of requests. Their strings are cut from one that
// is made at the end, so that a batch costs a handful of allocations and not
// four a line; payloads are parts of the body.
type builder struct {
	pubs  []Publication
	names []byte // of all strings, one behind the other
	refs  []ref
	ones  []string // room for the Devices of those that have one
	seen  [2 * maxDevices]uint16
}

// ref says which part of the names belongs where.
type ref struct {
	to        *string
	from, end int
}

// hashSeed is for finding ids that come twice.
var hashSeed = maphash.MakeSeed()

// reset makes room for n publications.
func (b *builder) reset(n int) {
	b.pubs, b.ones = make([]Publication, 0, n), make([]string, n)
	b.names, b.refs = b.names[:0], b.refs[:0]
}

// string sets *to to s when the names are made.
func (b *builder) string(to *string, s []byte) {
	from := len(b.names)
	b.names = append(b.names, s...)
	b.refs = append(b.refs, ref{to, from, len(b.names)})
}

// finish fills in the strings and forgets them.
func (b *builder) finish() []*Publication {
	names := string(b.names)
	for _, r := range b.refs {
		*r.to = names[r.from:r.end]
	}
	clear(b.refs) // the pool must not keep them alive
	ps := make([]*Publication, len(b.pubs))
	for i := range b.pubs {
		ps[i] = &b.pubs[i]
	}
	b.pubs, b.ones = nil, nil
	return ps
}

// add checks a request and takes it as the next publication, or says which field
// is wrong.
func (b *builder) add(q *request) *problem {
	if bad := q.check(); bad != nil {
		return bad
	}
	if i, dup := b.duplicate(q.devices); dup {
		return invalid("devices", fmt.Sprintf("devices[%d] is %q, which is there already", i, q.devices[i]))
	}
	b.pubs = append(b.pubs, Publication{
		All:     q.all,
		Class:   q.classOf(),
		TTL:     time.Duration(q.ttl) * time.Second,
		Payload: q.payload,
		Raw:     q.has(fieldBytes),
		Wait:    time.Duration(q.wait * float64(time.Second)),
		Pace:    int(q.pace),
	})
	p := &b.pubs[len(b.pubs)-1]
	if q.has(fieldID) {
		b.string(&p.ID, q.id)
	}
	switch {
	case q.has(fieldTopic):
		b.string(&p.Topic, q.topic)
	case q.has(fieldDevice):
		i := len(b.pubs) - 1
		p.Devices = b.ones[i : i+1 : i+1]
		b.string(&p.Devices[0], q.device)
	case q.has(fieldDevices):
		p.Devices = make([]string, len(q.devices))
		for i, id := range q.devices {
			b.string(&p.Devices[i], id)
		}
	}
	return nil
}

// duplicate finds an id that comes twice, in a hash table with open addressing:
// half as long as a map for 1,000 ids, and without garbage.
func (b *builder) duplicate(ids [][]byte) (second int, found bool) {
	if len(ids) < 2 {
		return 0, false
	}
	clear(b.seen[:])
	for i, id := range ids {
		at := maphash.Bytes(hashSeed, id) % uint64(len(b.seen))
		for ; b.seen[at] != 0; at = (at + 1) % uint64(len(b.seen)) {
			if bytes.Equal(ids[b.seen[at]-1], id) {
				return i, true
			}
		}
		b.seen[at] = uint16(i + 1)
	}
	return 0, false
}

// check says which field is wrong, if one is.
func (q *request) check() *problem {
	if bad := q.checkTarget(); bad != nil {
		return bad
	}
	if bad := q.checkClass(); bad != nil {
		return bad
	}
	if q.has(fieldID) && !printable(q.id) {
		return invalid("id", "id must be 1 to 128 printable ASCII characters without spaces")
	}
	if bad := q.checkTimes(); bad != nil {
		return bad
	}
	if !q.has(fieldPayload) && !q.has(fieldBytes) {
		return invalid("payload", "payload is missing (any JSON value, or payload_base64)")
	}
	size, room := len(q.payload), maxMessage-maxEnvelope-quotedLen(q.id)-quotedLen(q.topic)
	if q.has(fieldBytes) {
		size = base64.StdEncoding.EncodedLen(size)
	}
	if size > room {
		return &problem{Title: titleTooBig, Status: http.StatusRequestEntityTooLarge, Field: "payload",
			Detail: fmt.Sprintf("payload makes %d bytes for a JSON device: with this id and topic at most %d are allowed", size, room)}
	}
	return nil
}

// checkTarget wants one addressee.
func (q *request) checkTarget() *problem {
	n := 0
	for _, f := range [...]field{fieldDevice, fieldDevices, fieldTopic} {
		if q.has(f) {
			n++
		}
	}
	if q.all {
		n++
	}
	switch {
	case n == 0:
		return invalid("device", `no addressee: set "device", "devices", "topic" or "all": true`)
	case n > 1:
		return invalid("device", `more than one addressee: set one of "device", "devices", "topic" and "all"`)
	case q.has(fieldDevice) && !printable(q.device):
		return invalid("device", "device "+nameRule)
	case q.has(fieldTopic) && !printable(q.topic):
		return invalid("topic", "topic "+nameRule)
	case q.has(fieldDevices) && len(q.devices) == 0:
		return invalid("devices", "devices is empty: want 1 to 1,000 ids of devices")
	}
	if i := slices.IndexFunc(q.devices, func(id []byte) bool { return !printable(id) }); i >= 0 {
		return invalid("devices", fmt.Sprintf("devices[%d] %s", i, nameRule))
	}
	return nil
}

// classOf is the class that is set, or the default.
func (q *request) classOf() Class {
	switch {
	case string(q.class) == string(ClassLatest):
		return ClassLatest
	case string(q.class) == string(ClassKept):
		return ClassKept
	case q.has(fieldClass), q.has(fieldTopic), q.all:
		return ClassLive
	}
	return ClassKept
}

// checkClass wants a class that there is, and fits the addressee.
func (q *request) checkClass() *problem {
	class := q.classOf()
	switch {
	case q.has(fieldClass) && string(q.class) != string(class):
		return invalid("class", fmt.Sprintf("class is %q: want live, latest or kept", clip(q.class)))
	case class == ClassLatest && !q.has(fieldTopic):
		return invalid("class", "class latest is the last value of a topic: it needs \"topic\"; for devices there are live and kept")
	case class == ClassLive && q.has(fieldTTL):
		return invalid("ttl", "a live message is not stored and has no ttl: set class kept or latest, or leave ttl out")
	}
	return nil
}

// checkTimes looks at ttl, wait and pace.
func (q *request) checkTimes() *problem {
	switch {
	case q.has(fieldTTL) && !whole(q.ttl, maxTTL.Seconds()):
		return invalid("ttl", fmt.Sprintf("ttl is %v: want whole seconds from 1 to %v", q.ttl, maxTTL.Seconds()))
	case q.wait < 0 || q.wait > maxWait.Seconds():
		return invalid("wait", fmt.Sprintf("wait is %v: want 0 to %v seconds", q.wait, maxWait.Seconds()))
	case q.has(fieldPace) && !whole(q.pace, maxPace):
		return invalid("pace", fmt.Sprintf("pace is %v: want whole receivers per second from 1 to %d", q.pace, maxPace))
	case q.has(fieldPace) && !q.has(fieldTopic) && !q.all:
		return invalid("pace", "pace is for broadcasts: it needs \"topic\" or \"all\"")
	}
	return nil
}

// nameRule is what printable wants, in words.
const nameRule = "must be 1 to 128 printable ASCII characters without spaces"

// printable is the rule for names of devices and topics and ids of messages.
func printable[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// quotedLen bounds how long a printable name gets in a JSON string: the message's
// encoder escapes quotes and backslashes, and then < > & as six bytes too.
func quotedLen(s []byte) int {
	n := len(s)
	for _, c := range s {
		switch c {
		case '"', '\\':
			n++
		case '<', '>', '&':
			n += 5
		}
	}
	return n
}
