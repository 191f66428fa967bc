package publisher

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// The classes; an empty one is the node's default: kept for devices, live for a topic
// and all.
const (
	ClassLive   = "live"
	ClassLatest = "latest"
	ClassKept   = "kept"
)

// Bounds of a message, as the nodes' API has them.
const (
	maxPayload = 64 << 10
	maxDevices = 1000
	maxName    = 128
	maxTTL     = 24 * time.Hour
	maxWait    = 30 * time.Second
)

// Message is what is published. Exactly one of Device, Devices, Topic and All is set.
type Message struct {
	Device  string   // 1 to 128 printable ASCII characters without spaces, as all names
	Devices []string // 1 to 1,000, no duplicates; each gets its own number and result
	Topic   string
	All     bool

	Class string // ClassLive, ClassLatest (topics), ClassKept; empty: the default
	// ID is the idempotency key: the same again within 10 minutes sends nothing, and
	// has the first one's result. Empty: one is made, except for live messages.
	ID      string
	TTL     time.Duration // whole seconds to 24 h; 0: 24 h. Not for live messages
	Payload []byte        // a JSON value; with Raw any bytes. At most 64 KiB with all around it
	Raw     bool
	// Wait is how long the node waits for the device's acknowledgement before it
	// answers, at most 30 s. Such a message is not sent with others.
	Wait time.Duration
	Pace int // receivers a second of a broadcast; 0: as fast as it goes
}

// check says which field is wrong.
func (m *Message) check() error {
	bad := func(field, text string, args ...any) error {
		return fmt.Errorf("%w: %s %s", ErrMessage, field, fmt.Sprintf(text, args...))
	}
	if err := m.checkTarget(bad); err != nil {
		return err
	}
	live := m.live()
	switch {
	case m.Class != "" && m.Class != ClassLive && m.Class != ClassLatest && m.Class != ClassKept:
		return bad("class", "is %q: want live, latest or kept", m.Class)
	case m.Class == ClassLatest && m.Topic == "":
		return bad("class", "latest is the last value of a topic: it needs Topic")
	case m.ID != "" && !printable(m.ID):
		return bad("id", "must be 1 to 128 printable ASCII characters without spaces")
	case m.TTL < 0 || m.TTL > maxTTL || m.TTL%time.Second != 0:
		return bad("ttl", "is %v: want whole seconds, at most %v", m.TTL, maxTTL)
	case m.TTL > 0 && live:
		return bad("ttl", "is set, but a live message is not stored")
	case m.Wait < 0 || m.Wait > maxWait:
		return bad("wait", "is %v: want 0 to %v", m.Wait, maxWait)
	case m.Pace < 0 || m.Pace > 0 && m.Topic == "" && !m.All:
		return bad("pace", "is %d: it is for topics and all, and not negative", m.Pace)
	case len(m.Payload) > maxPayload:
		return bad("payload", "has %d bytes: at most %d are allowed", len(m.Payload), maxPayload)
	case !m.Raw && !json.Valid(m.Payload):
		return bad("payload", "is not JSON: set Raw for bytes")
	}
	return nil
}

func (m *Message) checkTarget(bad func(string, string, ...any) error) error {
	n := 0
	for _, set := range []bool{m.Device != "", len(m.Devices) > 0, m.Topic != "", m.All} {
		if set {
			n++
		}
	}
	const rule = "must be 1 to 128 printable ASCII characters without spaces"
	switch {
	case n != 1:
		return bad("target", "is set %d times: want one of Device, Devices, Topic and All", n)
	case m.Device != "" && !printable(m.Device):
		return bad("device", rule)
	case m.Topic != "" && !printable(m.Topic):
		return bad("topic", rule)
	case len(m.Devices) > maxDevices:
		return bad("devices", "has %d entries: at most %d", len(m.Devices), maxDevices)
	}
	seen := make(map[string]bool, len(m.Devices))
	for i, id := range m.Devices {
		if !printable(id) || seen[id] {
			return bad("devices", "[%d] %s, and there once", i, rule)
		}
		seen[id] = true
	}
	return nil
}

// live reports whether nothing of the message is stored.
func (m *Message) live() bool {
	return m.Class == ClassLive || m.Class == "" && (m.Topic != "" || m.All)
}

// printable is the rule for names of devices and topics and ids of messages.
func printable(s string) bool {
	if len(s) == 0 || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// appendLine appends the message as a line of JSON, for devices if that is not
// empty. It has been checked.
func (m *Message) appendLine(dst []byte, devices []string) []byte {
	switch {
	case len(devices) > 0:
		dst = append(dst, `{"devices":[`...)
		for i, id := range devices {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = quoted(dst, id)
		}
		dst = append(dst, ']')
	case m.Device != "":
		dst = quoted(append(dst, `{"device":`...), m.Device)
	case m.Topic != "":
		dst = quoted(append(dst, `{"topic":`...), m.Topic)
	default:
		dst = append(dst, `{"all":true`...)
	}
	if m.Class != "" {
		dst = quoted(append(dst, `,"class":`...), m.Class)
	}
	if m.ID != "" {
		dst = quoted(append(dst, `,"id":`...), m.ID)
	}
	if m.TTL > 0 {
		dst = strconv.AppendInt(append(dst, `,"ttl":`...), int64(m.TTL/time.Second), 10)
	}
	if m.Wait > 0 {
		dst = strconv.AppendFloat(append(dst, `,"wait":`...), m.Wait.Seconds(), 'f', 3, 64)
	}
	if m.Pace > 0 {
		dst = strconv.AppendInt(append(dst, `,"pace":`...), int64(m.Pace), 10)
	}
	return append(m.appendPayload(dst), "}\n"...)
}

func (m *Message) appendPayload(dst []byte) []byte {
	if m.Raw {
		dst = base64.StdEncoding.AppendEncode(append(dst, `,"payload_base64":"`...), m.Payload)
		return append(dst, '"')
	}
	dst = append(dst, `,"payload":`...)
	if bytes.IndexByte(m.Payload, '\n') < 0 {
		return append(dst, m.Payload...)
	}
	var b bytes.Buffer // a line break would end the line
	_ = json.Compact(&b, m.Payload)
	return append(dst, b.Bytes()...)
}

// quoted appends a printable name as a JSON string.
func quoted(dst []byte, s string) []byte { return strconv.AppendQuote(dst, s) }

// Result is what became of a message.
type Result struct {
	Device string `json:"device,omitempty"`
	Topic  string `json:"topic,omitempty"`
	All    bool   `json:"all,omitempty"`
	// Status is the node's word: written, acknowledged, queued, offline, unknown or
	// refused; empty if Err says why there is none.
	Status    string  `json:"status"`
	Reason    string  `json:"reason,omitempty"` // refused: inbox_full, too_big, ttl, rate, limit, store, invalid
	Detail    string  `json:"detail,omitempty"`
	Seq       uint64  `json:"seq,omitempty"`
	Duplicate bool    `json:"duplicate,omitempty"`
	Receivers int     `json:"receivers,omitempty"`
	Counts    *Counts `json:"counts,omitempty"`

	ID string `json:"-"` // under which it was published: its own, or made
	// Node answered; Tried are how many requests it took, 0 if none was sent.
	Node  string `json:"-"`
	Tried int    `json:"-"`
	// Err is nil if there is a Status: ErrMessage, ErrLate, ErrUncertain, ErrAnswer,
	// ErrClosed or the context's.
	Err error `json:"-"`
	// Devices are the results of Message.Devices, in their order.
	Devices []Result `json:"-"`
}

// Counts are the receivers of a broadcast, by what became of it.
type Counts struct {
	Written      int `json:"written"`
	Acknowledged int `json:"acknowledged"`
	Queued       int `json:"queued"`
	Offline      int `json:"offline"`
	Refused      int `json:"refused"`
	Dropped      int `json:"dropped"`
	// NodesSilent are nodes that did not say in time what became of it at theirs, whose
	// receivers the others do not have.
	NodesSilent int `json:"nodes_silent"`
}

// Stored reports whether the message is kept, or has arrived.
func (r *Result) Stored() bool {
	switch r.Status {
	case "written", "acknowledged", "queued", "offline":
		return r.Err == nil
	}
	return false
}
