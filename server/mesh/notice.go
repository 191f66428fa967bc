package mesh

import (
	"bytes"
	"context"
	"time"

	"roost/ring"
	"roost/server/fanout"
	"roost/server/inbox"
)

// answerSlack is how much later than the publisher's wait an answer may come: a way of the bus, there and back.
const answerSlack = 500 * time.Millisecond

// Notice tells a node that a kept message is stored for a device that it has. owner is in the words of presence, as
// inbox.Put.Owner and presence.Owner.String have it: node:incarnation; a node alone does, too. n is not
// referred to afterwards, and nothing is waited for. answer is called once, from any goroutine and perhaps before Notice returns; it may be nil,
// and must not block.
//
// With wait 0 it is StatusQueued as soon as a node has taken the notice, or the bus cannot say; StatusOffline where
// nobody has. With a wait it is what the node says when the device has acknowledged, or the wait is over; where the device has
// moved meanwhile, what the node says that has it then; where nothing is said, StatusQueued. Whatever it is,
// the message is stored. Only notices with an answer are counted for a trial: the others are not about where a device is.
func (m *Mesh) Notice(owner string, n *inbox.Notice, wait time.Duration, answer func(Status)) {
	owner = NodeOf(owner)
	switch owner {
	case m.o.Self:
		m.o.Local.Noticed(n, wait, answer)
		return
	case "":
		if answer != nil {
			answer(StatusOffline)
		}
		return
	}
	var timed *fanout.Request
	if answer != nil {
		view := m.seenAt(n.Device, owner)
		if wait <= 0 {
			timed = m.timed(&view)
		}
	}
	if wait <= 0 || answer == nil {
		m.notify(owner, n, timed, 0, answer)
		return
	}
	w := &waiting{m: m, owner: owner, answer: answer, until: time.Now().Add(wait),
		n: inbox.Notice{Device: bytes.Clone(n.Device), Epoch: bytes.Clone(n.Epoch), Fence: n.Fence, Seq: n.Seq, Tag: n.Tag, Before: n.Before}}
	w.ask(owner, n, w.answered)
}

// AppendStored appends a notice that a store sends itself, in its words: see fanout.StoredLua. n is as
// Notice has it, without what the store knows: Epoch, Fence and Seq.
func AppendStored(dst []byte, self string, n *inbox.Notice) []byte {
	l := write(fanout.KindNotice)
	defer l.done()
	l.topic = append(l.topic[:0], self...)
	e := &l.e
	e.Origin = l.topic
	about(e, n)
	return e.AppendStored(dst)
}

// Told takes that the store has told a device's node itself, what, and how many took the word. It returns what Notice
// without a wait answers.
func (m *Mesh) Told(owner string, n *inbox.Notice, receivers int) Status {
	owner = NodeOf(owner)
	view := m.seenAt(n.Device, owner)
	m.n.sent[fanout.KindForward].Add(1)
	if q := m.timed(&view); q != nil {
		bare := *n
		bare.Message = nil // it is there
		m.notify(owner, &bare, q, 0, nil)
	}
	return m.heard(owner, receivers, nil)
}

// heard takes what became of a notice.
func (m *Mesh) heard(owner string, receivers int, err error) Status {
	if m.taken(receivers, err); err != nil {
		m.debts.owe(owner) // it may have it, or not: have it look
		return StatusQueued
	}
	if receivers > 0 {
		return StatusQueued
	}
	if m.member(owner) {
		m.debts.owe(owner) // it lives, and does not listen just now
	}
	return StatusOffline
}

// about fills in a notice.
func about(e *fanout.Envelope, n *inbox.Notice) {
	e.Device, e.Epoch, e.Seq, e.Fence, e.Tag, e.Before = n.Device, n.Epoch, n.Seq, uint64(n.Fence), n.Tag, n.Before
	if k := n.Message; k != nil {
		e.Kind = fanout.KindForward
		e.Raw, e.TTL, e.MessageID, e.Channel, e.Payload = k.Raw, k.TTL, k.ID, k.Channel, k.Payload
	}
}

// NodeOf returns the node of an owner in the words of presence (node:incarnation): what is before the last colon, if
// digits follow it; else all of it.
func NodeOf(owner string) string {
	for i := len(owner) - 1; i >= 0; i-- {
		if c := owner[i]; c == ':' && i < len(owner)-1 {
			return owner[:i]
		} else if c < '0' || c > '9' {
			break
		}
	}
	return owner
}

// notify posts a notice. answer, if not nil, is told what the bus says. q, if not nil, is answered by the node, or here
// where no node will.
func (m *Mesh) notify(owner string, n *inbox.Notice, q *fanout.Request, wait time.Duration, answer func(Status)) {
	l := write(fanout.KindNotice)
	e := &l.e
	about(e, n)
	if q != nil {
		e.ID, e.Wait, e.Deadline = q.ID(), uint32(max(wait/time.Millisecond, 1)), deadline(time.Now().Add(wait+answerSlack))
	}
	m.post(fanout.ToNode(owner), e, func(receivers int, err error) {
		status := m.heard(owner, receivers, err)
		if answer != nil {
			answer(status)
		}
		if q != nil && (err != nil || receivers == 0) {
			q.Answer(fanout.Result{Status: uint8(status)})
		}
	})
	l.done()
}

// waiting is a publisher that waits for a device's acknowledgement at another node.
type waiting struct {
	m      *Mesh
	owner  string
	n      inbox.Notice
	until  time.Time
	answer func(Status)
}

// ask sends the notice, which n is with the message or without, and has told called with
// the node's answer, or StatusNone.
func (w *waiting) ask(owner string, n *inbox.Notice, told func(Status)) {
	wait := time.Until(w.until)
	q, err := w.m.requests.Ask(1, wait+answerSlack, func(answers []fanout.Result, all bool) {
		if !all {
			w.m.n.silent.Add(1)
		}
		told(known(answers[0].Status))
	})
	if err != nil {
		w.m.notify(owner, n, nil, 0, w.answer) // it is told, though nobody can wait
		return
	}
	w.m.notify(owner, n, q, wait, nil)
}

// answered takes the answer of the node that had the device when the message was stored. Not
// there any more: where it is now, presence knows.
func (w *waiting) answered(status Status) {
	switch {
	case status == StatusNone:
		status = StatusQueued
	case status == StatusOffline && time.Until(w.until) > 0 && w.m.seekers.run(ring.HashBytes(w.n.Device), w.follow):
		return
	}
	w.answer(status)
}

// follow asks presence and then the node that has the device now.
func (w *waiting) follow() {
	m := w.m
	ctx, cancel := context.WithTimeout(m.ctx, min(m.o.Deadline, time.Until(w.until)))
	defer cancel()
	node, here, err := m.whereIs(ctx, string(w.n.Device))
	switch {
	case here:
		m.o.Local.Noticed(&w.n, time.Until(w.until), w.answer)
	case err != nil || node == "" || node == w.owner || node == m.o.Self:
		w.answer(StatusOffline)
	default:
		m.n.forwarded.Add(1)
		w.ask(node, &w.n, func(status Status) {
			if status == StatusNone {
				status = StatusQueued
			}
			w.answer(status)
		})
	}
}
