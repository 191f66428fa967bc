package mesh

import (
	"time"

	"roost/server/fanout"
	"roost/server/inbox"
)

// intake is what one of the bus's goroutines works with, so that an envelope costs no
// allocation of ours.
type intake struct {
	m *Mesh

	// Owned by the goroutine.
	now     time.Time
	message Message
	notice  inbox.Notice
	kept    inbox.Message // of notice
	late    lateness
}

func (m *Mesh) handlers() fanout.Handlers {
	inbox, all, topics := &intake{m: m}, &intake{m: m}, &intake{m: m}
	return fanout.Handlers{
		Inbox:   func(batch []fanout.Envelope) { inbox.take(batch, true) },
		Replies: m.takeReplies,
		All:     func(batch []fanout.Envelope) { all.take(batch, false) },
		Topics:  func(batch []fanout.Envelope) { topics.take(batch, false) },
	}
}

func (m *Mesh) takeReplies(batch []fanout.Envelope) {
	m.n.received[fanout.KindResult].Add(uint64(len(batch)))
	m.requests.Take(batch)
}

// take does what a batch asks for; answers that come meanwhile go out together at its end.
func (in *intake) take(batch []fanout.Envelope, unicast bool) {
	m := in.m
	<-m.made
	in.now = time.Now()
	if unicast {
		m.replies.hold() // what comes otherwise is not answered
		defer m.replies.release()
	}
	for i := range batch {
		m.n.received[batch[i].Kind&kindMask].Add(1)
		in.one(&batch[i], unicast)
	}
	in.message, in.notice, in.kept = Message{}, inbox.Notice{}, inbox.Message{} // refer to what is the bus's
}

func (in *intake) one(e *fanout.Envelope, unicast bool) {
	m := in.m
	switch e.Kind {
	case fanout.KindNotice, fanout.KindForward:
		in.noticed(e, unicast)
	case fanout.KindLive, fanout.KindLatest:
		in.live(e, unicast)
	case fanout.KindTopic:
		m.o.Local.Spread(string(e.Channel))
	case fanout.KindControl:
		in.control(e)
	default:
		m.n.ignored.Add(1)
	}
}

func (in *intake) noticed(e *fanout.Envelope, unicast bool) {
	m := in.m
	if len(e.Device) == 0 {
		m.sweep(!unicast)
		return
	}
	if m.seen.Seen(e, in.now) {
		m.n.repeated.Add(1)
		return
	}
	in.notice = inbox.Notice{Device: e.Device, Epoch: e.Epoch, Fence: uint32(e.Fence), Seq: e.Seq, Tag: e.Tag, Before: e.Before}
	if e.Kind == fanout.KindForward {
		in.kept = inbox.Message{TTL: e.TTL, Raw: e.Raw, ID: e.MessageID, Channel: e.Channel, Payload: e.Payload}
		in.notice.Message = &in.kept
	}
	switch {
	case e.ID == 0:
		m.o.Local.Noticed(&in.notice, 0, nil)
	case in.late.late(e, in.now):
		// What is stored has to be delivered; only the answer has nobody to go to.
		m.n.expired.Add(1)
		m.o.Local.Noticed(&in.notice, 0, nil)
	default:
		wait := min(time.Duration(e.Wait)*time.Millisecond, maxWait)
		m.o.Local.Noticed(&in.notice, wait, m.replies.to(e))
	}
}

// maxWait bounds how long another node can have this one wait for an acknowledgement.
const maxWait = time.Minute

func (in *intake) live(e *fanout.Envelope, unicast bool) {
	m := in.m
	if in.late.late(e, in.now) {
		m.n.expired.Add(1)
		return
	}
	if m.seen.Seen(e, in.now) {
		m.n.repeated.Add(1)
		return
	}
	in.message = Message{Class: e.Class, Raw: e.Raw, TTL: e.TTL, ID: e.MessageID, Topic: e.Channel, Payload: e.Payload, Trace: e.Trace}
	if len(e.Device) > 0 {
		m.o.Local.Live(e.Device, &in.message, m.replies.to(e))
		return
	}
	var done func(Counts)
	if unicast && e.ID != 0 {
		done = m.replies.counts(e)
	}
	m.o.Local.Cast(string(e.Channel), &in.message, e.Kind == fanout.KindLatest, int(e.Tag), done)
}

func (in *intake) control(e *fanout.Envelope) {
	m := in.m
	switch {
	case len(e.Device) == 0:
		m.n.ignored.Add(1)
	case e.Code == codeSubscribed, e.Code == codeUnsubscribed:
		m.o.Local.Subscribed(e.Device, string(e.Channel), e.Code == codeSubscribed)
	case e.Code >= firstCloseCode:
		m.o.Local.Control(e.Device, e.Fence, e.Code, string(e.Payload))
	default:
		m.n.ignored.Add(1)
	}
}
