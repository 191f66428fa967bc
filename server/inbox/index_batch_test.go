package inbox

import (
	"errors"
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// planned is an operation, what the model said when it was planned, and what is
// to be done to the model when it is committed or undone.
type planned struct {
	check  func(t *rapid.T)
	commit func(t *rapid.T)
	undo   func()
}

// batch plans a few commits, lets other things happen, and commits them all or
// takes them all back.
func (w *twins) batch(t *rapid.T) {
	var cs []*Commit
	var ops []planned
	removal := rapid.IntRange(0, 9).Draw(t, "kind") == 0
	w.s.planning.Lock()
	defer w.s.planning.Unlock()
	defer clear(w.m.held)
	for range rapid.IntRange(1, 3).Draw(t, "commits") {
		c := &Commit{}
		for range rapid.IntRange(1, 3).Draw(t, "operations") {
			op, p := w.op(t, removal)
			w.s.x.plan(&Commit{Ops: []Op{op}}, &w.s.content)
			p.check(t)
			c.Ops = append(c.Ops, op)
			ops = append(ops, p)
			if removal {
				break
			}
		}
		cs = append(cs, c)
		if removal {
			break
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "meanwhile") {
		w.event(t)
		w.compare(t)
	}
	if rapid.IntRange(0, 2).Draw(t, "fate") == 0 {
		w.s.x.undo(cs, ErrFull)
		for i := range ops {
			ops[len(ops)-1-i].undo()
		}
		return
	}
	w.s.x.commit(cs, &w.s.content)
	for _, p := range ops {
		p.commit(t)
	}
	for _, d := range w.m.devices {
		w.m.stored += uint64(d.settle(true))
	}
	for _, c := range cs {
		w.s.Remember(c)
	}
}

func (w *twins) op(t *rapid.T, removal bool) (Op, planned) {
	if removal {
		return w.removal(t)
	}
	switch rapid.SampledFrom([]string{"put", "put", "put", "spread", "subscribe", "latest"}).Draw(t, "operation") {
	case "spread":
		return w.spread(t)
	case "subscribe":
		return w.subscription(t)
	case "latest":
		return w.setLatest(t)
	}
	return w.put(t)
}

func (w *twins) message(t *rapid.T) *Message {
	w.next++
	pad := strings.Repeat(" ", rapid.SampledFrom([]int{0, 0, 0, 20, 100, 700}).Draw(t, "pad"))
	return &Message{
		TTL: someTTL.Draw(t, "ttl"), ID: []byte(someKey.Draw(t, "key")), Payload: []byte(payload(w.next) + pad),
		Raw: rapid.Bool().Draw(t, "raw"), Channel: []byte(rapid.SampledFrom([]string{"", "ch"}).Draw(t, "channel")),
	}
}

// overTotal reports whether size more bytes are too many for the node.
func (w *twins) overTotal(size int) bool {
	return w.s.Counts().Bytes+int64(size)+bodyCost > w.m.limits.Total
}

// mKeyOf names a key in the model. What was said to a device is forgotten with
// it.
func mKeyOf(where string, m *Message) string { return where + " " + string(m.ID) }

func (m *model) key(name string) (mKey, bool) {
	k, ok := m.keys[name]
	return k, ok && k.expires > m.now
}

func (m *model) pend(d *mDevice, v *Message, size int) uint64 {
	v2 := mMsg{payload: string(v.Payload), size: size, expires: m.now + v.TTL, pending: true}
	d.msgs = append(d.msgs, v2)
	m.bytes[v2.payload] = mSize{size, v2.expires}
	return d.acked + uint64(len(d.msgs))
}

func (w *twins) put(t *rapid.T) (Op, planned) {
	p := &Put{Device: someID.Draw(t, "id"), Message: w.message(t)}
	d, m := w.m.devices[p.Device], p.Message
	size := len(m.appendContent(nil))
	verdict, name, seq := Pending, "", uint64(0)
	known := mKey{}
	switch {
	case d == nil:
		verdict = Unknown
	default:
		name = mKeyOf(fmt.Sprintf("device %d", d.life), m)
		var dup bool
		if known, dup = w.m.key(name); dup && len(m.ID) > 0 {
			verdict, seq = Duplicate, known.seq
		} else if w.overTotal(size) || w.m.full(d, size) {
			verdict = Full
		}
	}
	if verdict == Pending {
		seq = w.m.pend(d, m, size)
		if len(m.ID) > 0 {
			w.m.keys[name] = mKey{seq: seq, expires: w.m.now + min(m.TTL, 600)}
		}
	}
	return p, planned{
		check: func(t *rapid.T) {
			if p.Verdict != verdict || p.Seq != seq || verdict == Duplicate && p.First != known.outcome {
				t.Fatalf("put %s %q of %d bytes: %+v; want verdict %d, number %d, outcome %d",
					p.Device, m.ID, size, p, verdict, seq, known.outcome)
			}
		},
		commit: func(t *rapid.T) {
			if verdict != Pending {
				return
			}
			if p.Verdict != Stored || p.Seq != seq {
				t.Fatalf("put after its commit: %+v", p)
			}
			p.Outcome = uint8(rapid.IntRange(0, 4).Draw(t, "outcome"))
			if k, ok := w.m.keys[name]; ok && len(m.ID) > 0 {
				k.outcome = p.Outcome
				w.m.keys[name] = k
			}
		},
		undo: func() { w.m.takeBack(verdict, d, name, m) },
	}
}

// takeBack undoes a put that was planned.
func (m *model) takeBack(verdict Verdict, d *mDevice, name string, v *Message) {
	if verdict != Pending {
		return
	}
	d.msgs = d.msgs[:len(d.msgs)-1]
	delete(m.bytes, string(v.Payload))
	if len(v.ID) > 0 {
		delete(m.keys, name)
	}
}

func (w *twins) spread(t *rapid.T) (Op, planned) {
	s := &Spread{Message: w.message(t)}
	if rapid.Bool().Draw(t, "topic") {
		s.Topic = someTopic.Draw(t, "topic name")
	}
	m := s.Message
	size := len(m.appendContent(nil))
	name := mKeyOf("topic "+s.Topic, m)
	verdict, refused := Pending, 0
	var to []*mDevice
	known, dup := w.m.key(name)
	receivers := 0
	if dup && len(m.ID) > 0 {
		verdict, receivers = Duplicate, int(known.seq)
	} else if w.overTotal(size) {
		verdict = Full
	} else {
		for _, id := range w.m.audience(s.Topic) {
			if d := w.m.devices[id]; w.m.full(d, size) {
				refused++
			} else {
				to = append(to, d)
			}
		}
		for _, d := range to {
			w.m.pend(d, m, size)
		}
		receivers = len(to)
		w.m.bytes[string(m.Payload)] = mSize{size, w.m.now + m.TTL}
		w.m.held[string(m.Payload)] = true
		if len(m.ID) > 0 {
			w.m.keys[name] = mKey{seq: uint64(receivers), expires: w.m.now + min(m.TTL, 600)}
		}
	}
	return s, planned{
		check: func(t *rapid.T) {
			if s.Verdict != verdict || s.Receivers != receivers || s.Refused != refused {

				t.Fatalf("spread to %q: %+v; want verdict %d, %d receivers, %d refused", s.Topic, s, verdict, receivers, refused)
			}
		},
		commit: func(t *rapid.T) {
			if verdict == Pending && s.Verdict != Stored {
				t.Fatalf("spread after its commit: %+v", s)
			}
		},
		undo: func() {
			for _, d := range to {
				w.m.takeBack(verdict, d, name, m)
			}
			delete(w.m.bytes, string(m.Payload))
			if verdict == Pending && len(m.ID) > 0 {
				delete(w.m.keys, name)
			}
		},
	}
}

// subscription draws one that has the last word on its batch: what a second
// one of the same batch is told is not looked at.
func (w *twins) subscription(t *rapid.T) (Op, planned) {
	d := w.known(t)
	topic, on := someTopic.Draw(t, "topic"), rapid.Bool().Draw(t, "on")
	s := &Subscription{Topic: topic, On: on}
	if d == nil {
		s.Ref = Ref(rapid.SampledFrom([]uint32{0, 1, 1000}).Draw(t, "nobody"))
		return s, planned{undo: func() {}, commit: func(*rapid.T) {}, check: func(t *rapid.T) {
			if !errors.Is(s.Err, ErrUnknown) {
				t.Fatalf("subscription of nobody: %v", s.Err)
			}
		}}
	}
	s.Ref = d.ref
	return s, planned{
		check: func(*rapid.T) {},
		commit: func(t *rapid.T) {
			topics := w.m.topics()
			_, exists := topics[topic]
			full := on && !exists && len(topics) >= w.m.limits.Topics
			switch {
			case full && !errors.Is(s.Err, ErrTopics), !full && s.Err != nil && !errors.Is(s.Err, ErrTopics):
				t.Fatalf("%+v with topics %v", s, topics)
			case s.Err != nil || s.nothing:
			case on:
				d.topics[topic] = true
			default:
				delete(d.topics, topic)
			}
		},
		undo: func() {},
	}
}

func (w *twins) setLatest(t *rapid.T) (Op, planned) {
	l := &Latest{Topic: someTopic.Draw(t, "topic")}
	if rapid.IntRange(0, 3).Draw(t, "set") > 0 {
		l.Message = w.message(t)
	}
	return l, planned{
		check: func(*rapid.T) {},
		commit: func(t *rapid.T) {
			if l.Err != nil {
				return // TestLatestLimits has the bounds
			}
			if l.Message == nil {
				delete(w.m.latest, l.Topic)
				return
			}
			w.m.latest[l.Topic] = mLatest{string(l.Message.Payload), len(l.Message.appendContent(nil)), w.m.now + l.Message.TTL}
		},
		undo: func() {},
	}
}

func (w *twins) removal(t *rapid.T) (Op, planned) {
	r := &Removal{Device: someID.Draw(t, "id")}
	d := w.m.devices[r.Device]
	return r, planned{
		check: func(t *rapid.T) {
			if errors.Is(r.Err, ErrUnknown) != (d == nil) {
				t.Fatalf("removal of %s: %v", r.Device, r.Err)
			}
		},
		commit: func(*rapid.T) {
			if d == nil {
				return
			}
			// What was acknowledged meanwhile is gone already.
			w.m.removed += uint64(len(d.msgs))
			delete(w.m.devices, r.Device)
		},
		undo: func() {},
	}
}
