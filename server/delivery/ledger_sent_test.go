package delivery_test

import (
	"strconv"

	"roost/server/inbox"
)

// spread finds out who has got a message to many by looking into the inboxes.
func (l *ledger) spread(err error, s *inbox.Spread) {
	m := l.of(string(s.Message.Payload))
	l.w.note("message %d to topic %q: verdict %d, %d receivers, id %q, ttl %d", m.n, s.Topic, s.Verdict, s.Receivers, m.id, m.ttl)
	if m.fate = refused; err != nil {
		m.fate = failed
		return
	}
	name := "topic " + s.Topic + " " + m.id
	known, dup := l.key(name)
	dup = dup && m.id != ""
	if s.Verdict == inbox.Duplicate {
		if !dup && !l.open("", m.id) && !l.lying || dup && int(known.seq) != s.Receivers {
			l.w.fatal("message %d to topic %q: a duplicate to %d, want %+v %v", m.n, s.Topic, s.Receivers, known, dup)
		}
		return
	}
	if s.Verdict != inbox.Stored || dup {
		l.w.fatal("message %d to topic %q: verdict %d, known: %v", m.n, s.Topic, s.Verdict, dup)
	}
	m.fate = accepted
	receivers, refused, unsure := 0, 0, 0
	for _, d := range l.w.devices {
		a := l.accounts[d.id]
		if a == nil || s.Topic != "" && !a.topics[s.Topic] && a.changed[s.Topic] != l.batch {
			continue
		}
		info, _ := l.w.store.Lookup([]byte(d.id))
		switch {
		case info.Last > a.last && l.isNext(a, m):
			l.accept(a, m)
			receivers++
		case a.changed[s.Topic] == l.batch:
			unsure++ // it came or left at the same time
		case l.full(a):
			refused++
		default:
			l.w.fatal("message %d to topic %q: %s has not got it, last %d", m.n, s.Topic, d.id, a.last)
		}
	}
	if receivers != s.Receivers || s.Refused < refused || s.Refused > refused+unsure {
		l.w.fatal("message %d to topic %q: %+v, want %d receivers and %d to %d refusals", m.n, s.Topic, s, receivers, refused, refused+unsure)
	}
	if m.id != "" {
		l.keys[name] = keyed{uint64(s.Receivers), l.seconds() + min(m.ttl, 600)}
	}
}

// isNext reports whether the message is the device's next one.
func (l *ledger) isNext(a *account, m *message) bool {
	if l.lying && a.fence == 0 {
		return a.changed[m.topic] != l.batch // a session would tell the store what it is to find out
	}
	f := &inbox.Fetch{Ref: a.ref, Fence: l.fence(a), From: a.last + 1, Max: 1, Bytes: 1 << 20}
	l.w.disk.peeking = true
	l.w.store.Store.Fetch(f)
	l.w.disk.peeking = false
	return len(f.Items) == 1 && f.Items[0].Seq == a.last+1 && string(f.Items[0].Message.Payload) == strconv.Itoa(m.n)
}

// fence returns the fence of the device's last session; the ledger begins one if
// there was none since the store was opened.
func (l *ledger) fence(a *account) uint32 {
	if a.fence == 0 {
		o, err := l.w.store.Store.Open([]byte(a.id), inbox.Resume{})
		if err != nil || o.Ref != a.ref {
			l.w.fatal("open %s: %+v, %v", a.id, o, err)
		}
		a.fence = o.Fence
	}
	return a.fence
}

// sending is told what a lane sends.
func (l *ledger) sending(c *conn, seq uint64, payload string) {
	m := l.of(payload)
	if m.fate == refused || m.fate == failed {
		l.w.fatal("message %d was refused and is sent to %s", m.n, c.dev.id)
	}
	if e := c.acct.waiting[seq]; e != nil && e.message != m {
		l.w.fatal("message %d is sent to %s as number %d, which is message %d", m.n, c.dev.id, seq, e.n)
	}
	if seq != c.sent+1 {
		l.w.fatal("number %d is sent to %s after %d", seq, c.dev.id, c.sent)
	}
}

// skipping is told what a lane says is done with.
func (l *ledger) skipping(c *conn, to uint64, why string) {
	for seq := c.sent + 1; seq <= to; seq++ {
		e := c.acct.waiting[seq]
		if e == nil || e.expires <= l.seconds() || l.accounts[c.acct.id] != c.acct {
			continue
		}
		if e.excused = e.excused || l.w.disk.unreadable && why == "gone"; !e.excused {
			l.w.fatal("%s is told that %d is done with (%s), but message %d waits, expires in %d s", c.dev.id, seq, why, e.n, e.expires-l.seconds())
		}
	}
	if why != "ttl" && !l.lying && !l.w.disk.unreadable {
		l.w.fatal("%s is told that %d is %s", c.dev.id, to, why)
	}
}

// received is told what a device takes for its next message.
func (l *ledger) received(d *device, f frame, n int) {
	m := l.of(f.payload)
	if m.fate == refused || m.fate == failed || !m.spread && m.devices != d.id {
		l.w.fatal("%s gets message %d: %+v", d.id, n, *m)
	}
}

// fetched is told what the store has to give.
func (l *ledger) fetched(f *inbox.Fetch) {
	a := l.byRef(f.Ref)
	if a == nil || a.fence != f.Fence {
		if !f.Gone {
			l.w.fatal("a session that is over gets %d messages, last %d", len(f.Items), f.Last)
		}
		return
	}
	for _, it := range f.Items {
		l.adopt(a, it.Seq, string(it.Message.Payload))
	}
}

// gone returns the message that the store could not read and was excused for, and
// that may be back after a restart.
func (l *ledger) gone(a *account, seq uint64) *message {
	for _, e := range l.entries {
		if e.account == a && e.seq == seq && e.excused {
			return e.message
		}
	}
	return nil
}

// adopt compares a stored message with what is known, and learns of those that
// were under way when the node died.
func (l *ledger) adopt(a *account, seq uint64, payload string) {
	m := l.of(payload)
	e := a.waiting[seq]
	switch {
	case e != nil && e.message == m:
	case e == nil && (m.fate == open || l.gone(a, seq) == m) && (m.spread || m.devices == a.id) && seq <= a.last:
		e = &entry{message: m, account: a, seq: seq, expires: l.seconds()} // it is nobody's promise
		a.waiting[seq] = e
	default:
		l.w.fatal("number %d of %s is message %d (%+v), want %+v", seq, a.id, m.n, *m, e)
	}
}
