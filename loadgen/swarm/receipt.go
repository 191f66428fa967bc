package swarm

import (
	"errors"

	"roost/loadgen/dialect"
	"roost/loadgen/plan"
	"roost/poller"
)

// errUnasked is an answer without a request.
var errUnasked = errors.New("an answer that nobody has asked for")

// postData takes the answer to a request. One that is too long is judged by its
// status.
func (w *Worker) postData(pc poller.Conn, k uint32, b []byte) int {
	p := &w.posts.list[k]
	if !p.busy {
		pc.Reset(errUnasked)
		return len(b)
	}
	if p.big != nil {
		return w.postDrop(pc, k, b)
	}
	a, err := parseAnswer(b, w.answer[:0])
	switch {
	case errors.Is(err, errShort):
		return 0
	case errors.Is(err, errBig) && a.status != 0:
		big := a
		p.big = &big
		return a.size + w.postDrop(pc, k, b[a.size:])
	case err != nil:
		pc.Reset(err)
		return len(b)
	}
	w.answer = a.body
	w.postDone(pc, k, &a)
	if a.last {
		return len(b)
	}
	return a.size
}

// postDrop drops what there is of a body that is too long.
func (w *Worker) postDrop(pc poller.Conn, k uint32, b []byte) int {
	p := &w.posts.list[k]
	n, done, err := p.big.rest.take(b)
	switch {
	case err != nil:
		pc.Reset(err)
		return len(b)
	case done:
		a := p.big
		p.big, a.dropped = nil, true
		w.postDone(pc, k, a)
		if a.last {
			return len(b)
		}
	}
	return n
}

// postDone takes a whole answer, and puts its connection to use again.
func (w *Worker) postDone(pc poller.Conn, k uint32, a *answer) {
	p := &w.posts.list[k]
	pc.SetDeadline(0)
	w.level.pending.Add(-1)
	p.busy = false
	if w.phase != nil && int(p.phase) == w.phase.index {
		w.postAnswered(p, a)
	}
	if a.last {
		pc.Close(errPlanned)
		return
	}
	w.postFree(k)
}

// postAnswered takes what an API says of a request.
func (w *Worker) postAnswered(p *post, a *answer) {
	s := w.phase.streams[p.publish]
	if s.spec.Retry && a.status == statusBusy {
		w.sendLater(s, p, &plan.StatusError{Status: a.status})
		return
	}
	s.flying--
	w.rec.histN(histPublishAck, w.now()-p.due, uint64(p.count))
	if a.dropped {
		for n := p.number; n < p.number+uint32(p.count) && a.status/100 != 2; n++ {
			w.notAccepted(s, n, &plan.StatusError{Status: a.status})
		}
		return
	}
	if s.asks == nil {
		if err := w.d.Answer(a.status, a.body); err != nil {
			w.notAccepted(s, p.number, refusal(err))
		}
		return
	}
	r := &w.receipts
	r.w, r.s, r.number, r.left = w, s, p.number, p.count
	if r.each == nil {
		r.each = r.take
	}
	err := s.asks.Receipts(a.status, a.body, r.each)
	for ; r.left > 0; r.left-- {
		if err != nil {
			w.notAccepted(s, r.number, refusal(err))
		} else {
			w.unanswered(s, r.number, errFewer)
		}
		r.number++
	}
}

// errFewer is an answer to several messages that tells only of some.
var errFewer = errors.New("an answer of the API has fewer results than the request had messages")

// receipts takes what an answer says of the messages of a request.
type receipts struct {
	each   func(i int, r dialect.Receipt) // take, made once
	w      *Worker
	s      *stream
	number uint32 // of the next message
	left   uint16 // from it on
}

// take takes what the answer says of the next message.
func (r *receipts) take(_ int, one dialect.Receipt) {
	if r.left == 0 { // more than were asked for
		return
	}
	n := r.number
	r.number, r.left = n+1, r.left-1
	c := r.w.rec.counts(0)
	switch {
	case one.Err != nil:
		r.w.notAccepted(r.s, n, refusal(one.Err))
	case r.s.spec.Wait > 0:
		c.Acknowledged += uint64(one.Acknowledged)
		c.Unacknowledged += uint64(one.Unacknowledged)
	}
}

// refusal gives a dialect's refusal its class.
func refusal(err error) error {
	var r *dialect.RefusedError
	if errors.As(err, &r) {
		return &plan.StatusError{Status: r.Status, Text: r.Reason}
	}
	return err
}

// notAccepted counts a message that an API has refused.
func (w *Worker) notAccepted(s *stream, n uint32, err error) {
	w.rec.failure(plan.StagePublish, err)
	if w.phase.refuse(s.index, n, 1) {
		w.rec.counts(0).Refused++
	}
}
