package mesh_test

import (
	"slices"
	"strconv"
	"time"

	"roost/server/inbox"
	"roost/server/mesh"
)

// Live implements mesh.Local.
func (p *proc) Live(device []byte, m *mesh.Message, answer func(mesh.Status)) {
	id, n := string(device), number(m.Payload)
	p.post(func() {
		if c := p.byID[id]; c != nil {
			c.dev.gotLive(c, n)
			answer(mesh.StatusWritten)
		} else {
			answer(mesh.StatusOffline)
		}
	})
}

// Cast implements mesh.Local.
func (p *proc) Cast(topic string, m *mesh.Message, _ bool, _ int, done func(mesh.Counts)) {
	n := number(m.Payload)
	p.post(func() {
		var c mesh.Counts
		for _, at := range p.byID {
			if topic == "" || slices.Contains(at.topics, topic) {
				at.dev.gotLive(at, n)
				c.Written++
				c.Receivers++
			}
		}
		if done != nil {
			done(c)
		}
	})
}

// Noticed implements mesh.Local.
func (p *proc) Noticed(x *inbox.Notice, wait time.Duration, answer func(mesh.Status)) {
	id, fence, seq := string(x.Device), x.Fence, x.Seq
	p.post(func() {
		c := p.byID[id]
		if c != nil && !c.alone && fence > c.fence {
			c.close("overtaken")
			c = nil
		}
		if c == nil || c.alone {
			if answer != nil {
				answer(mesh.StatusOffline)
			}
			return
		}
		p.lane.Look(c.n, &c.peer)
		if answer != nil {
			go p.await(&inbox.Put{Ref: c.peer.Ref, Life: p.w.life(id), Seq: seq}, wait, answer)
		}
	})
}

// await tells whether a device acknowledges in time.
func (p *proc) await(put *inbox.Put, wait time.Duration, answer func(mesh.Status)) {
	waiter := p.hub.Wait(put)
	defer p.hub.Forget(waiter)
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-waiter.Done():
		answer(mesh.StatusAcknowledged)
	case <-t.C:
		answer(mesh.StatusQueued)
	case <-p.ctx.Done():
	}
}

// Spread implements mesh.Local.
func (p *proc) Spread(topic string) {
	p.post(func() {
		for _, c := range p.byID {
			if !c.alone && (topic == "" || slices.Contains(c.topics, topic)) {
				p.lane.Look(c.n, &c.peer)
			}
		}
	})
}

// Subscribed implements mesh.Local.
func (p *proc) Subscribed(device []byte, _ string, _ bool) {
	id := string(device)
	p.post(func() {
		if c := p.byID[id]; c != nil {
			c.align()
		}
	})
}

// Control implements mesh.Local.
func (p *proc) Control(device []byte, fence uint64, _ uint16, reason string) {
	id := string(device)
	p.post(func() {
		if c := p.byID[id]; c != nil && (fence == 0 || fence == uint64(c.claim)) {
			c.close(reason)
		}
	})
}

// Sweep implements mesh.Local.
func (p *proc) Sweep(bool) {
	p.post(func() {
		for _, c := range p.byID {
			switch {
			case c.alone:
			case !p.store.Current(c.peer.Ref, c.fence):
				c.close("overtaken, as a sweep has found")
			default:
				c.align()
			}
		}
	})
}

func number(payload []byte) int {
	n, err := strconv.Atoi(string(payload))
	if err != nil {
		panic(err)
	}
	return n
}
