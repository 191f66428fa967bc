package redisinbox

import (
	"encoding/binary"
	"strconv"

	"roost/server/inbox"
)

// plan makes the steps of an operation.
func (p *pipeline) plan(g *progress, op inbox.Op) {
	put, ok := op.(*inbox.Put)
	if ok {
		p.put(g, put)
		return
	}
	p.puts.flush(p) // in their order
	g.puts = false
	c := g.c
	switch op := op.(type) {
	case *inbox.Latest:
		p.latest(c, op)
	case *inbox.Subscription:
		p.subscription(c, op)
	case *inbox.Removal:
		p.removal(c, op)
	}
}

// put plans a message for one device.
func (p *pipeline) put(g *progress, op *inbox.Put) {
	m := op.Message
	if m != p.message {
		p.message, p.tag, p.size = m, newTag(), m.ContentSize()
		p.item = string(appendItem(make([]byte, 0, 9+p.size), p.now+m.TTL, p.tag, m))
	}
	p.acks(op.Device)
	p.repeats = p.repeats || len(m.ID) > 0 && p.s.acks.waits(noteOf(op.Device, m.ID))
	p.puts.add(p, putOp{at: g, op: op, device: op.Device, id: string(m.ID), item: p.item, message: m, tag: p.tag})
}

// acks plans that what a device has acknowledged counts before what follows.
func (p *pipeline) acks(device string) {
	v := p.s.acks.poll(device)
	if v == nil {
		return
	}
	p.main = append(p.main, p.s.ackStep(v))
}

// ackStep is the step of an acknowledgement; if it fails it is written again.
func (s *Store) ackStep(v *ack) step {
	return step{k: s.ackCall(v), take: func(r any) error {
		if again, _ := s.acked([]*ack{v}, &reply{v: r}); len(again) > 0 {
			s.acks.putBack(again)
		}
		return nil
	}, failed: func(error) { s.acks.putBack([]*ack{v}) }}
}

// known plans that a device which was never connected is in the index of all, after
// what made it known: a message to all that comes in between is not for it.
func (p *pipeline) known(device string) { p.settle = append(p.settle, indexed{device: device}) }

// stored takes what came of a put.
func (s *Store) stored(op *inbox.Put, r *putReply, tag uint32) {
	s.mu.Lock()
	op.Verdict, op.Seq, op.First, op.Fence, op.Epoch, op.Tag = r.verdict, r.seq, r.outcome, r.fence, r.epoch, 0
	op.Before = r.before
	op.Owner, op.Told, op.Look = r.owner, r.told, false
	ref, d := s.m.find(op.Device)
	news := nothing
	if d != nil {
		op.Ref, op.Life = ref, d.life
		switch {
		case r.verdict == inbox.Stored:
			news = d.noted(r.fence, r.epoch, place{r.seq, tag}, r.before)
			op.Look = news == ahead || news == doubt || d.stale
		case r.verdict == inbox.Duplicate && (r.seq > d.last || r.epoch != d.epoch):
			news = d.noted(r.fence, r.epoch, place{seq: r.seq}, 0) // the answer to the first was lost
		}
	}
	if r.verdict == inbox.Stored {
		op.Tag = tag
		s.accepted(op.Device, d, r.epoch, r.seq, tag)
	}
	s.counted(r.verdict)
	s.n.Expired += r.gone
	fence := uint32(0)
	if d != nil {
		fence = d.fence
	}
	s.mu.Unlock()
	switch news {
	case moved, ahead:
		if r.verdict == inbox.Duplicate { // else the lane is told with the message itself
			s.opt.Moved(ref, fence)
		}
	case overtaken:
		s.ended(ref, fence, stateStale)
	case doubt:
		s.doubt(op.Device)
	}
}

// counted counts a verdict. mu is held.
func (s *Store) counted(v inbox.Verdict) {
	switch v {
	case inbox.Stored:
		s.n.Published++
	case inbox.Duplicate:
		s.n.Duplicates++
	case inbox.Full, inbox.Limited:
		s.n.Refused++
		if v == inbox.Limited {
			s.n.Limited++
		}
	}
}

// latest plans a latest value.
func (p *pipeline) latest(c *inbox.Commit, op *inbox.Latest) {
	s := p.s
	value, ttl := "", uint32(0)
	if m := op.Message; m != nil {
		if !s.room(op.Topic) {
			op.Err = inbox.ErrTopics
			return
		}
		value, ttl = string(m.AppendContent(binary.BigEndian.AppendUint32(nil, p.now+m.TTL))), m.TTL+60
	}
	k := call{script: latestScript, keys: []string{s.latestKey(op.Topic)}, args: []string{op.Topic, value, utoa(ttl)}}
	switch {
	case value == "":
		p.forget(op.Topic)
	case p.apart:
		p.index(c, s.topicsKey(), op.Topic)
	default:
		k.apart, k.keys = true, append(k.keys, s.topicsKey())
	}
	p.main = append(p.main, step{c: c, k: k, take: func(v any) error {
		f, word := open(v)
		if n := f.number(); f.err != nil || word != "set" {
			return errReply
		} else if n == 0 {
			op.Err = inbox.ErrUnknown
		}
		s.mu.Lock()
		s.latest.told(op.Topic, value)
		s.mu.Unlock()
		return nil
	}})
}

// room reports whether there may be one more topic, if it is one more.
func (s *Store) room(topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.topics < s.opt.Limits.Topics || s.m.topics[topic] > 0 || s.latest.has(topic)
}

// index plans an entry of an index, before what is indexed.
func (p *pipeline) index(c *inbox.Commit, key, member string) {
	p.first = append(p.first, step{c: c, k: call{name: "ZADD", keys: []string{key}, args: []string{"0", member}}})
}

// forget plans that a topic is not listed any more if it has neither devices nor a
// value. That it may come into being meanwhile costs an entry of a list for people.
func (p *pipeline) forget(topic string) {
	s := p.s
	p.last = append(p.last, step{k: call{name: "EXISTS", keys: []string{s.latestKey(topic)}}, take: func(v any) error {
		if n, _ := v.(int64); n > 0 {
			return nil
		}
		if members, err := s.members(topic); err == nil && members == 0 {
			s.redis.do([]call{{name: "ZREM", keys: []string{s.topicsKey()}, args: []string{topic}}}, false)
		}
		return nil
	}})
}

// subscription plans that a device comes into a topic or leaves it.
func (p *pipeline) subscription(c *inbox.Commit, op *inbox.Subscription) {
	s := p.s
	device, fence := op.Device, uint32(0)
	s.mu.Lock()
	if device == "" {
		if d := s.m.get(op.Ref); d != nil && d.fence != 0 && (op.Fence == 0 || int32(op.Fence-d.floor) > 0) {
			device, fence = d.id, op.Fence
		}
	} else {
		op.Ref, _ = s.m.find(device)
	}
	s.mu.Unlock()
	op.Err = nil
	switch {
	case device == "":
		op.Err = inbox.ErrUnknown
		return
	case op.On && !s.room(op.Topic):
		op.Err = inbox.ErrTopics
		return
	}
	n, on := s.names(device), "0"
	shard := s.indexKey(op.Topic, shardOf(device))
	if op.On {
		on = "1"
	}
	k := call{script: subscribeScript, keys: []string{n.list(), n.head(), n.subs()},
		args: []string{op.Topic, on, utoa(fence), strconv.Itoa(inbox.MaxSubscriptions), device}}
	if !p.apart {
		k.apart, k.keys = true, append(k.keys, shard, s.topicsKey(), s.latestKey(op.Topic))
	} else if op.On {
		p.index(c, s.topicsKey(), op.Topic)
		p.index(c, shard, device)
	}
	p.main = append(p.main, step{c: c, k: k, take: func(v any) error { return s.subscribed(op, device, v) }})
	if p.apart {
		p.settle = append(p.settle, indexed{device, []string{op.Topic}})
	}
	switch {
	case !op.On:
		p.forget(op.Topic)
	case p.apart:
		p.last = append(p.last, step{k: call{name: "GET", keys: []string{s.latestKey(op.Topic)}}, take: func(v any) error {
			s.tookLatest(op.Topic, v)
			return nil
		}})
	}
}

// subscribed takes what came of a subscription.
func (s *Store) subscribed(op *inbox.Subscription, device string, v any) error {
	f, word := open(v)
	switch word {
	case "done":
	case "unknown":
		op.Err = inbox.ErrUnknown
		return nil
	case "subscriptions":
		op.Err = inbox.ErrSubscriptions
		return nil
	default:
		return errReply
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.subscribed(device, change{op.Topic, op.On})
	if len(f.v) > 0 { // where it lies on the same server
		value, _ := f.v[0].(string)
		s.latest.set(op.Topic, value)
	}
	return nil
}

// removal plans that a device is forgotten.
func (p *pipeline) removal(c *inbox.Commit, op *inbox.Removal) {
	s := p.s
	n := s.names(op.Device)
	this, before := n.keys(p.now)
	if v := s.acks.take(op.Device); v != nil { // they are no loss
		p.main = append(p.main, p.s.ackStep(v))
	}
	shard := shardOf(op.Device)
	k := call{script: removeScript, keys: []string{n.list(), n.head(), n.subs(), this, before},
		args: []string{op.Device, s.topicPrefix(), ":" + strconv.Itoa(shard)}}
	if !p.apart {
		k.apart, k.keys = true, append(k.keys, s.indexKey("", shard))
	}
	p.main = append(p.main, step{c: c, k: k, take: func(v any) error {
		topics, err := s.removed(op, v)
		if p.apart && err == nil && op.Err == nil {
			p.settle = append(p.settle, indexed{op.Device, topics})
		}
		return err
	}})
}

// removed takes what came of a removal, and returns the topics that the device was in.
func (s *Store) removed(op *inbox.Removal, v any) (topics []string, err error) {
	f, word := open(v)
	op.Err = nil
	if word == "unknown" {
		op.Err = inbox.ErrUnknown
		return nil, nil
	}
	epoch, live, gone, topics := f.epoch(), f.number(), f.number(), f.texts()
	if f.err != nil || word != "removed" {
		return nil, errReply
	}
	s.acks.poll(op.Device) // of a device that is no more
	s.mu.Lock()
	defer s.mu.Unlock()
	op.Ref = s.m.removed(op.Device, epoch, s.seconds())
	s.n.Removed += live
	s.n.Expired += gone
	return topics, nil
}
