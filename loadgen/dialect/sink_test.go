package dialect

import (
	"fmt"
	"strings"
	"time"

	"roost/server/ws"
)

// notes is a Sink that writes down what it was told, a line each.
type notes struct {
	lines []string
	over  bool
	after int // calls behind Fail
	ready int
}

func (n *notes) note(format string, args ...any) {
	if n.over {
		n.after++
	}
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *notes) Send(op ws.OpCode, payload []byte) {
	switch op {
	case ws.OpText:
		for line := range strings.SplitSeq(string(payload), "\n") {
			n.note("> %s", line)
		}
	case ws.OpBinary:
		n.note("> hex %x", payload)
	default:
		n.note("> frame %d hex %x", op, payload)
	}
}

func (n *notes) Ready(resumed bool) {
	n.ready++
	n.note("! ready, resumed %v", resumed)
}
func (n *notes) Deliver(payload []byte)     { n.note("! deliver %s", payload) }
func (n *notes) Refused(err error)          { n.note("! refused %v", err) }
func (n *notes) Redial(after time.Duration) { n.note("! redial after %v", after) }
func (n *notes) Replaced()                  { n.note("! replaced") }
func (n *notes) Fail(err error) {
	n.note("! fail %v", err)
	n.over = true
}

// count is a Sink that only counts.
type count struct{ delivered, bytes, sent int }

func (c *count) Send(ws.OpCode, []byte) { c.sent++ }
func (c *count) Ready(bool)             {}
func (c *count) Deliver(p []byte)       { c.delivered++; c.bytes += len(p) }
func (c *count) Refused(error)          {}
func (c *count) Redial(time.Duration)   {}
func (c *count) Replaced()              {}
func (c *count) Fail(err error)         { panic(err) }
