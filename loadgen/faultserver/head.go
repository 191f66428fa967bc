package faultserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"roost/poller"
	"roost/server/ws"
)

// head takes an HTTP request: an upgrade, GET /truth or POST /broadcast.
func (h *handler) head(c poller.Conn, st *conn, b []byte) (consumed int) {
	for st.state == stateHead && consumed < len(b) {
		var n int
		if bytes.HasPrefix(b[consumed:], []byte("POST ")) {
			n = h.post(c, b[consumed:])
		} else {
			n = h.get(c, st, b[consumed:])
		}
		if n == 0 || !c.Alive() {
			return consumed + n
		}
		consumed += n
	}
	if st.state == stateOpen && consumed < len(b) { // frames in one piece with the head
		consumed += h.frames(c, st, b[consumed:])
	}
	return consumed
}

// get takes a GET, if it is whole: 0 if not.
func (h *handler) get(c poller.Conn, st *conn, b []byte) int {
	n, err := ws.ParseRequest(b, &h.req)
	switch {
	case errors.Is(err, ws.ErrShort):
		return 0
	case err != nil:
		return h.answer(c, 400, err.Error(), len(b))
	case !h.req.IsUpgrade && string(h.req.Path) == "/truth":
		body, _ := json.Marshal(h.report()) // of numbers and text: cannot fail
		c.Write(ws.AppendResponse(nil, 200, "application/json", append(body, '\n'), false), poller.Reliable)
		return n
	case !h.req.IsUpgrade:
		return h.answer(c, 404, "want GET /truth, POST /broadcast, or an upgrade on / or /all", len(b))
	}
	if refusal := ws.CheckUpgrade(&h.req); refusal != nil {
		c.Write(refusal.AppendResponse(nil), poller.Reliable)
		c.Finish(errAnswer)
		return len(b)
	}
	h.asked(c, st)
	return n
}

// asked answers an upgrade, as the behaviour wants.
func (h *handler) asked(c poller.Conn, st *conn) {
	asked := h.truth.Asked
	h.truth.Asked++
	st.all = string(h.req.Path) == "/all"
	switch {
	case h.b.Unanswered:
		h.truth.Unanswered++
		st.state = stateWaiting
	case every(h.b.Refuse, asked):
		h.truth.Refused++
		e := &ws.HandshakeError{Status: 503, Text: "every so many upgrades are refused"}
		c.Write(e.AppendResponse(nil), poller.Reliable)
		c.Finish(errAnswer)
	case h.b.Accept > 0:
		st.state = stateWaiting
		now := h.now()
		h.agenda.add(item{at: now + h.b.Accept, begun: now, task: taskUpgrade, conn: c.Handle(), frame: ws.AppendUpgrade(nil, &h.req, "", nil)})
	default:
		h.out = ws.AppendUpgrade(h.out[:0], &h.req, "", nil)
		h.upgrade(c, st, h.out)
	}
}

// upgrade opens a connection.
func (h *handler) upgrade(c poller.Conn, st *conn, answer []byte) {
	c.Write(answer, poller.Reliable)
	c.SetVariant(variant)
	st.state = stateOpen
	h.open++
	h.truth.Upgraded++
	if h.b.CloseAfter > 0 {
		h.agenda.add(item{at: h.now() + h.b.CloseAfter, task: taskClose, conn: c.Handle()})
	}
	if h.b.ResetAfter > 0 {
		h.agenda.add(item{at: h.now() + h.b.ResetAfter, task: taskReset, conn: c.Handle()})
	}
}

// post takes a POST, if it is whole: 0 if not.
func (h *handler) post(c poller.Conn, b []byte) int {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > ws.MaxHead {
			return h.answer(c, 431, "request head above 8 KiB", len(b))
		}
		return 0
	}
	line, fields, _ := bytes.Cut(b[:end], []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("POST /broadcast ")) {
		return h.answer(c, 404, "want POST /broadcast", len(b))
	}
	size, ok := contentLength(fields)
	if !ok || size > maxPartial-ws.MaxHead {
		return h.answer(c, 411, "want one Content-Length, of at most 1 MiB", len(b))
	}
	body := b[end+4:]
	if len(body) < size {
		return 0
	}
	h.received()
	h.toAll(ws.OpText, body[:size])
	c.Write(accepted, poller.Reliable)
	return end + 4 + size
}

// accepted answers a POST.
var accepted = ws.AppendResponse(nil, 202, "text/plain", []byte("ok\n"), false)

// answer refuses a request and ends the connection.
func (h *handler) answer(c poller.Conn, status int, text string, consumed int) int {
	c.Write(ws.AppendResponse(nil, status, "text/plain", []byte(text+"\n"), true), poller.Reliable)
	c.Finish(errAnswer)
	return consumed
}

// contentLength finds the size of a body among header fields.
func contentLength(fields []byte) (size int, ok bool) {
	for line := range bytes.SplitSeq(fields, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || n < 0 || ok {
			return 0, false
		}
		size, ok = n, true
	}
	return size, ok
}
