package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"roost/poller"
	"roost/server/ws"
)

// This is roost's protocol as a device speaks it, written by its description
// and not by the server's code, so that one checks the other.

// devices reports whether the connections are devices of a roost node.
func (s *swarm) devices() bool { return !s.opt.Peer && s.opt.Mode != ModeEcho }

// deviceName returns the id of a device: lg-000001 and on, or the one that
// listen mode was given.
func (s *swarm) deviceName(id uint32) string {
	if s.opt.Mode == ModeListen {
		return s.opt.Device
	}
	return fmt.Sprintf("%s%06d", s.opt.Device, id+1)
}

// opCode is the frame type of what a device says.
func (s *swarm) opCode() ws.OpCode {
	if s.devices() && s.opt.Protocol == "bin" {
		return ws.OpBinary
	}
	return ws.OpText
}

var errGreeting = errors.New("the first message is not a welcome: is it a roost?")

// greeting takes one of the frames that a connection gets unasked; a device's
// is the welcome.
func (c *client) greeting(pc poller.Conn, st *connState, ev *ws.Event) {
	if c.s.devices() {
		beat, ok := welcomeBeat(ev.Payload)
		if !ok {
			c.abandon(pc, st, errGreeting)
			return
		}
		st.beat = beat
	}
	if st.hello--; st.hello == 0 {
		c.ready(pc, st)
	}
	if p, ok := c.role.(*printer); ok {
		p.print(ev)
	}
}

// welcomeBeat finds the interval of heartbeats, in ms, in a welcome: the same
// JSON in both forms of the protocol.
func welcomeBeat(msg []byte) (beat uint32, ok bool) {
	if !bytes.HasPrefix(msg, []byte(`{"t":"welcome"`)) && !bytes.HasPrefix(msg, []byte("\x01{")) {
		return 0, false
	}
	_, rest, ok := bytes.Cut(msg, []byte(`"hb":`))
	end := bytes.IndexAny(rest, ",}")
	if !ok || end < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 32)
	return uint32(n), err == nil
}

// startHeartbeats arms the first one at a random time within the interval, or
// all that connected together would come together for ever.
func (c *client) startHeartbeats(pc poller.Conn, st *connState) {
	if st.beat == 0 {
		pc.SetDeadline(0)
		return
	}
	jitter := rand.N(time.Duration(st.beat) * time.Millisecond)
	pc.SetDeadline(max(jitter, time.Millisecond))
}

// heartbeat sends one.
func (c *client) heartbeat(pc poller.Conn, st *connState) {
	msg := []byte(`{"t":"hb"}`)
	if c.s.opt.Protocol == "bin" {
		msg = []byte{0}
	}
	c.out = ws.AppendMasked(c.out[:0], c.s.opCode(), c.mask(), msg)
	pc.Write(c.out, poller.Reliable)
	c.n.heartbeats.Add(1)
	pc.SetDeadline(time.Duration(st.beat) * time.Millisecond)
}

// deviceMessage counts a message that is not part of the load.
func (c *client) deviceMessage(ev *ws.Event) {
	b := ev.Payload
	switch {
	case bytes.HasPrefix(b, []byte(`{"t":"hb"`)) || c.s.opt.Protocol == "bin" && len(b) > 0 && b[0]&31 == 0:
		c.n.answers.Add(1)
	case bytes.HasPrefix(b, []byte(`{"t":"err"`)) || c.s.opt.Protocol == "bin" && len(b) > 0 && b[0]&31 == 8:
		c.n.serverErrors.Add(1)
	default:
		c.n.unexpected.Add(1)
	}
}

// resting is the role of connections that do nothing.
type resting struct{}

func (resting) ready(poller.Conn, *connState)                   {}
func (resting) message(poller.Conn, *connState, *ws.Event) bool { return false }
func (resting) turn()                                           {}
