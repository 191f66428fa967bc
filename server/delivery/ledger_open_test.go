package delivery_test

import (
	"errors"
	"fmt"
	"slices"

	"roost/server/delivery"
	"roost/server/inbox"
)

// opened is told of a session that has begun: it holds the store to the table of
// docs/PROTOCOL.md.
func (l *ledger) opened(a *account, id string, r inbox.Resume, o inbox.Opened, err error) {
	if err != nil {
		if !errors.Is(err, inbox.ErrDevices) {
			l.w.fatal("open %s: %v", id, err)
		}
		return
	}
	if a == nil {
		a = l.account(id)
		a.ref = o.Ref
		if other := l.refs[o.Ref]; other != nil {
			l.w.fatal("%s gets ref %d of %v", id, o.Ref, other)
		}
		l.refs[o.Ref] = a
		if o.Resumed || o.Last != 0 || o.Acked != 0 || o.From != 0 {
			l.w.fatal("open new device %s: %+v", id, o)
		}
		a.begin(o)
		return
	}
	want := *a
	resumed, from, fresh := false, uint64(0), false
	switch {
	case !r.Given:
		resumed = true
	case string(r.Epoch) != a.epoch:
	case r.Seq > a.last:
		fresh = true
	case r.Seq < a.acked:
		from = a.acked + 1
	default:
		resumed = true
		want.acked = r.Seq
	}
	if l.lying && r.Given && string(r.Epoch) == a.epoch && a.fence == 0 && r.Seq > a.held {
		// The device knows numbers that have been given to other messages since: it
		// must not take those for what it has.
		resumed, from, fresh, want.acked = false, 0, true, a.acked
	}
	if o.Ref != a.ref || o.Fence <= a.fence || o.Last != a.last || o.Acked != want.acked || o.Resumed != resumed || o.From != from {
		l.w.fatal("open %s %+v: %+v; want resumed %v, from %d, acked %d; was %v", id, r, o, resumed, from, want.acked, a)
	}
	if epoch := o.Epoch.String(); fresh == a.epochs[epoch] || !fresh && epoch != a.epoch {
		l.w.fatal("open %s %+v: epoch %s, a new one: %v; was %v", id, r, epoch, fresh, a)
	}
	a.advance(want.acked)
	a.begin(o)
}

// account begins a life of a device.
func (l *ledger) account(id string) *account {
	l.lives++
	a := &account{
		id: id, life: l.lives, epochs: map[string]bool{}, waiting: map[uint64]*entry{},
		topics: map[string]bool{}, changed: map[string]int{}, asking: map[string]int{},
	}
	l.accounts[id] = a
	return a
}

func (a *account) begin(o inbox.Opened) {
	a.fence, a.epoch = o.Fence, o.Epoch.String()
	a.epochs[a.epoch] = true
}

// advance forgets what was acknowledged.
func (a *account) advance(seq uint64) {
	for ; a.acked < seq; a.acked++ {
		delete(a.waiting, a.acked+1)
	}
}

// ack is told of an acknowledgement: it counts with the current fence only.
func (l *ledger) ack(ref inbox.Ref, fence uint32, seq uint64) (counts bool) {
	a := l.byRef(ref)
	if a == nil || a.fence != fence {
		return false
	}
	if seq <= a.last {
		a.advance(seq)
	}
	return true
}

// verify compares what shows of the store with the ledger.
func (l *ledger) verify() {
	w := l.w
	for _, d := range w.devices {
		a := l.accounts[d.id]
		if a == nil {
			continue
		}
		last, acked := uint64(0), uint64(0)
		if a.fence != 0 {
			last, acked = w.store.Store.Last(a.ref, a.fence)
		} else {
			info, _ := w.store.Lookup([]byte(d.id))
			last, acked = info.Last, info.Acked
		}
		if last != a.last || acked != a.acked {
			w.fatal("the store says last %d, acked %d; want %v", last, acked, a)
		}
	}
	if w.done%16 == 0 {
		l.check()
	}
	for _, v := range w.waits {
		v.verify()
	}
}

// check has the store check itself, and does the sums.
func (l *ledger) check() {
	if p := l.w.store.Check(); len(p) > 0 {
		l.w.fatal("check: %s", problems(p))
	}
	c := l.w.store.Counts()
	if c.Published != l.published {
		l.w.fatal("%d messages are counted as published, want %d", c.Published, l.published)
	}
	if c.Published+c.Recovered != c.Acknowledged+c.Expired+c.Removed+c.Lost+c.InFlight {
		l.w.fatal("conservation: %+v", c)
	}
}

// restarted compares what a store has kept over a crash with what it had
// promised.
func (l *ledger) restarted() {
	l.published = 0
	l.refs = map[inbox.Ref]*account{}
	lies := l.w.disk.lies
	l.lying = l.lying || lies
	l.w.disk.lies = false
	for _, m := range l.messages {
		if m.fate == submitted || m.fate == failed || lies {
			m.fate = open
		}
	}
	if lies {
		l.keys = map[string]keyed{}
		for _, e := range l.entries {
			e.excused = true
		}
	}
	for _, d := range l.w.devices {
		a := l.accounts[d.id]
		if _, known := l.w.store.Lookup([]byte(d.id)); a == nil && known && lies {
			a = l.account(d.id) // its removal is lost
		}
		if a != nil {
			l.reopened(a, lies)
		}
	}
	if p := l.w.store.Check(); len(p) > 0 {
		l.w.fatal("check after the restart: %s", problems(p))
	}
}

func (l *ledger) reopened(a *account, lies bool) {
	info, known := l.w.store.Lookup([]byte(a.id))
	had := *a
	a.fence, a.ref = 0, 0
	if !known {
		if !lies && !a.removing && (a.last > 0 || a.subscribed()) {
			l.w.fatal("after the restart nobody knows %v", &had)
		}
		l.remove(a)
		return
	}
	l.refs[info.Ref] = a
	a.ref = info.Ref
	// Damage is found again at every start as long as it is in the log.
	if info.Last < a.last && !lies || !a.epochs[info.Epoch.String()] && !l.lying {
		l.w.fatal("after the restart %+v; was %v", info, &had)
	}
	if info.Acked > max(a.acked, info.Last) {
		l.w.fatal("after the restart acknowledged %+v; was %v", info, &had)
	}
	if lies {
		a.waiting = map[uint64]*entry{}
	}
	for _, e := range l.entries { // acknowledgements may be lost
		if e.account == a && e.seq > info.Acked && e.seq <= info.Last && !e.excused {
			a.waiting[e.seq] = e
		}
	}
	a.epoch, a.last, a.acked, a.held = info.Epoch.String(), info.Last, info.Acked, info.Last
	a.epochs[a.epoch] = true
	for t, on := range a.topics { // each is judged by itself: the order does not matter
		if has := slices.Contains(info.Topics, t); has != on && !lies && a.asking[t] == 0 {
			l.w.fatal("after the restart %s has topics %v, want %v", a.id, info.Topics, a.topics)
		}
	}
	a.topics, a.asking = map[string]bool{}, map[string]int{}
	for _, t := range info.Topics {
		a.topics[t] = true
	}
}

// owed returns the messages that devices should have handled and have not.
func (l *ledger) owed() (owed []string) {
	byID := map[string]*device{}
	for _, d := range l.w.devices {
		byID[d.id] = d
	}
	for _, e := range l.entries {
		if d := byID[e.account.id]; !d.got[e.n] && !e.removed && !e.excused && e.expires > l.seconds() {
			owed = append(owed, fmt.Sprintf("message %d, number %d of %v", e.n, e.seq, e.account))
		}
	}
	return owed
}

// wait is a publisher that waits for an acknowledgement.
type wait struct {
	hub *delivery.Hub
	w   *delivery.Waiter
	*entry
	l *ledger
}

func (v *wait) isDone() bool {
	select {
	case <-v.w.Done():
		return true
	default:
		return false
	}
}

// alive reports whether the device is known, and this life of it is.
func (v *wait) alive() bool { return v.l.accounts[v.account.id] == v.account }

// verify: what is said to be acknowledged was, and what is said not to be will
// not be.
func (v *wait) verify() {
	switch {
	case !v.isDone():
	case v.w.Acked() && v.account.acked < v.seq:
		v.l.w.fatal("number %d is said to be acknowledged by %v", v.seq, v.account)
	case !v.w.Acked() && v.expires > v.l.seconds() && v.alive() && !v.excused:
		v.l.w.fatal("number %d is said not to be acknowledged by %v", v.seq, v.account)
	}
}

// end is how everything is when nothing goes wrong any more: all that was stored
// is accounted for, and those who wait have heard.
func (l *ledger) end() {
	l.check()
	c := l.w.store.Counts()
	if c.InFlight != 0 || c.Bytes != 0 {
		l.w.fatal("%d messages and %d bytes are left: %+v", c.InFlight, c.Bytes, c)
	}
	for _, ln := range l.w.lanes {
		if ln.Flows() != 0 {
			l.w.fatal("lane %d has %d flows", ln.i, ln.Flows())
		}
	}
	for _, v := range l.w.waits {
		if v.account.acked >= v.seq && v.alive() && v.hub == l.w.hub && !v.isDone() {
			l.w.fatal("nobody says that number %d of %v is acknowledged", v.seq, v.account)
		}
	}
}

// subscribed reports whether the device is in any topic.
func (a *account) subscribed() bool {
	for _, on := range a.topics {
		if on {
			return true
		}
	}
	return false
}
