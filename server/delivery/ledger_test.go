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
	batch    int  // of commits that the store makes
	lying    bool // the disk may have lost what it had promised

	published uint64 // since the store was opened
}

// message is one publication.
type message struct {
	n       int
	id      string
	ttl     uint32
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
	failed  // as refused, unless the node dies before the disk writes anything again
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
	held        uint64            // last when the store was opened
	waiting     map[uint64]*entry // what is known of acked+1 to last
	topics      map[string]bool
	changed     map[string]int // in which batch a topic was last subscribed to or left
	asking      map[string]int // subscriptions that nobody has answered, or that failed
	removing    bool           // somebody has asked for it
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
		case *inbox.Subscription:
			if a := l.byRef(op.Ref); a != nil {
				a.asking[op.Topic]++
			}
		case *inbox.Removal:
			if a := l.accounts[op.Device]; a != nil {
				a.removing = true
			}
		}
	}
}

// committed is told what the store has said.
func (l *ledger) committed(c *inbox.Commit) {
	if c.Err != nil {
		l.w.note("a commit fails: %v", c.Err)
	}
	for _, op := range c.Ops {
		switch op := op.(type) {
		case *inbox.Put:
			l.w.note("message %s to %s: verdict %d, number %d, ttl %d", op.Message.Payload, op.Device, op.Verdict, op.Seq, op.Message.TTL)
			l.put(c.Err, op)
		case *inbox.Spread:
			l.spread(c.Err, op)
		case *inbox.Subscription:
			l.subscribed(c.Err, op)
		case *inbox.Removal:
			if a := l.accounts[op.Device]; a != nil && c.Err == nil && op.Err == nil {
				l.remove(a)
			}
		}
	}
}

func (l *ledger) subscribed(err error, op *inbox.Subscription) {
	a := l.byRef(op.Ref)
	if a == nil || err != nil {
		return
	}
	a.asking[op.Topic]--
	if op.Err == nil {
		a.topics[op.Topic], a.changed[op.Topic] = op.On, l.batch
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
	if m.fate = refused; err != nil {
		m.fate = failed
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
	for _, old := range l.messages {
		if old.fate == failed {
			old.fate = refused // the disk writes, and has written that they are void
		}
	}
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

// String says where a device is.
func (a *account) String() string {
	return fmt.Sprintf("%s (ref %d, fence %d, epoch %s): acked %d, last %d", a.id, a.ref, a.fence, a.epoch, a.acked, a.last)
}

// problems joins what a check has found.
func problems(all []string) string { return strings.Join(all, "\n") }

var _ delivery.Sender = (*lane)(nil)
