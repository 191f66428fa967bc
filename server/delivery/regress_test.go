package delivery_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
)

// calm returns a world in which everything happens at once and in order.
func calm(t testing.TB, kind *storeKind) *world {
	w := newWorld(t, kind, 1, worldOptions{})
	w.calm = true
	return w
}

// publish publishes one message to a device and lets it happen.
func (w *world) publish(device, id string, ttl uint32) *inbox.Put {
	p := &inbox.Put{Device: device, Message: w.ledger.message(id, ttl, "")}
	w.commit(p)
	return p
}

// commit publishes operations and lets it happen.
func (w *world) commit(ops ...inbox.Op) *inbox.Commit {
	c := &inbox.Commit{Ops: ops}
	answered := false
	w.hub.Publish(c, nil, func() { answered = true })
	w.settle()
	if !answered {
		w.fatal("the publisher has no answer")
	}
	return c
}

// online returns a device with a connection.
func (w *world) online(id string) *device {
	d := w.device(id)
	d.connect()
	w.settle()
	return d
}

// TestAckOfOldSession: what an overtaken connection says late neither counts, nor
// is a publisher told so, nor is the connection closed for it as if the device
// had lost its mind.
func TestAckOfOldSession(t *testing.T) {
	w := calm(t, memory)
	d := w.online("d")
	w.publish("d", "", 60)
	old := d.conn // it has acknowledged number 1
	d.conn = nil
	p := w.publish("d", "", 60)
	wait := w.hub.Wait(p)
	defer w.hub.Forget(wait)
	if s, err := w.hub.Connect(&delivery.Hello{ID: []byte("d"), Conn: w.dial(d, delivery.Hello{}).name(), Fresh: 9}); err != nil || s.Acked != 1 {
		t.Fatalf("%+v %v", s, err)
	}
	for range 2 {
		if !old.lane.Ack(old.name(), &old.peer, 2) {
			t.Error("the old connection would be closed as one that makes no sense")
		}
	}
	select {
	case <-wait.Done():
		t.Error("the publisher hears of an acknowledgement that does not count")
	default:
	}
	if w.store.Store.Acked(p) {
		t.Error("it counts")
	}
}

// TestWaitKnowsTheDevice: the acknowledgements of the next device under the same
// number are not those of the one that was removed.
func TestWaitKnowsTheDevice(t *testing.T) {
	w := calm(t, memory)
	d := w.online("d")
	d.drop()
	w.settle()
	p := w.publish("d", "", 60)
	wait := w.hub.Wait(p)
	defer w.hub.Forget(wait)
	w.commit(&inbox.Removal{Device: "d"})
	other := w.online("other")
	if next := w.publish("other", "", 60); next.Ref != p.Ref || !w.store.Store.Acked(next) {
		t.Fatalf("%+v is not in the place of %+v: %v", next, p, other.payloads())
	}
	late := w.hub.Wait(p)
	defer w.hub.Forget(late)
	for _, v := range []*delivery.Waiter{wait, late} {
		select {
		case <-v.Done():
			t.Error("the publisher hears of an acknowledgement of another device")
		default:
		}
	}
}

// TestWaitForResume: a device that says when it comes back how far it is has
// acknowledged that.
func TestWaitForResume(t *testing.T) {
	w := calm(t, memory)
	d := w.online("d")
	d.lazy = true
	d.w.rng.Uint64()
	d.acked = 1 << 60 // it never acknowledges by itself
	p := w.publish("d", "", 60)
	wait := w.hub.Wait(p)
	defer w.hub.Forget(wait)
	d.drop()
	w.settle()
	d.dial(inbox.Resume{Given: true, Epoch: []byte(d.epoch), Seq: 1})
	w.settle()
	select {
	case <-wait.Done():
	default:
		t.Error("the publisher does not hear of it")
	}
}

// openHook is a store in which something happens while a device connects.
type openHook struct {
	inbox.Store
	then func()
}

func (s *openHook) Open(id []byte, r inbox.Resume) (inbox.Opened, error) {
	o, err := s.Store.Open(id, r)
	if then := s.then; then != nil {
		s.then = nil
		then()
	}
	return o, err
}

// TestLateConnect: a connection that is slower than a later one of its device is
// refused, also when that is over already: with its fence it would get nothing,
// and nobody else the device's messages.
func TestLateConnect(t *testing.T) {
	w := calm(t, memory)
	d := w.device("d")
	hook := &openHook{Store: w.store}
	w.hub = delivery.NewHub(hook, w.reg, (*lanes)(w))
	connect := func(c *conn) error {
		_, err := w.hub.Connect(&delivery.Hello{ID: []byte("d"), Conn: c.name(), Fresh: 9})
		return err
	}
	early, later := w.dial(d, delivery.Hello{}), w.dial(d, delivery.Hello{})
	hook.then = func() {
		if err := connect(later); err != nil {
			t.Fatal(err)
		}
		o, _ := w.store.Lookup([]byte("d"))
		w.reg.Unregister(uint32(o.Ref), uint64(later.name()))
	}
	if err := connect(early); !errors.Is(err, delivery.ErrLate) {
		t.Errorf("the overtaken connection: %v", err)
	}
	if w.reg.Len() != 0 {
		t.Error("it is registered")
	}
}

// TestOfferOfTheRemoved: a message that was stored for a device that has been
// removed since does not go to the next one under its number, nor to the same
// device in its new life.
func TestOfferOfTheRemoved(t *testing.T) {
	for _, next := range []string{"d", "other"} {
		w := calm(t, memory)
		d := w.online("d")
		d.drop()
		w.settle()
		stale := w.publish("d", "", 60)
		w.commit(&inbox.Removal{Device: "d"})
		e := d
		if next != "d" {
			e = w.device(next)
		}
		e.forget()
		e.connect()
		w.settle()
		w.publish(next, "", 60)
		if r := e.conn.lane.Offer(e.conn.name(), stale); r == delivery.Written {
			t.Errorf("%s: it is said to be written", next)
		}
		w.settle()
		w.publish(next, "", 60)
		if got := e.payloads(); len(got) != 2 || got[0] == 0 || got[1] == 0 {
			t.Errorf("%s has got %v", next, got)
		}
	}
}

// TestSkipOfTheRemoved: what a connection hears late of the messages of a device that
// was removed is nothing to those who wait for the next one under its number.
func TestSkipOfTheRemoved(t *testing.T) {
	w := calm(t, memory)
	d := w.online("d")
	d.drop()
	w.settle()
	p := w.publish("d", "", 1)
	w.pass(2 * time.Second)
	d.connect()
	for fetched := false; !fetched; { // until the store has said that number 1 has expired
		name := w.queue[0].name
		fetched = strings.HasPrefix(name, "fetch")
		w.step(w.now)
	}
	done := func(*inbox.Commit) {}
	w.store.Commit(&inbox.Commit{Ops: []inbox.Op{&inbox.Removal{Device: "d"}}, Done: done})
	w.device("other")
	if _, err := w.store.Open([]byte("other"), inbox.Resume{}); err != nil {
		t.Fatal(err)
	}
	next := &inbox.Put{Device: "other", Message: w.ledger.message("", 60, "")}
	w.store.Commit(&inbox.Commit{Ops: []inbox.Op{next}, Done: done})
	if next.Ref != p.Ref || next.Seq != p.Seq {
		t.Fatalf("%+v is not in the place of %+v", next, p)
	}
	wait := w.hub.Wait(next)
	defer w.hub.Forget(wait)
	w.settle()
	select {
	case <-wait.Done():
		t.Error("the publisher hears that nobody will acknowledge it")
	default:
	}
}
