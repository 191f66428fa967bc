package fanout

import (
	"errors"
	"fmt"
)

// Bounds of an envelope.
const (
	// MaxPayload is the largest payload in bytes.
	MaxPayload = 1 << 20
	// MaxEnvelope is the largest envelope in bytes, payload included.
	MaxEnvelope = MaxPayload + 4<<10
	// MaxName bounds origin, device, epoch, channel and message id, in bytes.
	MaxName = 255
	// MaxHop is how often a message may be sent on: from its origin to the owner or
	// candidate, and from there to where the device was last seen. After that it
	// waits in its inbox.
	MaxHop = 2
	// TraceSize is the length of a W3C traceparent.
	TraceSize = 55
)

// Errors of encoding and decoding; the text around them says which field.
var (
	// ErrMalformed: the bytes are no envelope.
	ErrMalformed = errors.New("fanout: malformed envelope")
	// ErrNewer: the envelope is of a version that this one cannot read.
	ErrNewer = errors.New("fanout: envelope of a newer version")
	// ErrTooLarge: a field or the whole is larger than its bound.
	ErrTooLarge = errors.New("fanout: too large")
)

// Kind says what an envelope is for.
type Kind uint8

// Kinds. A number is never used for something else.
const (
	// KindPublish asks the receiver to publish: nothing has been stored.
	KindPublish Kind = 1
	// KindForward carries one kept message that is stored already, to the node where its
	// device is.
	KindForward Kind = 2
	// KindLive carries a live message for a device, a topic or all.
	KindLive Kind = 3
	// KindLatest carries the new latest value of a topic.
	KindLatest Kind = 4
	// KindTopic carries a kept message to a topic or to all, whose body is stored once.
	KindTopic Kind = 5
	// KindNotice says that a device's inbox has come to Seq, without the message.
	KindNotice Kind = 6
	// KindResult carries results, for Requests; see AppendResult.
	KindResult Kind = 7
	// KindControl asks the receiver to do something to a device's connection: close it with
	// Code, move it away, forget it.
	KindControl Kind = 8

	// kindHello is the bus's own: a probe to the node's own channel. ID counts
	// probes, Fence is the instance.
	kindHello Kind = 9
	// kindStored is the bus's own, too: notices of a store to one node; see StoredLua. 10 was another form of it.
	kindStored Kind = 11
	lastKind        = kindStored
)

// String names a kind for logs and metrics.
func (k Kind) String() string {
	names := [...]string{"", "publish", "forward", "live", "latest", "topic", "notice", "result", "control", "hello", "pack", "stored"}
	if k == 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return names[k]
}

// Known reports whether this version knows the kind. A bus counts the others and
// hands them to nobody.
func (k Kind) Known() bool { return k >= 1 && k <= lastKind }

// Envelope is one message between nodes. Zero fields are not sent. What a decoded
// one refers to is the decoder's input.
type Envelope struct {
	Kind  Kind
	Hop   uint8  // times that it was sent on; at most MaxHop
	Class uint8  // of the message, in the words of the server
	Raw   bool   // Payload is bytes, not JSON
	Code  uint16 // of KindControl: a close code or an action
	Part  uint32 // place of the answer in its request
	TTL   uint32 // seconds
	Wait  uint32 // ms that the sender waits for the answer, from when it sent
	Tag   uint32 // of a notice: what the store left in the message; of one to many: receivers a second

	// Before is what the store left in the message before that of a notice.
	Before uint32

	ID         uint64 // of a request, or for Dedupe: unique with Origin and Part
	Activation uint64 // of the ring that the sender routed by
	Seq        uint64 // number of the message in its device's stream
	Fence      uint64 // session of the device that is meant
	Deadline   int64  // unix ms after which nobody waits for the answer

	Origin    []byte // node that sent it; a bus fills it in
	Device    []byte
	Epoch     []byte // stream that Seq belongs to
	Trace     []byte // W3C traceparent, 55 bytes or none
	Channel   []byte // topic
	MessageID []byte // idempotency key of the message, which the device sees
	Payload   []byte
}

// bounds names the field that is larger than it may be.
func (e *Envelope) bounds() error {
	for _, f := range [...]struct {
		name string
		b    []byte
	}{{"origin", e.Origin}, {"device", e.Device}, {"epoch", e.Epoch}, {"channel", e.Channel}, {"message id", e.MessageID}} {
		if len(f.b) > MaxName {
			return fmt.Errorf("%w: %s has %d bytes, at most %d may be", ErrTooLarge, f.name, len(f.b), MaxName)
		}
	}
	switch {
	case len(e.Payload) > MaxPayload:
		return fmt.Errorf("%w: the payload has %d bytes, at most %d may be", ErrTooLarge, len(e.Payload), MaxPayload)
	case e.Hop > MaxHop:
		return fmt.Errorf("%w: hop %d, at most %d may be: leave the message in its inbox", ErrTooLarge, e.Hop, MaxHop)
	case len(e.Trace) != 0 && len(e.Trace) != TraceSize:
		return fmt.Errorf("%w: a traceparent of %d bytes, it must have %d", ErrMalformed, len(e.Trace), TraceSize)
	case e.Kind == 0:
		return fmt.Errorf("%w: no kind", ErrMalformed)
	}
	return nil
}
