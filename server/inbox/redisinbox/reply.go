package redisinbox

import (
	"encoding/binary"
	"errors"
	"fmt"

	"roost/server/inbox"
)

// errReply says that a reply is none that the script gives.
var errReply = errors.New("redisinbox: a reply of Redis makes no sense")

// errRefused says that Redis has not carried out what was asked for one device.
var errRefused = errors.New("refused by Redis")

// fields takes the values of a reply one after the other. What is not as expected sets
// err, and from then on everything is zero: whatever is in Redis, nothing panics.
type fields struct {
	v   []any
	err error
}

// open returns the fields of a reply that begins with a word, and the word.
func open(v any) (f fields, word string) {
	f.v, _ = v.([]any)
	if f.v == nil {
		f.err = fmt.Errorf("redisinbox: a reply is %T, want a list", v)
		return f, ""
	}
	return f, f.text()
}

func (f *fields) next(what string) any {
	if f.err != nil || len(f.v) == 0 {
		if f.err == nil {
			f.err = fmt.Errorf("redisinbox: a reply ends where %s should be", what)
		}
		return nil
	}
	v := f.v[0]
	f.v = f.v[1:]
	return v
}

func (f *fields) bad(what string, v any) {
	if f.err == nil {
		f.err = fmt.Errorf("redisinbox: a reply has %T, want %s", v, what)
	}
}

// number takes a number that is not negative.
func (f *fields) number() uint64 {
	v := f.next("a number")
	n, ok := v.(int64)
	if !ok || n < 0 {
		f.bad("a number", v)
		return 0
	}
	return uint64(n)
}

func (f *fields) text() string {
	v := f.next("a string")
	s, ok := v.(string)
	if !ok {
		f.bad("a string", v)
	}
	return s
}

// digit takes a number of one digit that is a string.
func (f *fields) digit() uint8 {
	s := f.text()
	if len(s) != 1 || s[0] < '0' || s[0] > '9' {
		f.bad("a digit", s)
		return 0
	}
	return s[0] - '0'
}

func (f *fields) texts() []string {
	v := f.next("a list")
	list, ok := v.([]any)
	if !ok {
		f.bad("a list", v)
	}
	out := texts(list)
	if len(out) != len(list) {
		f.bad("a list of strings", v)
	}
	return out
}

// texts returns the strings of a list.
func texts(list []any) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func (f *fields) epoch() inbox.Epoch {
	name := f.text()
	e, ok := inbox.ParseEpoch([]byte(name))
	if !ok && f.err == nil {
		f.err = fmt.Errorf("redisinbox: %q is not the name of a stream", name)
	}
	return e
}

// tag takes a tag, 0 for none.
func (f *fields) tag() uint32 {
	return tagOf(f.text())
}

// tagOf is the inverse of tagText.
func tagOf(s string) uint32 {
	if len(s) != 4 {
		return 0
	}
	return beUint32(s)
}

// tagText is what scripts are given for a tag.
func tagText(tag uint32) string {
	if tag == 0 {
		return ""
	}
	return string(binary.BigEndian.AppendUint32(nil, tag))
}

// Kinds of items, see lua/lib.lua.
const (
	kindMessage = 'm'
	kindShared  = 's'
)

// appendItem appends a message as an item of a list.
func appendItem(dst []byte, expires, tag uint32, m *inbox.Message) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, kindMessage), expires)
	return m.AppendContent(binary.BigEndian.AppendUint32(dst, tag))
}

// appendShared appends an item whose content of size bytes is in a body.
func appendShared(dst []byte, expires, tag uint32, size int, body string) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, kindShared), expires)
	dst = binary.BigEndian.AppendUint32(dst, tag)
	return append(binary.BigEndian.AppendUint32(dst, uint32(size)), body...)
}

// item is an item of a list, read.
type item struct {
	content string // of a message
	body    string // name of a body, "" for none
}

// parseItem reads an item that is not a hole.
func parseItem(b string) (item, error) {
	switch {
	case len(b) > 9 && b[0] == kindMessage:
		return item{content: b[9:]}, nil
	case len(b) > 13 && b[0] == kindShared:
		return item{body: b[13:]}, nil
	}
	return item{}, fmt.Errorf("redisinbox: an item of %d bytes is neither a message nor names a body", len(b))
}

// putReply is what the script put says of one message.
type putReply struct {
	verdict inbox.Verdict
	seq     uint64
	fence   uint32
	epoch   inbox.Epoch
	outcome uint8
	gone    uint64 // messages that it found expired
	owner   string
	indexed bool
	before  uint32 // tag of the message before
	told    int    // as inbox.Put has it
	err     error  // of this message alone
}

// parsePuts reads the reply about n messages (lua/put.lua). The error is about all of them.
func parsePuts(v any, n int) ([]putReply, error) {
	list, ok := v.([]any)
	if !ok || len(list) != 2*n+1 {
		return nil, fmt.Errorf("redisinbox: a reply about %d messages is %T of %d, want %d", n, v, len(list), 2*n+1)
	}
	took, ok := list[2*n].([]any)
	if !ok {
		return nil, fmt.Errorf("redisinbox: a reply about %d messages ends with %T, want how many were told", n, list[2*n])
	}
	all := make([]putReply, n)
	for i := range all {
		numbers, ok := list[2*i].(string)
		if !ok {
			all[i].parse(list[2*i])
			continue
		}
		rest, _ := list[2*i+1].(string)
		all[i].parseStored(numbers, rest, took)
	}
	return all, nil
}

// parseStored reads what is said of a message that is stored. took is how many took the notices of each node.
func (p *putReply) parseStored(numbers, rest string, took []any) {
	if len(numbers) < 15 || len(rest) < 6 {
		p.err = fmt.Errorf("%w: %w: %d and %d bytes about a message", inbox.ErrFailed, errReply, len(numbers), len(rest))
		return
	}
	epoch, ok := inbox.ParseEpoch([]byte(numbers[15:]))
	if !ok || int(numbers[14]) != len(numbers)-15 {
		p.err = fmt.Errorf("%w: %w: %q is not the name of a stream", inbox.ErrFailed, errReply, numbers[15:])
		return
	}
	var n [16]byte // the number has six bytes, and then come four and four
	copy(n[2:], numbers[:10])
	copy(n[12:], rest[:4])
	p.verdict, p.epoch, p.before, p.indexed, p.owner = inbox.Stored, epoch, beUint32(numbers[10:]), rest[4] == 1, rest[6:]
	p.seq, p.fence, p.gone = binary.BigEndian.Uint64(n[:]), binary.BigEndian.Uint32(n[8:]), uint64(binary.BigEndian.Uint32(n[12:]))
	if at := int(rest[5]); at > 0 && at <= len(took) {
		if n, _ := took[at-1].(int64); n >= 0 {
			p.told = 1 + int(n)
		}
	}
}

// parse reads what is said of a message that is not stored.
func (p *putReply) parse(v any) {
	f, word := open(v)
	switch word {
	case "unknown":
		p.verdict = inbox.Unknown
	case "limited":
		p.verdict = inbox.Limited
	case "full":
		p.verdict = inbox.Full
		_, _, _, p.gone = f.number(), f.number(), f.text(), f.number()
	case "duplicate":
		p.verdict = inbox.Duplicate
		p.seq, p.fence, p.epoch = f.number(), uint32(f.number()), f.epoch()
		f.number()
		p.owner, p.outcome = f.text(), f.digit()
	case "failed":
		_, _ = f.number(), f.number()
		if why := f.text(); f.err == nil {
			p.err = refusal(why, errors.New(why))
			return
		}
	default:
		f.bad("a verdict", word)
	}
	if f.err != nil {
		*p = putReply{err: fmt.Errorf("%w: %w", inbox.ErrFailed, f.err)}
	}
}

// openReply is the reply of the script open.
type openReply struct {
	inbox.Opened
	tag     uint32
	acked   uint64
	gone    uint64
	indexed bool
	topics  []string
	bodies  []string
	claim   []string // what presence has answered
}

func parseOpen(v any) (o openReply, err error) {
	f, word := open(v)
	switch word {
	case "devices":
		return o, inbox.ErrDevices
	case "open":
		o.Fence, o.Epoch, o.Last, o.Acked = uint32(f.number()), f.epoch(), f.number(), f.number()
		o.Resumed, o.From, o.tag = f.number() == 1, f.number(), f.tag()
		o.acked, o.gone, o.indexed = f.number(), f.number(), f.text() == "1"
		o.topics, o.bodies, o.claim = f.texts(), f.texts(), f.texts()
	default:
		f.bad("open", word)
	}
	return o, f.err
}

// state is where a stream stands for a session.
type state uint8

const (
	stateBad   state = iota
	stateIs          // as it should be
	stateStale       // the session is not the device's last one
	stateLost        // the history is not the one that was seen
)

func parseState(word string) state {
	switch word {
	case "is", "acked":
		return stateIs
	case "stale":
		return stateStale
	case "lost":
		return stateLost
	}
	return stateBad
}

// ackReply is the reply of the script ack.
type ackReply struct {
	state  state
	acked  uint64
	gone   uint64
	bodies []string
}

func parseAck(v any) (a ackReply, err error) {
	f, word := open(v)
	if word == "failed" {
		return a, fmt.Errorf("%w: %w: %s", inbox.ErrFailed, errRefused, f.text())
	}
	switch a.state = parseState(word); a.state {
	case stateIs:
		a.acked, a.gone, a.bodies = f.number(), f.number(), f.texts()
	case stateBad:
		f.bad("what became of an acknowledgement", word)
	}
	return a, f.err
}

// fetchReply is the reply of the scripts fetch and, without skip and items, look.
type fetchReply struct {
	state state
	last  uint64
	tag   uint32
	skip  uint64
	first uint64 // number of the first item, 0 when there is none
	items []string
}

func parseFetch(v any, items bool) (r fetchReply, err error) {
	f, word := open(v)
	switch r.state = parseState(word); {
	case r.state == stateBad:
		f.bad("where the stream stands", word)
	case r.state == stateIs:
		r.last, r.tag = f.number(), f.tag()
		if items {
			r.skip, r.first, r.items = f.number(), f.number(), f.texts()
		}
	}
	return r, f.err
}

// infoReply is the reply of the script lookup.
type infoReply struct {
	inbox.Info
	known bool
	gone  uint64
}

func parseInfo(v any) (i infoReply, err error) {
	f, word := open(v)
	switch word {
	case "unknown":
	case "is":
		i.known = true
		i.Epoch, i.Last, i.Acked = f.epoch(), f.number(), f.number()
		i.Messages, i.Bytes, i.gone = int(f.number()), int(f.number()), f.number()
		i.Topics = f.texts()
	default:
		f.bad("a device", word)
	}
	return i, f.err
}
