package faultserver

import (
	"time"

	"roost/poller"
	"roost/server/ws"
)

// holdAtMost is when a frame that waits for the next one goes out without it.
const holdAtMost = 500 * time.Millisecond

// deliver makes a delivery, or does with it what the behaviour wants.
func (h *handler) deliver(c poller.Conn, st *conn, op ws.OpCode, payload []byte) {
	n := h.truth.Due
	h.truth.Due++
	if h.b.StopSending > 0 && h.truth.Received > uint64(h.b.StopSending) {
		h.truth.Silent++
		return
	}
	f := h.b.fate(n)
	if f == dropped {
		h.truth.Dropped++
		return
	}
	frame := ws.AppendFrame(nil, op, payload)
	switch f {
	case corrupted:
		h.corrupt(frame[len(frame)-len(payload):])
	case swapped:
		if st.held == nil {
			h.truth.Delivered++
			st.held, st.heldAs = frame, n
			h.agenda.add(item{at: h.now() + holdAtMost, task: taskRelease, conn: c.Handle(), delivery: n})
			return
		}
	case slowed:
		h.truth.Slowed++
		h.truth.Delivered++
		h.later(c, frame, h.b.Delay+h.b.SlowBy)
		return
	}
	h.truth.Delivered++
	h.later(c, frame, h.b.Delay)
	if f == duplicated {
		h.truth.Duplicated++
		h.later(c, frame, h.b.Delay)
	}
	if st.held != nil {
		h.truth.Swapped++
		h.later(c, st.held, h.b.Delay)
		st.held = nil
	}
}

// stampMagic is how many bytes of a payload are never changed: by them the
// generator knows its own messages.
const stampMagic = 4

// corrupt changes one byte, each time another one.
func (h *handler) corrupt(payload []byte) {
	if len(payload) == 0 {
		return
	}
	at := len(payload) - 1
	if len(payload) > stampMagic {
		at = stampMagic + int(h.truth.Corrupted)%(len(payload)-stampMagic)
	}
	payload[at] ^= 1
	h.truth.Corrupted++
}

// later sends a frame after a delay.
func (h *handler) later(c poller.Conn, frame []byte, delay time.Duration) {
	if delay == 0 {
		h.send(c, frame)
		return
	}
	now := h.now()
	h.agenda.add(item{at: now + delay, begun: now, task: taskSend, conn: c.Handle(), frame: frame})
}

// send gives a frame to the kernel, or to the connection's queue.
func (h *handler) send(c poller.Conn, frame []byte) {
	if r := c.WriteShared(frame, poller.Reliable); r == poller.Full {
		h.truth.Overflowed++
	}
}

// doDue does what is due.
func (h *handler) doDue() {
	for {
		it, ok := h.agenda.due(h.now())
		if !ok {
			return
		}
		h.do(&it)
	}
}

// do does one thing of the agenda, if there still is whom it is about.
func (h *handler) do(it *item) {
	if it.task == taskFreeze {
		begin := time.Now()
		time.Sleep(h.b.FreezeLength) // all connections are on this loop
		h.truth.Froze = time.Since(begin)
		return
	}
	c := h.l.Conn(it.conn)
	if !c.Alive() {
		return
	}
	st := h.conns.At(c.Slot())
	switch it.task {
	case taskSend:
		h.delay.Record(int64(h.now() - it.begun))
		h.send(c, it.frame)
	case taskRelease:
		if st.held != nil && st.heldAs == it.delivery {
			h.send(c, st.held)
			st.held = nil
		}
	case taskUpgrade:
		h.accept.Record(int64(h.now() - it.begun))
		h.upgrade(c, st, it.frame)
	case taskClose:
		h.truth.Closed++
		h.farewell(c, ws.AppendClose(nil, ws.StatusCode(h.b.CloseCode), "behaviour"))
	case taskReset:
		h.truth.Reset++
		c.Reset(errMeant)
	}
}
