package ws

import "errors"

// ErrShort reports that a handshake head is not whole yet: call again with the
// same bytes and more.
var ErrShort = errors.New("ws: head is not whole")

// ProtocolError is the breach of one rule by the peer. Code is what a close
// frame should carry (see CloseFor). The sentinels below are compared by
// identity (errors.Is).
type ProtocolError struct {
	Code StatusCode
	Text string
}

// Error returns Text, which fits a close reason (at most MaxReason bytes).
func (e *ProtocolError) Error() string { return e.Text }

// Errors of the frame header, in the order in which its bytes reveal them.
var (
	// ErrReservedOpcode: opcodes 3-7 and 11-15 (RFC 6455, 5.2).
	ErrReservedOpcode = &ProtocolError{StatusProtocolError, "reserved opcode"}
	// ErrReservedBits: RSV2 or RSV3, or RSV1 without permessage-deflate or on
	// anything but the first frame of a message (RFC 6455, 5.2; RFC 7692, 6).
	ErrReservedBits = &ProtocolError{StatusProtocolError, "reserved bit set"}
	// ErrFragmentedControl: a control frame without FIN (RFC 6455, 5.5).
	ErrFragmentedControl = &ProtocolError{StatusProtocolError, "fragmented control frame"}
	// ErrUnexpectedContinuation: nothing to continue (RFC 6455, 5.4).
	ErrUnexpectedContinuation = &ProtocolError{StatusProtocolError, "continuation without a message"}
	// ErrExpectedContinuation: a new data frame inside a message (RFC 6455, 5.4).
	ErrExpectedContinuation = &ProtocolError{StatusProtocolError, "new message inside a fragmented one"}
	// ErrUnmasked: a client's frame must be masked (RFC 6455, 5.1).
	ErrUnmasked = &ProtocolError{StatusProtocolError, "unmasked client frame"}
	// ErrMasked: a server's frame must not be masked (RFC 6455, 5.1).
	ErrMasked = &ProtocolError{StatusProtocolError, "masked server frame"}
	// ErrLongControl: a control payload above 125 bytes (RFC 6455, 5.5).
	ErrLongControl = &ProtocolError{StatusProtocolError, "control frame above 125 bytes"}
	// ErrShortClose: a close payload of one byte (RFC 6455, 5.5.1).
	ErrShortClose = &ProtocolError{StatusProtocolError, "close payload of one byte"}
	// ErrLengthOverflow: a 64-bit length with its top bit set (RFC 6455, 5.2).
	ErrLengthOverflow = &ProtocolError{StatusProtocolError, "frame length has its top bit set"}
	// ErrNonMinimalLength: a length in more bytes than needed (RFC 6455, 5.2).
	ErrNonMinimalLength = &ProtocolError{StatusProtocolError, "frame length is not minimal"}
	// ErrFrameTooBig: above Limits.Frame (RFC 6455, 7.4.1 and 10.4).
	ErrFrameTooBig = &ProtocolError{StatusTooBig, "frame too big"}
	// ErrMessageTooBig: above Limits.Message (RFC 6455, 7.4.1 and 10.4).
	ErrMessageTooBig = &ProtocolError{StatusTooBig, "message too big"}
)

// Errors of the payload.
var (
	// ErrInvalidUTF8: a text message is not UTF-8 (RFC 6455, 8.1).
	ErrInvalidUTF8 = &ProtocolError{StatusInvalidData, "text is not UTF-8"}
	// ErrInvalidReason: a close reason is not UTF-8 (RFC 6455, 5.5.1 and 8.1).
	ErrInvalidReason = &ProtocolError{StatusInvalidData, "close reason is not UTF-8"}
	// ErrInvalidCloseCode: see ValidCloseCode (RFC 6455, 7.4).
	ErrInvalidCloseCode = &ProtocolError{StatusProtocolError, "invalid close code"}
	// ErrBadDeflate: the payload of a compressed message is not DEFLATE data
	// (RFC 7692, 7.2.2). 1007, "data not consistent with the type of the
	// message", since the framing itself was right.
	ErrBadDeflate = &ProtocolError{StatusInvalidData, "invalid compressed data"}
	// ErrInflatedTooBig: above Limits.Inflated (RFC 6455, 7.4.1; RFC 7692, 8).
	ErrInflatedTooBig = &ProtocolError{StatusTooBig, "inflated message too big"}
)

// ErrReleased is what a Parser answers when Release dropped a partial frame or
// message: the bytes that follow have no meaning.
var ErrReleased = &ProtocolError{StatusInternalError, "parser released in the middle of a message"}
