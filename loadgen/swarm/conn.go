package swarm

import (
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/poller"
	"roost/server/ws"
)

// conn is what a connection costs us beside the poller's 32 bytes: 24, without
// pointers. kindPost ones are to the API (http.go); they have no stages.
//
//	connecting --> upgrading --101, checked--> greeting --the dialect says so--> ready
//	    |              |                          |                                |
//	    +--------------+--------------------------+---- closed, refused, timeout --+--> over
type conn struct {
	at     int64  // until ready: when its dial was planned; then: when its timer fires, 0 for never
	client uint32 // on this worker; kindPost: index in Worker.posts
	parser uint32 // index + 1 in Worker.parsers while a message is cut
	no     uint8  // of the client's connections
	stage  stage
	kind   connKind
	// replaced says that a newer connection of the client is ready, and that the
	// server has some time left to end this one.
	replaced bool
}

type stage uint8

const (
	stageConnecting stage = iota
	stageUpgrading
	stageGreeting
	stageReady
	stageOver // failed, lost or closing; counted
)

type connKind uint8

const (
	kindClient connKind = iota
	kindPost
)

// Open sends the request for the upgrade, or puts a connection to the API to
// use.
func (w *Worker) Open(pc poller.Conn) {
	st := w.conns.At(pc.Slot())
	if st.kind == kindPost {
		w.postOpen(st.client)
		return
	}
	w.upgrade(pc, st)
}

// Data takes what the server has sent.
func (w *Worker) Data(pc poller.Conn, b []byte) int {
	st := w.conns.At(pc.Slot())
	if st.kind == kindPost {
		return w.postData(pc, st.client, b)
	}
	w.rec.arrived(pc)
	if p := w.phase; p != nil && !p.started && w.now() >= p.begin {
		w.startPhase(p) // another worker has begun: it may be the first message of the phase
		if st.stage == stageReady && w.reads(&w.clients[st.client]) == scenario.ReadNever {
			return 0 // it is read when the client reads on
		}
	}
	n := 0
	if st.stage == stageUpgrading {
		if n = w.answered(pc, st, b); n == 0 || st.stage == stageOver {
			return n
		}
	}
	p := w.spare
	if st.parser != 0 {
		p = w.parsers[st.parser-1]
	}
	for n < len(b) && st.stage != stageOver {
		var k int
		var err error
		w.ev, k, err = p.Next(b[n:])
		n += k
		if err != nil {
			w.abandon(pc, st, err)
			break
		}
		if w.ev.Kind != ws.Short {
			w.event(pc, st, &w.ev)
		}
	}
	w.keepParser(st, p)
	w.ration(pc, st, len(b))
	return len(b)
}

// event handles a whole message or control frame. Who is half-open hears nothing
// but the end.
func (w *Worker) event(pc poller.Conn, st *conn, ev *ws.Event) {
	c := &w.clients[st.client]
	switch {
	case ev.Kind == ws.Close:
		if !w.mute(st, c) {
			w.write(pc, ws.AppendMaskedClose(w.out[:0], w.mask(), ws.CloseEcho(*ev), ""), poller.Control)
		}
		why := &plan.CloseError{Code: uint16(ev.Code), Reason: string(ev.Reason)}
		w.over(st, why, byServer)
		pc.Finish(why)
	case c.flags&silenced != 0:
	case ev.Kind == ws.Ping:
		if !w.mute(st, c) {
			w.write(pc, ws.AppendMasked(w.out[:0], ws.OpPong, w.mask(), ev.Payload), poller.Control)
		}
	case ev.Kind == ws.Text, ev.Kind == ws.Binary:
		op := ws.OpText
		if ev.Kind == ws.Binary {
			op = ws.OpBinary
		}
		s := w.sinkOf(pc, st)
		w.d.Message(st.client, st.no, time.Duration(s.at), op, ev.Payload, s)
		w.arm(pc, st)
	}
}

// mute reports whether a connection says nothing: that of a ghost once it is
// ready, and that of a client that is half-open.
func (w *Worker) mute(st *conn, c *client) bool {
	return st.stage == stageReady && (c.flags&silenced != 0 || !w.groups.list[c.group].AnswerPing)
}

func (w *Worker) write(pc poller.Conn, frame []byte, class poller.Class) poller.Result {
	w.out = frame
	return pc.Write(frame, class)
}

// mask returns a fresh key for a frame (RFC 6455, 5.3).
func (w *Worker) mask() [4]byte {
	v := w.rng.Uint64()
	return [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
}

// Drained does nothing: what waited is out.
func (w *Worker) Drained(poller.Conn) {}

// Timeout is the end of a handshake's time, or something that the dialect wants
// to say.
func (w *Worker) Timeout(pc poller.Conn) {
	st := w.conns.At(pc.Slot())
	switch {
	case st.kind == kindPost:
		pc.Reset(plan.ErrTimeout)
	case st.stage < stageReady:
		w.abandon(pc, st, plan.ErrTimeout)
	case st.replaced:
		w.sayClose(pc, true)
		pc.Finish(errReplaced)
	case st.stage == stageReady:
		st.at = 0
		w.dialectTime(pc, st)
	}
}

// dialectTime calls the dialect at its time. Who does not read on purpose
// cannot know whether the server lives.
func (w *Worker) dialectTime(pc poller.Conn, st *conn) {
	c, now := &w.clients[st.client], time.Duration(w.now())
	if w.mute(st, c) {
		return
	}
	if d := w.d.Deadline(st.client); d != 0 && d <= now {
		if w.reads(c) != scenario.ReadDrain {
			w.d.Heard(st.client, st.no, now)
		}
		w.d.Time(st.client, st.no, now, w.sinkOf(pc, st))
	}
	w.arm(pc, st)
}

// arm sets the connection's timer to when the dialect wants to be called. One
// that fires too early is cheap: a deadline that moves on is looked at then.
func (w *Worker) arm(pc poller.Conn, st *conn) {
	if st.stage != stageReady || st.replaced {
		return
	}
	at := int64(w.d.Deadline(st.client))
	if at != 0 && (st.at == 0 || at < st.at) {
		st.at = at
		pc.SetDeadline(max(time.Duration(at-w.now()), time.Millisecond))
	}
}

// Closed counts a connection that ended by itself.
func (w *Worker) Closed(pc poller.Conn, why error) {
	st := w.conns.At(pc.Slot())
	if st.kind == kindPost {
		w.postClosed(st.client, why)
		return
	}
	w.over(st, why, byServer)
	if st.parser != 0 {
		w.dropParser(st)
	}
}

// abandon ends a connection because of err.
func (w *Worker) abandon(pc poller.Conn, st *conn, err error) {
	w.over(st, err, byServer)
	pc.Reset(err)
}

// keepParser leaves the parser with the connection if a message is cut, and
// takes it back otherwise. An idle parser can go on with any connection.
func (w *Worker) keepParser(st *conn, p *ws.Parser) {
	if p.Idle() {
		p.Release()
		if st.parser != 0 {
			w.freeParsers = append(w.freeParsers, st.parser-1)
			st.parser = 0
		}
		return
	}
	if st.parser != 0 {
		return
	}
	if n := len(w.freeParsers); n > 0 {
		i := w.freeParsers[n-1]
		w.freeParsers = w.freeParsers[:n-1]
		w.parsers[i], w.spare = p, w.parsers[i]
		st.parser = i + 1
		return
	}
	w.spare = new(ws.Parser)
	w.spare.Reset(&w.config)
	w.parsers = append(w.parsers, p)
	st.parser = uint32(len(w.parsers))
}

// dropParser takes the parser of a connection that has ended.
func (w *Worker) dropParser(st *conn) {
	i := st.parser - 1
	st.parser = 0
	w.parsers[i].Reset(&w.config)
	w.freeParsers = append(w.freeParsers, i)
}
