package delivery_test

import (
	"fmt"
	"strconv"
	"strings"

	"roost/server/delivery"
	"roost/server/inbox"
)

// ledger is what must be true: what was published, what the store has said to
// it, and how far every device is. It is told of every call of the store and of
// every message on its way.
type ledger struct {
	w        *world
	accounts map[string]*account // of devices that are known, by id
	refs     map[inbox.Ref]*account
	lives    int
	messages []*message // by number, which is the payload
	entries  []*entry   // all that were accepted, one per receiver
	keys     map[string]keyed
	lying    bool // the disk may have lost what it had promised

	published, removed uint64 // since the store was opened
}

// message is one publication.
type message struct {
	n       int
	id      string
	ttl     uint32
	size    int
	fate    fate
	devices string // for whom: "", or one id
	topic   string // of a spread
	spread  bool
}

type fate uint8

// What is known about a publication.
const (
	submitted fate = iota
	accepted
	refused // nobody may ever get it
	open    // the node died before it said anything
)

// account is one life of a device in the store.
type account struct {
	id          string
	life        int
	ref         inbox.Ref
	fence       uint32 // of the last session, 0: none since the store was opened
	epoch       string
	epochs      map[string]bool // all that it ever had
	last, acked uint64
	waiting     map[uint64]*entry // what is known of acked+1 to last
	topics      map[string]bool
	removing    bool // somebody has asked for it
}

// entry is a message that was accepted for a device.
type entry struct {
	*message
	account *account
	seq     uint64
	expires uint32
	removed bool // with the device
	excused bool // a disk that lies has lost it
}

type keyed struct {
	seq     uint64
	expires uint32
}

func newLedger(w *world) *ledger {
	return &ledger{w: w, accounts: map[string]*account{}, refs: map[inbox.Ref]*account{}, keys: map[string]keyed{}}
}

func (l *ledger) byRef(ref inbox.Ref) *account { return l.refs[ref] }

func (l *ledger) seconds() uint32 { return uint32(l.w.now.Unix()) }

// message makes a message that nobody has published before.
func (l *ledger) message(id string, ttl uint32, channel string) *inbox.Message {
	n := len(l.messages)
	l.messages = append(l.messages, &message{n: n, id: id, ttl: ttl})
	return &inbox.Message{TTL: ttl, ID: []byte(id), Channel: []byte(channel), Payload: []byte(strconv.Itoa(n))}
}

// of returns what the ledger knows about a message.
func (l *ledger) of(payload string) *message {
	n, err := strconv.Atoi(payload)
	if err != nil || n < 0 || n >= len(l.messages) {
		l.w.fatal("payload %q was never published", payload)
	}
	return l.messages[n]
}

// submitted is told what the store is asked for.
func (l *ledger) submitted(c *inbox.Commit) {
	for _, op := range c.Ops {
		switch op := op.(type) {
		case *inbox.Put:
			l.of(string(op.Message.Payload)).devices = op.Device
		case *inbox.Spread:
			m := l.of(string(op.Message.Payload))
			m.spread, m.topic = true, op.Topic
		case *inbox.Removal:
			if a := l.accounts[op.Device]; a != nil {
				a.removing = true
			}
		}
	}
}

// committed is told what the store has said.
func (l *ledger) committed(c *inbox.Commit) {
	for _, op := range c.Ops {
		switch op := op.(type) {
		case *inbox.Put:
			l.put(c.Err, op)
		case *inbox.Spread:
			l.spread(c.Err, op)
		case *inbox.Subscription:
			if a := l.byRef(op.Ref); c.Err == nil && op.Err == nil && a != nil {
				a.topics[op.Topic] = op.On
			}
		case *inbox.Removal:
			if a := l.accounts[op.Device]; a != nil && c.Err == nil && op.Err == nil {
				l.remove(a)
			}
		}
	}
}

func (l *ledger) remove(a *account) {
	for _, e := range l.entries {
		if e.account == a && e.seq > a.acked {
			e.removed = true
		}
	}
	delete(l.accounts, a.id)
	delete(l.refs, a.ref)
}

// keyName names an idempotency key.
func (a *account) keyName(id string) string { return fmt.Sprintf("device %d %s", a.life, id) }

func (l *ledger) key(name string) (keyed, bool) {
	k, ok := l.keys[name]
	return k, ok && k.expires > l.seconds()
}

func (l *ledger) put(err error, p *inbox.Put) {
	m := l.of(string(p.Message.Payload))
	a := l.accounts[p.Device]
	m.fate = refused
	if err != nil {
		return
	}
	if (a == nil) != (p.Verdict == inbox.Unknown) && !(a == nil && l.w.opt.limits.KeepUnknown) {
		l.w.fatal("message %d to %s: verdict %d, known: %v", m.n, p.Device, p.Verdict, a != nil)
	}
	if a == nil {
		return
	}
	known, dup := l.key(a.keyName(m.id))
	dup = dup && m.id != ""
	switch p.Verdict {
	case inbox.Stored:
		if dup {
			l.w.fatal("message %d to %s: stored, but %q was number %d", m.n, p.Device, m.id, known.seq)
		}
		if p.Seq != a.last+1 || p.Ref != a.ref {
			l.w.fatal("message %d to %s: number %d of ref %d, want %d of %d", m.n, p.Device, p.Seq, p.Ref, a.last+1, a.ref)
		}
		m.fate = accepted
		l.accept(a, m)
		if m.id != "" {
			l.keys[a.keyName(m.id)] = keyed{p.Seq, l.seconds() + min(m.ttl, 600)}
		}
	case inbox.Duplicate:
		if !dup && !l.open(p.Device, m.id) && !l.lying || dup && known.seq != p.Seq {
			l.w.fatal("message %d to %s: a duplicate of %d, want %+v %v", m.n, p.Device, p.Seq, known, dup)
		}
	case inbox.Full:
		if !l.full(a) {
			l.w.fatal("message %d to %s is refused: %d of %d are waited for", m.n, p.Device, a.last-a.acked, l.w.opt.limits.Messages)
		}
	default:
		l.w.fatal("message %d to %s: verdict %d", m.n, p.Device, p.Verdict)
	}
}

// open reports whether a message to the device with this id may have been
// stored when the node died.
func (l *ledger) open(device, id string) bool {
	for _, m := range l.messages {
		if m.fate == open && m.id == id && (m.devices == device || m.spread) {
			return true
		}
	}
	return false
}

// full reports whether a device's inbox may have been full.
func (l *ledger) full(a *account) bool { return a.last-a.acked >= uint64(l.w.opt.limits.Messages) }

// accept enters a message that was stored as a device's next one.
func (l *ledger) accept(a *account, m *message) {
	a.last++
	e := &entry{message: m, account: a, seq: a.last, expires: l.seconds() + m.ttl}
	a.waiting[e.seq] = e
	l.entries = append(l.entries, e)
	l.published++
}

// entryOf returns what is known of a message that was stored for one device.
func (l *ledger) entryOf(p *inbox.Put) *entry {
	for _, e := range l.entries {
		if strconv.Itoa(e.n) == string(p.Message.Payload) {
			return e
		}
	}
	return nil
}

// spread finds out who has got a message to many by looking into the inboxes.
func (l *ledger) spread(err error, s *inbox.Spread) {
	m := l.of(string(s.Message.Payload))
	m.fate = refused
	if err != nil {
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
	receivers, refused := 0, 0
	for _, d := range l.w.devices {
		a := l.accounts[d.id]
		if a == nil || s.Topic != "" && !a.topics[s.Topic] {
			continue
		}
		info, _ := l.w.store.Lookup([]byte(d.id))
		if info.Last > a.last && (l.lying || l.isNext(a, m)) {
			l.accept(a, m)
			receivers++
		} else if refused++; !l.full(a) {
			l.w.fatal("message %d to topic %q: %s has not got it, last %d", m.n, s.Topic, d.id, a.last)
		}
	}
	if receivers != s.Receivers || refused != s.Refused {
		l.w.fatal("message %d to topic %q: %+v, want %d receivers and %d refusals", m.n, s.Topic, s, receivers, refused)
	}
	if m.id != "" {
		l.keys[name] = keyed{uint64(s.Receivers), l.seconds() + min(m.ttl, 600)}
	}
}

// isNext reports whether the message is the device's next one.
func (l *ledger) isNext(a *account, m *message) bool {
	f := &inbox.Fetch{Ref: a.ref, Fence: l.fence(a), From: a.last + 1, Max: 1, Bytes: 1 << 20}
	l.w.store.Store.Fetch(f)
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
	if m.fate == refused {
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
		if e != nil && e.expires > l.seconds() && l.accounts[c.acct.id] == c.acct && !e.excused {
			l.w.fatal("%s is told that %d is done with (%s), but message %d waits", c.dev.id, seq, why, e.n)
		}
	}
	if why != "ttl" && !l.lying {
		l.w.fatal("%s is told that %d is %s", c.dev.id, to, why)
	}
}

// received is told what a device takes for its next message.
func (l *ledger) received(d *device, f frame, n int) {
	m := l.of(f.payload)
	if m.fate == refused || !m.spread && m.devices != d.id {
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

// adopt compares a stored message with what is known, and learns of those that
// were under way when the node died.
func (l *ledger) adopt(a *account, seq uint64, payload string) {
	m := l.of(payload)
	e := a.waiting[seq]
	switch {
	case e != nil && e.message == m:
	case e == nil && m.fate == open && (m.spread || m.devices == a.id) && seq <= a.last:
		e = &entry{message: m, account: a, seq: seq, expires: l.seconds()} // it is nobody's promise
		a.waiting[seq] = e
	default:
		l.w.fatal("number %d of %s is message %d (%+v), want %+v", seq, a.id, m.n, *m, e)
	}
}

// String says where a device is.
func (a *account) String() string {
	return fmt.Sprintf("%s (ref %d, fence %d, epoch %s): acked %d, last %d", a.id, a.ref, a.fence, a.epoch, a.acked, a.last)
}

// problems joins what a check has found.
func problems(all []string) string { return strings.Join(all, "\n") }

var _ delivery.Sender = (*lane)(nil)
