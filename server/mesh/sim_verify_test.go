package mesh_test

import (
	"testing/synctest"
	"time"

	"roost/server/presence"
)

// verify is what holds in the end.
func (w *world) verify() {
	w.verifyHandled()
	w.verifyPlaces()
	w.verifyLive()
	w.verifyLeft()
	for _, p := range w.running() {
		s := p.mesh.Stats()
		w.tally.Forwarded += int(s.Forwarded)
		if s.Debts != 0 || s.Requests.Open != 0 || s.Twins != 0 {
			w.fail("%s is not at rest: %+v", p.id, s)
		}
	}
	if wrong := w.truth.Check(); len(wrong) > 0 {
		w.fail("the store: %v", wrong)
	}
}

// verifyHandled: each message that was accepted is handled once by each device that it is for.
func (w *world) verifyHandled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally.Handled = 0
	for _, m := range w.messages {
		w.tally.Handled += len(m.receivers)
		if !m.answered {
			w.failLocked("message %d has no answer", m.n)
		}
		for _, id := range m.receivers {
			if n := w.byID[id].handled[m.n]; n != 1 {
				w.failLocked("message %d, accepted for %s (topic %q), was handled %d times", m.n, id, m.topic, n)
			}
		}
	}
}

// verifyPlaces: every node says the same of every device, and that is true; all have one ring.
func (w *world) verifyPlaces() {
	want := w.planner.newest()
	for _, p := range w.running() {
		if a := p.rings.Load(); a.Pointer != want.Pointer {
			w.fail("%s has the rings %+v, in force are %+v", p.id, a.Pointer, want.Pointer)
		}
		for _, d := range w.devices {
			if o := p.mesh.Owner([]byte(d.id)); o.Hash != want.Pointer.StableHash || !o.Alive {
				w.fail("%s says of %s: %+v", p.id, d.id, o)
			}
			where, err := p.keeper.Get(w.t.Context(), d.id)
			c := d.conn()
			if c == nil || err != nil {
				w.fail("%s: %s is connected: %v; presence: %v", p.id, d.id, c != nil, err)
				return
			}
			if at := where[0]; at.Status != presence.Online || at.Record.Owner != c.p.keeper.Self() || at.Here != (c.p == p) {
				w.fail("%s says of %s, which is at %v: %+v", p.id, d.id, c.p.keeper.Self(), at)
			}
		}
	}
}

// verifyLive: what is live reaches every device, from every node, once.
func (w *world) verifyLive() {
	for _, p := range w.running() {
		for _, d := range w.devices {
			n := w.number()
			if s, err := p.live(d.id, n); s.String() != "written" || err != nil {
				w.fail("a live message from %s to %s at %s: %v, %v", p.id, d.id, d.conn().p.id, s, err)
			}
			synctest.Wait()
			if got := d.lives(n); got != 1 {
				w.fail("%s got a live message %d times", d.id, got)
			}
		}
		c, err := p.cast("", w.number(), time.Second)
		if err != nil || c.Silent != 0 || c.Receivers != len(w.devices) {
			w.fail("a live message to all from %s: %+v, %v; there are %d devices", p.id, c, err, len(w.devices))
		}
	}
}

// verifyLeft: devices that go are offline within what presence promises.
func (w *world) verifyLeft() {
	for _, d := range w.devices {
		w.drop(d)
	}
	w.pass(5*time.Second + w.presenceOptions().Bounds(leaseTTL).Release)
	for _, p := range w.running() {
		for _, d := range w.devices {
			if where, err := p.keeper.Get(w.t.Context(), d.id); err != nil || where[0].Status != presence.Offline {
				w.fail("%s says of %s, which has gone: %+v, %v", p.id, d.id, where[0], err)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.devices {
		if c := d.cur; c != nil {
			w.failLocked("%s is connected to %s", d.id, c.p.id)
		}
	}
}
