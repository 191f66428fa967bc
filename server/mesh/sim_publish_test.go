package mesh_test

import (
	"time"

	"roost/server/inbox"
)

// publish is a publisher that does not give up: it repeats a message, with its id, until it is answered.
func (w *world) publish(d *device, waits bool) {
	wait := time.Duration(0)
	if waits {
		wait = time.Duration(1+w.rng.IntN(20)) * time.Second
	}
	m := w.message(d.id, "")
	w.publishing.Go(func() {
		w.until(m, func(p *proc) bool {
			put := &inbox.Put{Device: d.id, Message: m.content()}
			if !p.publish([]inbox.Op{put}, wait, nil) {
				return false
			}
			if put.Verdict == inbox.Unknown {
				return true // it never was connected
			}
			w.accepted(m, d.id)
			if put.Verdict == inbox.Stored && statusOf(put.Outcome) == "acknowledged" {
				w.acknowledged(m, d)
			}
			return put.Verdict == inbox.Stored || put.Verdict == inbox.Duplicate
		})
	})
}

// publishSpread is the same to a topic.
func (w *world) publishSpread(topic string) {
	m := w.message("", topic)
	w.tally.Spreads++
	w.publishing.Go(func() {
		w.until(m, func(p *proc) bool {
			op := &inbox.Spread{Topic: topic, Message: m.content()}
			return p.publish([]inbox.Op{op}, 0, m) && (op.Verdict == inbox.Stored || op.Verdict == inbox.Duplicate)
		})
	})
}

// until tries at one node after the other.
func (w *world) until(m *message, try func(p *proc) bool) {
	for {
		if p := w.someNode(); p != nil && try(p) {
			break
		}
		if w.failed() {
			return
		}
		time.Sleep(time.Duration(1+w.roll(2000)) * time.Millisecond)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	m.answered = true
}

func (w *world) publishLive(d *device) {
	w.tally.Lives++
	n := w.number()
	w.publishing.Go(func() {
		if p := w.someNode(); p != nil {
			_, _ = p.live(d.id, n)
		}
	})
}

func (w *world) publishCast(waits bool) {
	n, wait, topic := w.number(), time.Duration(0), simTopics[w.rng.IntN(len(simTopics))]
	if waits {
		wait = time.Second
	}
	w.publishing.Go(func() {
		if p := w.someNode(); p != nil {
			_, _ = p.cast(topic, n, wait)
		}
	})
}

// subscribe puts a device into a topic, or takes it out: by its own connection, or by a node's API.
func (w *world) subscribe(d *device, topic string, on, api bool) {
	w.note("%s subscribes to %s: %v, by the API: %v", d.id, topic, on, api)
	if !api {
		if c := d.conn(); c != nil {
			c.p.post(func() { c.subscribe(topic, on) })
		}
		return
	}
	p := w.someNode()
	sub := &inbox.Subscription{Device: d.id, Topic: topic, On: on}
	if p.publish([]inbox.Op{sub}, 0, nil) && sub.Err == nil {
		p.mesh.Subscribed(d.id, topic, on)
	}
}
