package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"roost/poller"
	device "roost/server/client"
	"roost/server/wire"
	"roost/server/ws"
)

// Devices keep roost's protocol by server/client: each has a Session of 176
// bytes, which outlives its connections, and these loops are its driver. What a
// role knows better (a live broadcast, compared byte for byte) it takes before
// the session sees it; sessions need no more than what they asked for.

// devices reports whether the connections are devices of a roost node.
func (s *swarm) devices() bool { return !s.opt.Peer && s.opt.Mode != ModeEcho }

// deviceName returns the id of a device: lg-000001 and on.
func (s *swarm) deviceName(id uint32) string { return fmt.Sprintf("%s%06d", s.opt.Device, id+1) }

// local returns the number of a connection among those of its loop.
func (c *client) local(id uint32) uint32 { return id / uint32(len(c.s.clients)) }

// session returns the session of a device.
func (c *client) session(st *connState) *device.Session { return c.sessions.At(c.local(st.id)) }

// since returns the time as sessions count it.
func (c *client) since() time.Duration { return time.Duration(c.now()) }

// opCode is the frame type of what a device says.
func (s *swarm) opCode() ws.OpCode {
	if s.devices() && s.format == wire.Binary {
		return ws.OpBinary
	}
	return ws.OpText
}

var (
	errGreeting = errors.New("the first message is not a welcome: is it a roost?")
	errForm     = errors.New("a message of the other form: text for binary or the reverse")
)

// deviceMessage has the session judge a message and does what comes of it.
func (c *client) deviceMessage(pc poller.Conn, st *connState, ev *ws.Event) {
	if (ev.Kind == ws.Binary) != (c.s.format == wire.Binary) {
		c.abandon(pc, st, errForm)
		return
	}
	s, now := c.session(st), c.since()
	if st.stage == stageReady && st.conn != s.Current() {
		return // it was replaced, and the node will close it
	}
	e := s.OnMessage(st.conn, now, ev.Payload, &c.down)
	switch e.Kind {
	case device.Welcome:
		c.ready(pc, st)
	case device.Deliver:
		kept := c.down.Message.Seq != 0
		if !c.role.deliver(st, &c.down.Message) {
			c.n.unexpected.Add(1)
		}
		s.Handled(now)
		if kept {
			c.owe(pc, st, now)
		}
	case device.Skipped:
		c.n.skipped.Add(1)
		c.owe(pc, st, now)
	case device.Nothing: // perhaps a repeat, which is acknowledged again
		if c.down.Op == wire.OpMessage {
			c.n.repeats.Add(1)
			c.owe(pc, st, now)
		}
	case device.Beat:
		c.n.answers.Add(1)
	case device.Refused:
		c.n.serverErrors.Add(1)
	case device.Away:
		c.arm(pc, st, now) // its slot may be the next thing that is due
	case device.Dropped:
		why := e.Next.Err
		if errors.Is(why, device.ErrWelcome) {
			why = errGreeting
		}
		c.giveUp(pc, st, why)
	}
}

// giveUp closes a connection that the session has left, as one that means to
// come back does.
func (c *client) giveUp(pc poller.Conn, st *connState, why error) {
	c.out = ws.AppendMaskedClose(c.out[:0], c.mask(), ws.StatusCode(device.CloseBack), "")
	pc.Write(c.out, poller.Control)
	c.over(st, why)
	pc.Finish(why)
}

// timerTick is how late Handler.Timeout may come.
const timerTick = 125 * time.Millisecond

// owe takes note that there is something to acknowledge, at once or soon.
func (c *client) owe(pc poller.Conn, st *connState, now time.Duration) {
	if c.session(st).NextDeadline() <= now {
		c.speak(pc, st, now)
		return
	}
	if st.owes {
		return
	}
	st.owes = true
	c.n.owed.Add(1)
	if c.keeper != nil {
		c.keeper.later(pc, now)
		return
	}
	c.arm(pc, st, now)
}

// arm sets the connection's timer to what its session wants next. Timers are
// late by a tick at most; what is owed may come early instead.
func (c *client) arm(pc poller.Conn, st *connState, now time.Duration) {
	d := c.session(st).NextDeadline() - now
	if st.owes {
		d -= timerTick
	}
	pc.SetDeadline(max(d, time.Millisecond))
}

// deviceTime is the connection's timer: a heartbeat, an acknowledgement, or the
// end of patience with a node that says nothing.
func (c *client) deviceTime(pc poller.Conn, st *connState) {
	now := c.since()
	if st.conn != c.session(st).Current() {
		pc.SetDeadline(0)
		return
	}
	if st.slow { // it does not read, so it cannot hear that the node is there
		c.session(st).Heard(st.conn, now)
	}
	c.speak(pc, st, now)
	if st.stage == stageReady {
		c.arm(pc, st, now)
	}
}

// speak says what is due, or owed; nothing on a connection that was replaced.
func (c *client) speak(pc poller.Conn, st *connState, now time.Duration) {
	s := c.session(st)
	if st.conn != s.Current() {
		c.settled(st)
		return
	}
	out, next := s.OnTime(now, c.text[:0])
	if next.Drop != 0 {
		c.giveUp(pc, st, next.Err)
		return
	}
	if next.Do == device.Reconnect && c.keeper != nil {
		c.redial(c.local(st.id)) // this connection stays until it is replaced
	}
	if len(out) == 0 && st.owes {
		out = s.AppendAck(out)
	}
	if c.text = out; len(out) == 0 {
		return
	}
	c.settled(st)
	if isBeat(c.s.format, out) {
		c.n.heartbeats.Add(1)
	} else {
		c.n.acks.Add(1)
	}
	c.out = ws.AppendMasked(c.out[:0], c.s.opCode(), c.mask(), out)
	pc.Write(c.out, poller.Reliable)
	if c.keeper != nil {
		c.keeper.said(st)
	}
}

// settled takes note that nothing is owed any more.
func (c *client) settled(st *connState) {
	if st.owes {
		st.owes = false
		c.n.paid.Add(1)
	}
}

// isBeat tells the two things that a session says by itself apart.
func isBeat(f wire.Format, msg []byte) bool {
	if f == wire.Binary {
		return wire.Op(msg[0]&31) == wire.OpHeartbeat
	}
	return bytes.HasPrefix(msg, []byte(`{"t":"hb"`))
}

// sessionOver tells the session how its connection ended.
func (c *client) sessionOver(st *connState, stage uint8, why error) {
	s, now := c.session(st), c.since()
	c.settled(st)
	var closed *closeError
	var refused *statusError
	switch {
	case errors.As(why, &closed):
		s.OnClosed(st.conn, now, uint16(closed.code), closed.reason)
	case errors.As(why, &refused):
		s.OnDialFailed(st.conn, now, refused.after)
	case stage != stageReady:
		s.OnDialFailed(st.conn, now, 0)
	default:
		s.OnLost(st.conn, now)
	}
	if c.keeper != nil && !c.ending && !s.Stopped() {
		c.keeper.comeBack(c.local(st.id))
	}
}

// resting is the role of connections that do nothing.
type resting struct{}

func (resting) ready(poller.Conn, *connState)                   {}
func (resting) message(poller.Conn, *connState, *ws.Event) bool { return false }
func (resting) deliver(*connState, *wire.Message) bool          { return false }
func (resting) turn()                                           {}
