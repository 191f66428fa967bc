package server

import (
	"strconv"
	"sync/atomic"

	"roost/poller"
	"roost/server/ws"
)

// Close codes of roost: the hundreds tell the client what to do. 40xx: planned,
// come back with your session. 41xx: back off, keep your session. 42xx: change
// something first. 43xx: do not come back.
const (
	CloseDrain      ws.StatusCode = 4001 // this node is going down
	CloseMoved      ws.StatusCode = 4002 // replaced by your own new connection
	CloseRebalance  ws.StatusCode = 4003 // connect anew, for an operator
	CloseOverloaded ws.StatusCode = 4101 // the node has no room
	CloseSlow       ws.StatusCode = 4102 // the socket took nothing for 10 s
	CloseHeartbeat  ws.StatusCode = 4103 // nothing was heard for 1.5 intervals
	CloseInternal   ws.StatusCode = 4105 // our fault
	CloseProtocol   ws.StatusCode = 4203 // upgrade the client
	CloseForbidden  ws.StatusCode = 4302 // not for you
	CloseTakenOver  ws.StatusCode = 4303 // another client has this device's id
	CloseMalformed  ws.StatusCode = 4304 // the request makes no sense
	CloseRemoved    ws.StatusCode = 4305 // the device was removed
)

// refusalCode is the close code that stands for an HTTP status where a browser
// has to be told: it cannot read a refused upgrade.
func refusalCode(status int) ws.StatusCode {
	switch status {
	case 403:
		return CloseForbidden
	case 409:
		return CloseTakenOver
	case 503, 429:
		return CloseOverloaded
	case 426, 505:
		return CloseProtocol
	}
	return CloseMalformed
}

// closeCounts counts closed connections by the code that we sent.
type closeCounts struct {
	private [400]atomic.Uint64 // 4000..4399
	rfc     [16]atomic.Uint64  // 1000..1015
	other   atomic.Uint64      // no close frame of ours
}

func (n *closeCounts) count(code uint16) {
	switch {
	case code >= 4000 && code < 4400:
		n.private[code-4000].Add(1)
	case code >= 1000 && code < 1016:
		n.rfc[code-1000].Add(1)
	default:
		n.other.Add(1)
	}
}

// each calls f for every code that has occurred, in order; "none" is for
// connections that ended without a close frame of ours.
func (n *closeCounts) each(f func(code string, count uint64)) {
	for i := range n.rfc {
		if v := n.rfc[i].Load(); v > 0 {
			f(strconv.Itoa(1000+i), v)
		}
	}
	for i := range n.private {
		if v := n.private[i].Load(); v > 0 {
			f(strconv.Itoa(4000+i), v)
		}
	}
	f("none", n.other.Load())
}

// errClosed is why a connection that we closed in order is over.
type errClosed ws.StatusCode

func (e errClosed) Error() string { return "closed with " + strconv.Itoa(int(e)) }

// close says why in a close frame and ends the connection in order.
func (h *handler) close(c poller.Conn, st *connState, code ws.StatusCode, reason string) {
	if st.kind == kindOver {
		return
	}
	h.out = ws.AppendClose(h.out, code, reason) // behind replies: it is the last frame
	h.frames++
	st.code = uint16(code)
	h.over(c, st, errClosed(code))
}

// over lets the connection end once its output is out. Replies in h.out go
// first.
func (h *handler) over(c poller.Conn, st *connState, why error) {
	h.end(c, st)
	c.Finish(why)
}

// end sends what is in h.out as the last word.
func (h *handler) end(c poller.Conn, st *connState) {
	h.flush(c, st)
	h.leave(c, st, st.code)
	h.become(st, kindOver)
}

// protocolError answers a broken WebSocket rule with its code.
func (h *handler) protocolError(c poller.Conn, st *connState, err error) {
	code := ws.CloseFor(err)
	h.out = ws.AppendClose(h.out, code, err.Error())
	h.frames++
	st.code = uint16(code)
	h.over(c, st, err)
}
