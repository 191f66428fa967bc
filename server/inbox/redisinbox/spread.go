package redisinbox

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"roost/server/inbox"
)

const (
	// spreadSlice is how many receivers are given a message in one pipeline, between
	// which others are at Redis: about 5 ms.
	spreadSlice = 256
	// spreadTries is how often a slice is tried. What it was before does not come
	// twice: a device remembers the message's name.
	spreadTries = 5
)

// runSpreads carries out commits with a message to many.
func (s *Store) runSpreads() {
	for {
		batch := s.spread.take()
		if len(batch) == 0 {
			return
		}
		for _, q := range batch {
			for _, op := range q.c.Ops {
				if q.c.Err != nil {
					break
				}
				if sp, ok := op.(*inbox.Spread); ok {
					q.c.Err = s.spreadOut(sp)
					continue
				}
				p := s.newPipeline()
				p.plan(&progress{c: q.c}, op)
				p.run()
			}
			s.finish(&progress{c: q.c})
		}
	}
}

// spreadOut gives a message to everybody in a topic, or to all. When it fails, some have
// it and others have not: with the same id it can be published again, and comes to the
// others only.
func (s *Store) spreadOut(op *inbox.Spread) error {
	now, m := s.seconds(), op.Message
	name, repeated, err := s.spreadName(op)
	if err != nil || repeated {
		return err
	}
	content := m.AppendContent(nil)
	r := s.redis.do([]call{{name: "SET", keys: []string{s.bodyKey(name)}, args: []string{string(content), "EX", utoa(m.TTL + 60)}}}, true)[0]
	if r.err != nil {
		return r.err
	}
	s.mu.Lock()
	v := s.bodies.begin(name, now+m.TTL)
	s.bodies.keep(name, string(content))
	s.mu.Unlock()
	op.Body = inbox.NewBody(v.serial)
	op.Receivers, op.Refused = 0, 0
	tag := newTag()
	w := spreader{s: s, op: op, v: v, now: now, tag: tag,
		item: string(appendShared(nil, now+m.TTL, tag, len(content), name))}
	err = s.audience(op.Topic, w.give)
	s.mu.Lock()
	if v.ended = true; v.left <= 0 {
		s.bodies.end(v.serial)
	} else if len(v.seqs) == 0 {
		s.bodies.strip(v)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	op.Verdict = inbox.Stored
	if len(m.ID) == 0 {
		return nil
	}
	until := min(m.TTL, keyWindow)
	// If this fails a repetition goes through all devices and gives nobody anything.
	s.redis.do([]call{{name: "SET", keys: []string{s.spreadKey(op.Topic, string(m.ID))},
		args: []string{utoa(now+until) + " " + name + " " + strconv.Itoa(op.Receivers), "EX", utoa(until + 60)}}}, false)
	return nil
}

// spreadName returns the name of the message's body: that of an earlier attempt with the
// same id, if there was one. repeated: that one has come to its end.
func (s *Store) spreadName(op *inbox.Spread) (name string, repeated bool, err error) {
	name = newName()
	if op.Counted {
		name = counted + name
	}
	m := op.Message
	if len(m.ID) == 0 {
		return name, false, nil
	}
	key, now := s.spreadKey(op.Topic, string(m.ID)), s.seconds()
	until := min(m.TTL, keyWindow)
	for range 2 {
		mine := utoa(now+until) + " " + name + " -"
		rs := s.redis.do([]call{
			{name: "SET", keys: []string{key}, args: []string{mine, "EX", utoa(until + 60), "NX"}},
			{name: "GET", keys: []string{key}},
		}, false)
		if err := rs[1].err; err != nil || rs[0].err != nil {
			return "", false, firstError(rs)
		}
		var expires uint32
		var had, receivers string
		text, _ := rs[1].v.(string)
		if _, err := fmt.Sscanf(text, "%d %s %s", &expires, &had, &receivers); err != nil {
			return "", false, fmt.Errorf("%w: key %q has %q", inbox.ErrFailed, key, text)
		}
		if expires <= now { // by the clock that counts
			s.redis.do([]call{{name: "DEL", keys: []string{key}}}, false)
			continue
		}
		n, err := strconv.Atoi(receivers)
		if err != nil {
			return had, false, nil // ours, or one that did not end
		}
		op.Verdict, op.Receivers = inbox.Duplicate, n
		s.mu.Lock()
		s.counted(inbox.Duplicate)
		s.mu.Unlock()
		return had, true, nil
	}
	return name, false, nil
}

func firstError(rs []reply) error {
	for _, r := range rs {
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// newName returns a name that no other body has.
func newName() string {
	var b [12]byte
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return hex.EncodeToString(b[:])
}

// spreader gives one message to slices of devices.
type spreader struct {
	s    *Store
	op   *inbox.Spread
	v    *spreading
	now  uint32
	tag  uint32
	item string
}

// give gives the message to some devices.
func (w *spreader) give(devices []string) error {
	s := w.s
	for try := 1; ; try++ {
		again, fatal, err := w.attempt(devices)
		if err == nil || fatal {
			return err
		}
		if try == spreadTries {
			return err
		}
		devices = again
		select {
		case <-s.stop:
			return err
		case <-time.After(time.Duration(try) * 100 * time.Millisecond):
		}
	}
}

// attempt gives it to devices once. It returns those that Redis has refused, and why the last was; fatal: to try again
// is no use.
func (w *spreader) attempt(devices []string) (again []string, fatal bool, err error) {
	s := w.s
	var groups [][]putOp
	var calls []call
	for group := range slices.Chunk(devices, s.perCall()) {
		list := make([]putOp, len(group))
		for i, d := range group {
			// A zero byte is in no id of a message to one device.
			list[i] = putOp{device: d, id: "\x00" + w.v.name, item: w.item}
		}
		groups, calls = append(groups, list), append(calls, s.putsCall(w.op.Topic, w.now, list))
	}
	var unknown []indexed
	for i, r := range s.redis.do(calls, true) {
		list := groups[i]
		if r.err != nil {
			err = r.err
			for _, o := range list {
				again = append(again, o.device)
			}
			continue
		}
		all, perr := parsePuts(r.v, len(list))
		if perr != nil {
			return nil, true, fmt.Errorf("%w: device %q: %w", inbox.ErrFailed, list[0].device, perr)
		}
		for k := range all {
			if all[k].err != nil {
				again, err = append(again, list[k].device), all[k].err
				continue
			}
			w.given(list[k].device, &all[k])
			if all[k].verdict == inbox.Unknown {
				unknown = append(unknown, indexed{device: list[k].device})
				if t := w.op.Topic; t != "" {
					unknown[len(unknown)-1].topics = []string{t}
				}
			}
		}
	}
	_ = s.settle(unknown) // who is named and is not in; else the next message finds it
	return again, false, err
}

// given takes what came of it for one device. A duplicate is one that an attempt before
// has reached.
func (w *spreader) given(device string, p *putReply) {
	s := w.s
	s.mu.Lock()
	s.n.Expired += p.gone
	if p.verdict == inbox.Full || p.verdict == inbox.Limited {
		w.op.Refused++
		s.counted(p.verdict)
	}
	if p.verdict != inbox.Stored && p.verdict != inbox.Duplicate {
		s.mu.Unlock()
		return
	}
	w.op.Receivers++
	w.v.left++
	if p.verdict == inbox.Stored {
		s.n.Published++
	}
	ref, d := s.m.find(device)
	if p.verdict == inbox.Stored {
		s.accepted(device, d, p.epoch, p.seq, w.tag)
	}
	news, fence := nothing, uint32(0)
	if d != nil {
		fence = d.fence
		if d.leftAt == 0 {
			s.bodies.note(w.v, ref, receipt{d.life, p.seq})
		}
		switch {
		case p.verdict == inbox.Stored:
			news = d.noted(p.fence, p.epoch, place{p.seq, w.tag}, p.before)
		case p.seq > d.last || p.epoch != d.epoch:
			news = d.noted(p.fence, p.epoch, place{seq: p.seq}, 0) // the answer to the attempt before was lost
		}
	}
	s.mu.Unlock()
	switch news {
	case overtaken:
		s.ended(ref, fence, stateStale)
	case doubt:
		s.doubt(device)
	}
}

// audience calls f with the devices of a topic, or all, in slices. Who comes or goes
// meanwhile is among them or not.
func (s *Store) audience(topic string, f func(devices []string) error) error {
	for shard := range shards {
		after := ""
		for {
			page, err := s.page(s.indexKey(topic, shard), after, spreadSlice)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			if err := f(page); err != nil {
				return err
			}
			after = page[len(page)-1]
		}
	}
	return nil
}

// page returns the members of an index behind after, sorted, at most limit of them.
func (s *Store) page(key, after string, limit int) ([]string, error) {
	r := s.redis.do([]call{pageCall(key, after, limit)}, false)[0]
	list, _ := r.v.([]any)
	return texts(list), r.err
}

func pageCall(key, after string, limit int) call {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	return call{name: "ZRANGEBYLEX", keys: []string{key}, args: []string{from, "+", "LIMIT", "0", strconv.Itoa(limit)}}
}
