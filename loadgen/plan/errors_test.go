package plan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

// On one goroutine: of net it has the types of errors.

func TestClassifyAndAdvice(t *testing.T) {
	call := func(name string, e syscall.Errno) error {
		return fmt.Errorf("poller: dial 10.0.0.9:80: %w", &os.SyscallError{Syscall: name, Err: e})
	}
	for _, c := range []struct {
		stage  string
		err    error
		class  string
		text   string
		advice string // part of it
	}{
		{StageDial, call("connect", syscall.EADDRNOTAVAIL), "EADDRNOTAVAIL", "connect: cannot assign requested address", "no source port"},
		{StageDial, call("bind", syscall.EADDRNOTAVAIL), "EADDRNOTAVAIL", "bind: cannot assign requested address", "ip addr add"},
		{StageDial, call("connect", syscall.EADDRINUSE), "EADDRINUSE", "connect: address already in use", "port_range"},
		{StageDial, call("connect", syscall.ECONNREFUSED), "ECONNREFUSED", "connect: connection refused", "nobody listens"},
		{StageDial, call("socket", syscall.EMFILE), "EMFILE", "socket: too many open files", "ulimit -n"},
		{StageDial, call("socket", syscall.ENFILE), "ENFILE", "socket: too many open files in system", "fs.file-max"},
		{StageDial, call("connect", syscall.ENETUNREACH), "ENETUNREACH", "connect: network is unreachable", "route"},
		{StageDial, call("connect", syscall.EHOSTUNREACH), "EHOSTUNREACH", "connect: no route to host", "host"},
		{StageDial, call("connect", syscall.ENOBUFS), "ENOBUFS", "connect: no buffer space available", "tcp_mem"},
		{StageDial, call("connect", syscall.ENOMEM), "ENOMEM", "connect: cannot allocate memory", "memory"},
		{StageDial, call("connect", syscall.EACCES), "EACCES", "connect: permission denied", "firewall"},
		{StageDial, call("connect", syscall.EPERM), "EPERM", "connect: operation not permitted", "nf_conntrack_max"},
		{StageDial, call("connect", syscall.ETIMEDOUT), "ETIMEDOUT", "connect: connection timed out", "SYN"},
		{StageOpen, syscall.ETIMEDOUT, "ETIMEDOUT", "connection timed out", "acknowledges"},
		{StageDial, syscall.ECONNRESET, "ECONNRESET", "connection reset by peer", "accept queue"},
		{StageOpen, syscall.ECONNRESET, "ECONNRESET", "connection reset by peer", "4102"},
		{StageGreeting, syscall.ECONNRESET, "ECONNRESET", "connection reset by peer", "log"},
		{StageOpen, syscall.EPIPE, "EPIPE", "broken pipe", "closed already"},
		{StageDial, syscall.EXDEV, "errno 18", "invalid cross-device link", ""},
		{StageDial, errors.New("at the cap of 5 connections"), "other", "at the cap of 5 connections", ""},
		{StageDial, fmt.Errorf("client 5: %w", ErrTimeout), "timeout", "no answer in time", "accept"},
		{StageUpgrade, os.ErrDeadlineExceeded, "timeout", "no answer in time", "upgrade"},
		{StageGreeting, context.DeadlineExceeded, "timeout", "no answer in time", "dialect"},
		{StagePublish, &net.DNSError{IsTimeout: true}, "timeout", "no answer in time", "API"},
		{StageOpen, ErrTimeout, "timeout", "no answer in time", "CPU"},
		{StageUpgrade, io.EOF, "EOF", "the peer ended the connection without a close frame", "instead of answering"},
		{StageOpen, io.ErrUnexpectedEOF, "EOF", "the peer ended the connection without a close frame", "killed"},
		{StagePublish, io.EOF, "EOF", "the peer ended the connection without a close frame", "log"},
		{StageUpgrade, &StatusError{503, "full"}, "HTTP 503", "full", "limits"},
		{StageUpgrade, &StatusError{418, ""}, "HTTP 418", "", "refuses"},
		{StagePublish, &StatusError{599, "x\ny"}, "HTTP 599", "x y", "fails"},
		{StageUpgrade, &StatusError{302, ""}, "HTTP 302", "", "redirects"},
		{StageUpgrade, &StatusError{200, "OK"}, "HTTP 200", "OK", "no upgrade"},
		{StageUpgrade, &StatusError{99, ""}, "HTTP 99", "", ""},
		{StageOpen, &CloseError{4101, "no room"}, "close 4101", "no room", "full"},
		{StageOpen, &CloseError{4199, ""}, "close 4199", "", "later"},
		{StageOpen, &CloseError{4900, ""}, "close 4900", "", ""},
		{StageOpen, &CloseError{1006, ""}, "close 1006", "", ""},
		{StageGreeting, errors.New("welcome without a session"), "protocol", "welcome without a session", "target.dialect"},
		{StageUpgrade, errors.New("ws: malformed status line"), "protocol", "ws: malformed status line", "URL"},
		{StageOpen, nil, "other", "no error", ""},
	} {
		class, text := Classify(c.stage, c.err)
		if class != c.class || text != c.text {
			t.Errorf("%s: %v: got %q, %q; want %q, %q", c.stage, c.err, class, text, c.class, c.text)
		}
		if got := Advice(c.stage, class, text); !strings.Contains(got, c.advice) || (got == "") != (c.advice == "") {
			t.Errorf("%s: %v: advice %q, want %q", c.stage, c.err, got, c.advice)
		}
	}
}

// TestEveryErrnoHasAdvice: those with a name can be helped, but for two that
// only mean "not now".
func TestEveryErrnoHasAdvice(t *testing.T) {
	for errno, name := range errnoNames {
		if errno == syscall.EAGAIN || errno == syscall.ECONNABORTED || errno == syscall.EPROTO {
			continue
		}
		if Advice(StageDial, name, "connect: "+errno.Error()) == "" {
			t.Errorf("%s: no advice", name)
		}
	}
}

// TestErrorTextIsBounded: whatever a peer says, the text is one short line.
func TestErrorTextIsBounded(t *testing.T) {
	for _, s := range []string{strings.Repeat("x", 500), strings.Repeat("ä", 200), "\x1b[31mred\x07\n\tand\xff more", ""} {
		_, text := Classify(StageOpen, &CloseError{4000, s})
		if len(text) > maxErrorText || !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\x07\n\t") {
			t.Errorf("%q became %q", s, text)
		}
	}
	if (&CloseError{4000, ""}).Error() != "close 4000" || (&StatusError{500, "x"}).Error() != "HTTP 500 x" {
		t.Error("errors do not say what they are")
	}
}
