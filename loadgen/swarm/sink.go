package swarm

import (
	"time"

	"roost/loadgen/plan"
	"roost/poller"
	"roost/server/ws"
)

// sink is what a dialect acts through, for the connection that it was called
// for. There is one: handlers do not nest.
type sink struct {
	w  *Worker
	pc poller.Conn
	st *conn
	at int64 // when the dialect was called
}

func (w *Worker) sinkOf(pc poller.Conn, st *conn) *sink {
	w.sink.pc, w.sink.st, w.sink.at = pc, st, w.now()
	return &w.sink
}

// Send sends a frame; nothing of who is mute.
func (s *sink) Send(op ws.OpCode, payload []byte) {
	w := s.w
	c := &w.clients[s.st.client]
	if w.mute(s.st, c) {
		return
	}
	if s.st.stage == stageReady {
		w.rec.counts(c.group).Beats++
	}
	w.write(s.pc, ws.AppendMasked(w.out[:0], op, w.mask(), payload), poller.Reliable)
}

// Ready makes the connection the client's.
func (s *sink) Ready(resumed bool) {
	if s.st.stage == stageGreeting {
		s.w.ready(s.pc, s.st, resumed)
	}
}

// Deliver takes a message.
func (s *sink) Deliver(payload []byte) { s.w.deliver(s.st.client, s.at, payload) }

// Refused counts a message that was published over this connection. Which one it
// was is not known, so its subscribers miss it.
func (s *sink) Refused(err error) {
	s.w.rec.counts(s.w.clients[s.st.client].group).Refused++
	s.w.rec.failure(plan.StagePublish, refusal(err))
}

// Fail gives the connection up, after what was sent on it.
func (s *sink) Fail(err error) {
	s.w.over(s.st, err, byServer)
	s.pc.Finish(err)
}

// Redial plans a dial beside the connection that there is.
func (s *sink) Redial(after time.Duration) {
	c := &s.w.clients[s.st.client]
	c.flags |= replacing
	s.w.dialAt(s.st.client, s.w.now()+int64(max(after, 0)))
}

// Replaced has taken place in ready.
func (s *sink) Replaced() {}

// replaceTime is what the server has to end a connection that was replaced.
// Messages that were on their way come until then.
const replaceTime = 2 * time.Second
