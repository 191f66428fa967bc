package redisinbox

import (
	"errors"
	"fmt"
	"strconv"

	"roost/server/inbox"
)

// Open implements inbox.Store: one round trip to Redis, two when the device is new or in
// topics whose latest values are not here. The errors are inbox.ErrDevices and
// inbox.ErrFailed, or inbox.ErrFull when Redis has no memory.
func (s *Store) Open(id []byte, r inbox.Resume) (inbox.Opened, error) {
	o, _, err := s.OpenAs(id, r, 0, 0)
	return o, err
}

// OpenAs is Open for the session sid, which presence is told, with at, the time in Unix ms at which it
// began: 0 is now. claim is what presence_claim has answered, empty without Options.Presence.
func (s *Store) OpenAs(id []byte, r inbox.Resume, sid uint64, at int64) (opened inbox.Opened, claim []string, err error) {
	name := string(id)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return opened, nil, fmt.Errorf("%w: it is closed", inbox.ErrFailed)
	}
	ref, d := s.m.begin(name)
	if at == 0 {
		at = s.millis()
	}
	k := s.openCall(d, name, r, sid, at)
	s.mu.Unlock()

	calls := make([]call, 0, 2)
	pending := s.acks.take(name) // of an earlier session: they count only before this one
	if pending != nil {
		calls = append(calls, s.ackCall(pending))
	}
	// No replica is waited for: where there is none, devices still get what is there. A failover that loses the
	// session has it end as one that was overtaken.
	replies := s.redis.do(append(calls, k), false)
	if pending != nil {
		if again, _ := s.acked([]*ack{pending}, &replies[0]); len(again) > 0 {
			s.acks.putBack([]*ack{pending})
		}
		replies = replies[1:]
	}
	var o openReply
	if err = replies[0].err; err == nil {
		if o, err = parseOpen(replies[0].v); err != nil && !errors.Is(err, inbox.ErrDevices) {
			err = fmt.Errorf("%w: %w", inbox.ErrFailed, err)
		}
	}
	if err == nil && !o.indexed {
		err = s.settle([]indexed{{device: name}})
	}
	if err != nil {
		s.mu.Lock()
		s.m.failed(ref, s.seconds())
		s.mu.Unlock()
		return opened, nil, err
	}
	s.loadLatest(o.topics)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.opened(ref, &o)
	s.n.Acknowledged += o.acked
	s.n.Expired += o.gone
	s.acks.count(s.bodies.dropped(ref, o.bodies))
	o.Ref = ref
	return o.Opened, o.claim, nil
}

func (s *Store) openCall(d *device, id string, r inbox.Resume, sid uint64, at int64) call {
	n := s.names(id)
	given := "0"
	if r.Given {
		given = "1"
		if e, ok := inbox.ParseEpoch(r.Epoch); ok && e.Provisional() {
			given = "2"
		}
	}
	allow := "1"
	if s.known >= s.opt.Limits.Devices {
		allow = "0"
	}
	last, tag := d.asks()
	k := call{script: s.open, keys: []string{n.list(), n.head(), n.subs()}, args: []string{
		given, string(r.Epoch), strconv.FormatUint(r.Seq, 10), utoa(s.seconds()), inbox.RandomEpoch().String(),
		epochText(d.epoch), last, tag, utoa(max(d.fence, d.floor, d.seen.fence)), allow}} // what was seen is of a session before this one
	if p := s.opt.Presence; p != nil {
		k.keys = append(k.keys, p.Key(id))
		if p.Index != "" {
			k.keys = append(k.keys, p.Index)
		}
		k.args = append(k.args, id, p.Owner, strconv.FormatInt(int64(sid), 10), strconv.FormatInt(at, 10))
	}
	return k
}

func utoa(v uint32) string { return strconv.FormatUint(uint64(v), 10) }

// Leave implements inbox.Leaver.
func (s *Store) Leave(ref inbox.Ref, fence uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.leave(ref, fence, s.seconds())
}

// Last implements inbox.Store.
func (s *Store) Last(ref inbox.Ref, fence uint32) (last, acked uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.current(ref, fence)
	switch {
	case d == nil:
		return 0, 0
	case d.alone != 0:
		return d.alone - 1, d.alone - 1
	}
	return d.last, d.acked
}

// Ack implements inbox.Store. It counts here at once, in Redis a little later; a node
// that dies meanwhile leaves the device with messages that it has had already.
func (s *Store) Ack(ref inbox.Ref, fence uint32, seq uint64) bool {
	s.mu.Lock()
	d := s.m.current(ref, fence)
	if d == nil {
		s.mu.Unlock()
		return false
	}
	if d.alone != 0 || seq <= d.acked || seq > d.last {
		s.mu.Unlock()
		return true
	}
	d.acked = seq
	a := &ack{id: d.id, ref: ref, fence: fence, epoch: d.epoch, seq: seq, known: d.history}
	s.mu.Unlock()
	s.acks.add(a, s.opt.FlushAt)
	return true
}

// Current implements inbox.Store.
func (s *Store) Current(ref inbox.Ref, fence uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.current(ref, fence) != nil
}

// Acked implements inbox.Store. It knows only of devices that are connected here.
func (s *Store) Acked(p *inbox.Put) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.get(p.Ref)
	return d != nil && d.fence != 0 && d.alone == 0 && d.life == p.Life && d.acked >= p.Seq
}

// Find implements inbox.Store. It knows only of devices that are connected here, or
// were a moment ago.
func (s *Store) Find(id []byte) inbox.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref, d := s.m.find(string(id))
	if d == nil || d.fence == 0 {
		return 0
	}
	return ref
}

// AppendID implements inbox.Store.
func (s *Store) AppendID(dst []byte, ref inbox.Ref) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.m.get(ref); d != nil && d.fence != 0 {
		return append(dst, d.id...)
	}
	return dst
}

// EachTopic implements inbox.Store.
func (s *Store) EachTopic(ref inbox.Ref, f func(topic string)) {
	s.mu.Lock()
	var names []string
	if d := s.m.get(ref); d != nil {
		names = d.topics // replaced, never changed
	}
	s.mu.Unlock()
	for _, name := range names {
		f(name)
	}
}
