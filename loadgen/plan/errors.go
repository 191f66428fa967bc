package plan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Stages in the life of a connection and of a message, as in tally.ErrorKey.
const (
	StageDial     = "dial"     // until the socket is connected
	StageUpgrade  = "upgrade"  // until the HTTP answer is read
	StageGreeting = "greeting" // until the dialect says that it is ready
	StageOpen     = "open"     // a ready connection
	StagePublish  = "publish"  // a message, until it is accepted
)

// Classes that are no errno, HTTP status or close code.
const (
	ClassTimeout  = "timeout"
	ClassEOF      = "EOF"      // the peer ended it without a close frame
	ClassProtocol = "protocol" // what the peer said makes no sense
	ClassOther    = "other"
)

// ErrTimeout is what took longer than the scenario's timeout.
var ErrTimeout = errors.New("no answer in time")

// StatusError is an HTTP answer that is not the one that was asked for.
type StatusError struct {
	Status int
	Text   string // what the server said about it; may be empty
}

// Error says the status and the text.
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", e.Status, e.Text))
}

// CloseError is a WebSocket close frame.
type CloseError struct {
	Code   uint16 // 1005: it had none
	Reason string
}

// Error says the code and the reason.
func (e *CloseError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("close %d %s", e.Code, e.Reason))
}

// errnoNames are those that have a class of their own. syscall has no names.
var errnoNames = map[syscall.Errno]string{
	syscall.EACCES: "EACCES", syscall.EADDRINUSE: "EADDRINUSE", syscall.EADDRNOTAVAIL: "EADDRNOTAVAIL",
	syscall.EAFNOSUPPORT: "EAFNOSUPPORT", syscall.EAGAIN: "EAGAIN", syscall.ECONNABORTED: "ECONNABORTED",
	syscall.ECONNREFUSED: "ECONNREFUSED", syscall.ECONNRESET: "ECONNRESET", syscall.EHOSTUNREACH: "EHOSTUNREACH",
	syscall.EINVAL: "EINVAL", syscall.EMFILE: "EMFILE", syscall.ENETUNREACH: "ENETUNREACH", syscall.ENFILE: "ENFILE",
	syscall.ENOBUFS: "ENOBUFS", syscall.ENOMEM: "ENOMEM", syscall.ENOPROTOOPT: "ENOPROTOOPT", syscall.ENOSPC: "ENOSPC",
	syscall.EPERM: "EPERM", syscall.EPIPE: "EPIPE", syscall.EPROTO: "EPROTO", syscall.ETIMEDOUT: "ETIMEDOUT",
}

// Local reports whether a class is of errors that are made here, before anything
// has reached the server: this machine, or this process, is out of something.
func Local(class string) bool {
	switch class {
	case "EADDRINUSE", "EADDRNOTAVAIL", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ENOSPC":
		return true
	}
	return false
}

// Classify gives an error of a stage its class, for counting, and a short text.
// The class is the name of an errno, "HTTP 503", "close 4101" or one of the
// Class constants. An error of a kind that is not known is the peer's
// (ClassProtocol) once there is a connection, and ClassOther before.
func Classify(stage string, err error) (class, text string) {
	var (
		errno  syscall.Errno
		status *StatusError
		closed *CloseError
		timed  interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return ClassOther, "no error"
	case errors.As(err, &closed):
		return fmt.Sprintf("close %d", closed.Code), shorten(closed.Reason)
	case errors.As(err, &status):
		return fmt.Sprintf("HTTP %d", status.Status), shorten(status.Text)
	case errors.As(err, &errno):
		name, known := errnoNames[errno]
		if !known {
			name = fmt.Sprintf("errno %d", int(errno))
		}
		return name, shorten(around(err, errno))
	case errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timed) && timed.Timeout():
		return ClassTimeout, ErrTimeout.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ClassEOF, "the peer ended the connection without a close frame"
	case stage == StageDial:
		return ClassOther, shorten(err.Error())
	}
	return ClassProtocol, shorten(err.Error())
}

// around returns what the error right around errno says: it names the system
// call, and further out come addresses, which would make a class of each.
func around(err error, errno syscall.Errno) string {
	text := errno.Error()
	for e := err; e != nil; e = errors.Unwrap(e) {
		if inner := errors.Unwrap(e); inner == error(errno) {
			text = e.Error()
		}
	}
	return text
}

// maxErrorText bounds the text of a class, in bytes.
const maxErrorText = 120

// shorten makes one short line of what a peer may have sent.
func shorten(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x1b {
			return -1
		}
		return r
	}, s)
	if len(s) <= maxErrorText {
		return s
	}
	const more = "..."
	end := maxErrorText - len(more)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}
