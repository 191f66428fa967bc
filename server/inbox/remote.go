package inbox

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strconv"
)

// This file is what a store in another package needs: one whose truth is on a server
// that several nodes share.

// Why sessions end without their connection knowing.
var (
	// ErrOvertaken: the device has connected elsewhere since.
	ErrOvertaken = errors.New("inbox: the device has a later session")
	// ErrHistory: the store has lost what the device was given. It has a new stream, which
	// it learns of when it connects again.
	ErrHistory = errors.New("inbox: the store has lost a part of the device's history")
)

// Blocking is a Store whose Open may wait for a server: it is called where waiting
// holds nobody up, not on an event loop.
type Blocking interface {
	// Blocking says so.
	Blocking()
}

// Leaver is a Store that keeps something for connected devices only.
type Leaver interface {
	// Leave says that the session is over. It never waits; late calls, with the
	// fence of an earlier session, do nothing.
	Leave(ref Ref, fence uint32)
}

// Notice is what another node says about a message that it has stored.
type Notice struct {
	// Set by whoever has stored it.
	Device []byte
	Epoch  []byte // name of the device's stream
	Fence  uint32 // Put.Fence: of the device's last session
	Seq    uint64 // Put.Seq; 0 is not known: the store is asked
	Tag    uint32 // Put.Tag
	Before uint32 // Put.Before
	// Message may be the message itself, so that it need not be fetched where it is what
	// the device gets next; valid during the call. The Noticer takes it out where that is not certain.
	Message *Message

	// Set by the Noticer: Put.Life of the device here, for those who wait for its
	// acknowledgement; 0 when it has another stream, so that its numbers say nothing.
	Life uint32
}

// Noticer is a Store that other nodes put into as well.
type Noticer interface {
	// Noticed takes what another node has stored. It returns the device's number, 0
	// when it is not connected here, and whether its lane has to Look. It never
	// waits.
	Noticed(n *Notice) (ref Ref, look bool)
}

// Defaults returns l with its zero fields set.
func (l Limits) Defaults() Limits { return l.withDefaults() }

// AppendContent appends the message as it is kept: ParseContent reads it.
func (m *Message) AppendContent(dst []byte) []byte { return m.appendContent(dst) }

// ContentSize returns how many bytes AppendContent appends: what counts against
// Limits.
func (m *Message) ContentSize() int { return m.contentSize() }

// ParseContent is the inverse of AppendContent; the message refers to b. The error
// says that b is not a message.
func (m *Message) ParseContent(b []byte) error { return m.parseContent(b) }

// NewBody names the body of a spread message in a store that numbers them itself, from
// 1 on.
func NewBody(serial uint32) Body { return Body{index: 1, serial: serial} }

// Serial returns the number given to NewBody.
func (b Body) Serial() uint32 { return b.serial }

// RandomEpoch returns an epoch that nobody else has, but for once in 2^39.
func RandomEpoch() Epoch {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return Epoch{store: binary.LittleEndian.Uint64(b[:]) & (1<<storeBits - 1), era: 1}
}

// ProvisionalEpoch returns a name for what a device has of its stream when nobody can be asked for that one: nothing. It
// is the name of no stream, and nobody else has it, but for once in 2^39.
func ProvisionalEpoch() Epoch {
	e := RandomEpoch()
	e.era = 0 // those of streams are above
	return e
}

// Provisional reports whether the epoch is a ProvisionalEpoch.
func (e Epoch) Provisional() bool { return e.era == 0 }

// ParseEpoch is the inverse of Epoch.Append; it reports false for what Append does
// not write.
func ParseEpoch(name []byte) (Epoch, bool) {
	a, b, _ := bytes.Cut(name, []byte{'.'})
	store, err1 := strconv.ParseUint(string(a), 36, storeBits)
	era, err2 := strconv.ParseUint(string(b), 36, 32)
	e := Epoch{store: store, era: uint32(era)}
	return e, err1 == nil && err2 == nil && e.Is(name)
}
