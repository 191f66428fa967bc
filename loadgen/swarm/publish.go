package swarm

import (
	"strconv"

	"roost/loadgen/dialect"
	"roost/loadgen/scenario"
	"roost/loadgen/stamp"
	"roost/poller"
	"roost/server/ws"
)

// sendBudget is how many entries of a plan are looked at in one turn, of each
// publish.
const sendBudget = 1024

// sends reports whether a message is ours to send: workers take turns by request.
func (w *Worker) sends(s *stream, n uint32) bool {
	return n/s.batch%uint32(w.cfg.Workers) == uint32(w.cfg.Worker)
}

// sendDue sends what is due, as far as it goes. What cannot be sent now stays
// due, and its latency goes on counting.
func (w *Worker) sendDue(now int64) {
	p := w.phase
	for _, s := range p.streams {
		w.sendAgain(s, now)
		for range sendBudget {
			at, ok := s.send.next(p.begin, p.end)
			if !ok || at > now {
				break
			}
			if !w.sendNext(s, at) {
				if s.way == dialect.ByHTTP || w.comesBack() {
					w.try(s, now)
				}
				break
			}
		}
	}
}

// pass goes on to the next message.
func (s *stream) pass() {
	if s.sending != nil {
		s.sending[s.of(s.send.n)]++
	}
	s.send.pass()
	s.part = 0
	if !s.wasTried() {
		s.tried = nil
	}
}

// comesBack reports whether there is, or will be, somebody who can send: with
// nobody, it is not the server that keeps a message from being sent.
func (w *Worker) comesBack() bool {
	return w.level.connected.Load()+w.level.away.Load()+w.level.dialing.Load() > 0
}

// sendNext deals with the next message of a stream. It reports false if that has
// to wait.
func (w *Worker) sendNext(s *stream, due int64) bool {
	n := s.send.n
	switch {
	case s.spec.To == scenario.ToSelf:
		if i, own := w.local(s.of(n)); own {
			w.sendSelf(s, i, due)
		}
	case !w.sends(s, n):
	case s.way == dialect.ByHTTP:
		if !w.sendHTTP(s, due) {
			return false
		}
		for range s.batch - 1 {
			s.pass()
		}
	default:
		if !w.sendSocket(s, due) {
			return false
		}
	}
	s.pass()
	return true
}

// speaks reports whether a client can send.
func (w *Worker) speaks(i uint32) bool {
	return i < w.count && w.clients[i].state == ready && w.clients[i].flags&silenced == 0
}

// sendSelf has a client send a message to itself. What its socket does not take,
// as the server reads nothing or the connection is about to be found broken, was
// sent as well as could be, and is owed.
func (w *Worker) sendSelf(s *stream, i uint32, due int64) {
	if !w.speaks(i) {
		w.sendAway(s, i, due)
		return
	}
	a := &s.accounts[i]
	sent, _ := w.frame(s, i, a.due, due)
	a.due++
	w.rec.counts(w.clients[i].group).Planned++
	w.sent(s, w.clients[i].group, due, sent, 1, len(w.payload))
}

// sendSocket has some client publish a message, all in turn.
func (w *Worker) sendSocket(s *stream, due int64) bool {
	n := s.send.n
	for range w.count {
		i := s.turn % w.count
		s.turn++
		if !w.speaks(i) {
			continue
		}
		sent, ok := w.frame(s, i, s.number(n), due)
		if ok {
			w.sent(s, 0, due, sent, 1, len(w.payload))
		}
		return ok
	}
	return false
}

// number returns the number in its stream of message n, which send is at.
func (s *stream) number(n uint32) uint32 {
	if s.sending != nil {
		return s.sending[s.of(n)]
	}
	return s.seq(n)
}

// frame writes a message on a client's connection.
func (w *Worker) frame(s *stream, i, seq uint32, due int64) (sent int64, ok bool) {
	sent = w.compose(s, s.send.n, seq, due)
	text, op := w.d.AppendFrame(w.text[:0], i, &w.message)
	w.text = text
	pc := w.l.Conn(w.clients[i].conn)
	r := w.write(pc, ws.AppendMasked(w.out[:0], op, w.mask(), text), poller.Reliable)
	return sent, r == poller.Written || r == poller.Queued
}

// sent counts messages of a request or a frame, with payloads of size bytes
// together. It is the attempt that counts: what comes of it is the server's.
func (w *Worker) sent(s *stream, group uint8, due, at int64, messages uint32, size int) {
	n := w.rec.counts(group)
	n.Sent += uint64(messages)
	n.BytesOut += uint64(size)
	if !s.wasTried() {
		w.rec.histN(histSendLag, at-due, uint64(messages))
	}
}

// compose makes message n, whose number in its stream is seq.
func (w *Worker) compose(s *stream, n, seq uint32, due int64) (sent int64) {
	sent = w.now()
	w.stamp = stamp.Stamp{Run: w.cfg.Run, Phase: s.phase, Publish: s.index, Number: n, Seq: seq, Due: due, Sent: sent}
	w.payload = stamp.Append(w.payload[:0], &w.stamp, s.sizes.At(uint64(n)))
	w.message = dialect.Message{To: string(s.spec.To), Class: s.spec.Class, TTL: s.spec.TTL, Wait: s.spec.Wait, Payload: w.payload}
	switch s.spec.To {
	case scenario.ToTopic:
		w.message.Name = w.topics.names[s.of(n)]
	case scenario.ToDevice:
		w.message.Name = w.clientName(s.of(n))
	}
	if s.kept {
		w.id = strconv.AppendUint(w.id[:0], uint64(w.cfg.Run), 36)
		for _, v := range [...]uint32{uint32(s.phase), uint32(s.index), n} {
			w.id = strconv.AppendUint(append(w.id, '-'), uint64(v), 36)
		}
		w.message.ID = w.id
	}
	return sent
}
