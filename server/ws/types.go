package ws

import gobwas "github.com/gobwas/ws"

// OpCode is the frame type of RFC 6455, 5.2 (four bits).
type OpCode = gobwas.OpCode

// Header is one decoded frame header (RFC 6455, 5.2). Length is in bytes; Rsv
// holds RSV1..RSV3 as bits 2..0, see RSV1.
type Header = gobwas.Header

// StatusCode is a close code (RFC 6455, 7.4).
type StatusCode = gobwas.StatusCode

// Frame types of RFC 6455, 11.8. All others are reserved and refused.
const (
	OpContinuation = gobwas.OpContinuation
	OpText         = gobwas.OpText
	OpBinary       = gobwas.OpBinary
	OpClose        = gobwas.OpClose
	OpPing         = gobwas.OpPing
	OpPong         = gobwas.OpPong
)

// Close codes of RFC 6455, 7.4.1 and the IANA registry. NoStatus stands for
// "the close frame carried no code" and is never sent (7.1.5).
const (
	StatusNormal          StatusCode = 1000
	StatusGoingAway       StatusCode = 1001
	StatusProtocolError   StatusCode = 1002
	StatusUnsupported     StatusCode = 1003
	StatusNoStatus        StatusCode = 1005
	StatusAbnormal        StatusCode = 1006
	StatusInvalidData     StatusCode = 1007
	StatusPolicyViolation StatusCode = 1008
	StatusTooBig          StatusCode = 1009
	StatusMandatoryExt    StatusCode = 1010
	StatusInternalError   StatusCode = 1011
	StatusServiceRestart  StatusCode = 1012
	StatusTryAgainLater   StatusCode = 1013
	StatusBadGateway      StatusCode = 1014
	StatusTLSHandshake    StatusCode = 1015
)

// RSV1 is the Header.Rsv value of the first frame of a compressed message
// (RFC 7692, 6).
const RSV1 byte = 4

// MaxControl is the largest payload of a control frame in bytes (RFC 6455, 5.5).
const MaxControl = 125

// MaxReason is the largest close reason in bytes: MaxControl without the code.
const MaxReason = MaxControl - 2

// DefaultLimit is what a zero field of Limits stands for: 64 KiB.
const DefaultLimit = 64 << 10

// Role says which side WE are on a connection.
type Role uint8

// The two sides. A Server demands masked frames and sends unmasked ones; a
// Client the reverse (RFC 6455, 5.1).
const (
	Server Role = iota
	Client
)

// Limits bound what one connection may make us hold, in bytes. Zero means
// DefaultLimit; there is no "unlimited". Control frames are bounded by
// MaxControl alone.
type Limits struct {
	Frame    int // payload of one data frame; above: ErrFrameTooBig
	Message  int // payload of a whole message as it is on the wire; above: ErrMessageTooBig
	Inflated int // payload of a compressed message once inflated; above: ErrInflatedTooBig
}

func (l Limits) frame() int    { return orDefault(l.Frame) }
func (l Limits) message() int  { return orDefault(l.Message) }
func (l Limits) inflated() int { return orDefault(l.Inflated) }

func orDefault(n int) int {
	if n <= 0 {
		return DefaultLimit
	}
	return n
}

// Config is what parsers of the same kind share: one per loop and combination
// of Role, Limits and Deflate. Read only once in use.
type Config struct {
	Role
	Limits
	Deflate  bool      // permessage-deflate was agreed on this connection
	Buffers  Buffers   // nil: the heap
	Inflater *Inflater // needed if Deflate; shared by the loop
}

// Kind is the type of an Event.
type Kind uint8

// What Parser.Next can report. Short means that all input was consumed and
// nothing whole came out of it.
const (
	Short Kind = iota
	Text
	Binary
	Ping
	Pong
	Close
)

// String names k for logs and test failures.
func (k Kind) String() string {
	switch k {
	case Short:
		return "short"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Close:
		return "close"
	}
	return "unknown"
}

// Event is one whole message or control frame. Payload and Reason are valid
// until the next call of Next, Release or Reset on the parser, and no longer
// than the input given to Next.
type Event struct {
	Kind    Kind
	Code    StatusCode // Close only; StatusNoStatus if the frame was empty
	Payload []byte     // unmasked, inflated; for Close the code and the reason
	Reason  []byte     // Close only: the part of Payload behind the code, valid UTF-8
}
